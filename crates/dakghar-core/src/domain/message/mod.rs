//! A message and the protocol that carries it.
//!
//! [`Accepted`] never changes, but that its content is removed when it is old. [`Delivery`] is changed by sending, timers
//! and Meta's reports. Every change goes through the methods in [`sending`], [`outcome`], [`waking`] (our own steps) and
//! [`evidence`] (Meta's reports). A store only keeps the result, and only if no other writer saved first.

mod accepted;
mod ahead;
mod dead_letter;
mod delivery;
mod direction;
pub mod evidence;
mod origin;
pub mod outcome;
pub mod policy;
mod readiness;
mod receipt;
mod reference;
pub mod report;
pub mod sending;
pub mod status;
mod terms;
pub mod timeline;
mod waits;
pub mod waking;

use super::conversation::ConversationTouch;
use super::ids::{ConversationId, MessageKey};
use super::time::Timestamp;

pub use super::pacing::Priority;
pub use super::retry::RetryPolicy;
pub use super::send_error::SendError;
pub use accepted::{Accepted, Content, Idempotency, REMOVED_BODY};
pub use dead_letter::{DeadLetter, LetterClass};
pub use delivery::{DeadReason, Delivery, ReportedStatus, SentStatus, TIMELINE_ENTRIES_MAX};
pub use direction::Direction;
pub use evidence::{Evidence, EvidenceStatus, Merged, WAMIDS_MAX};
pub use origin::Origin;
pub use outcome::{Fenced, HOST_UNREACHABLE, NotSentCause, Recorded, SendOutcome};
pub use policy::{ATTEMPTS_MAX_DEFAULT, SendPolicy, Timings, UnknownOutcome};
pub use receipt::Receipt;
pub use reference::Named;
pub use report::{Reported, Standing, StatusRecord};
pub use sending::{NotClaimable, NotRedrivable, RedriveOptions};
pub use status::{Rank, Status};
pub use terms::Terms;
pub use timeline::{TimelineEntry, TimelineEvent};
pub use waits::Wait;
pub use waking::{Silence, Surroundings, Woken};

/// A message in either direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The part fixed at acceptance or receipt.
    pub accepted: Accepted,
    /// Its state now.
    pub delivery: Delivery,
}

impl Message {
    /// Returns the message's key: its id and its owner.
    pub const fn key(&self) -> MessageKey {
        self.accepted.key()
    }

    /// Returns the conversation it belongs to, or will belong to after its first call; `None` if the other end is
    /// hidden.
    pub fn conversation(&self) -> Option<ConversationId> {
        self.accepted.conversation()
    }

    /// True if it was reported by Meta, and not given to us to be sent. Such a message is known by its wamid, may have been
    /// edited or revoked by who wrote it, and is never sent by us.
    pub fn is_reported(&self) -> bool {
        self.accepted.origin != Origin::Client
    }

    /// Returns the date before which the client does not want it sent, if it named one.
    pub fn send_at(&self) -> Option<Timestamp> {
        let accepted = self.delivery.timeline.first()?;
        accepted.until.filter(|_| accepted.event == TimelineEvent::Accepted)
    }

    /// Returns what it does to its conversation at this time; `None` if the other end is hidden.
    pub fn touch(&self, at: Timestamp, opens_window: bool) -> Option<ConversationTouch> {
        Some(ConversationTouch {
            id: self.conversation()?,
            tenant_id: self.accepted.tenant_id,
            phone_number_id: self.accepted.phone_number_id.clone(),
            kind: self.accepted.conversation_kind,
            wa_id: self.accepted.peer_id.clone()?,
            message_id: self.accepted.id,
            at,
            opens_window,
            also: Vec::new(),
            name: None,
        })
    }

    /// Puts the message into its conversation, which was touched before the call. Called wherever something becomes
    /// known about a call.
    fn join_conversation(&mut self) {
        if self.delivery.conversation_id.is_none() {
            self.delivery.conversation_id = self.conversation();
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
