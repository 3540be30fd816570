//! The bytes of what waits for a commit.

use super::accept::AcceptCommit;
use super::enqueue::Enqueue;
use super::receive::Inbound;
use crate::domain::callback::Advance;
use crate::domain::conversation::ConversationTouch;
use crate::domain::ids::{MessageKey, PhoneNumberId, TenantId};
use crate::domain::message::Evidence;
use crate::domain::page::Paged;
use crate::group_commit::Weighed;
use crate::ports::{ReceivedMessage, Save, SpooledOutcome};

/// The bytes of a request without texts of its own, or of the part of one.
const SMALL_BYTES: usize = 256;
/// The bytes of an entry in a timeline.
const ENTRY_BYTES: usize = 128;

impl Weighed for AcceptCommit {
    fn bytes(&self) -> usize {
        self.message().bytes()
    }
}

impl Weighed for Save {
    fn bytes(&self) -> usize {
        3 * SMALL_BYTES + self.delivery.timeline.len() * ENTRY_BYTES
    }
}

impl Weighed for ReceivedMessage {
    fn bytes(&self) -> usize {
        SMALL_BYTES + self.message.bytes() + self.touch.as_ref().map_or(0, Weighed::bytes)
    }
}

impl Weighed for Inbound {
    fn bytes(&self) -> usize {
        let events: usize = self.events.iter().map(Paged::bytes).sum();
        let statuses: usize = self.statuses.iter().map(Paged::bytes).sum();
        SMALL_BYTES + self.messages.bytes() + statuses + events
    }
}

impl Weighed for (MessageKey, Evidence) {
    fn bytes(&self) -> usize {
        2 * SMALL_BYTES
    }
}

impl Weighed for ConversationTouch {
    fn bytes(&self) -> usize {
        SMALL_BYTES + self.opening().bytes()
    }
}

impl Weighed for SpooledOutcome {
    fn bytes(&self) -> usize {
        2 * SMALL_BYTES
    }
}

impl Weighed for Enqueue {
    fn bytes(&self) -> usize {
        SMALL_BYTES
    }
}

impl Weighed for TenantId {
    fn bytes(&self) -> usize {
        SMALL_BYTES
    }
}

impl Weighed for PhoneNumberId {
    fn bytes(&self) -> usize {
        SMALL_BYTES
    }
}

impl Weighed for Advance {
    fn bytes(&self) -> usize {
        let exceptions = self.exceptions.iter().map(Paged::bytes).sum::<usize>();
        let waiting = size_of_val(&*self.progress.waiting);
        2 * SMALL_BYTES + exceptions + waiting + self.attempts.as_ref().map_or(0, Paged::bytes)
    }
}
