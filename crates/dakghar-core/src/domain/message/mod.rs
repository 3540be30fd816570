//! A message and the protocol that carries it.
//!
//! [`Accepted`] never changes; [`Delivery`] is what sending, timers and Meta's reports change. Every change goes through
//! the methods in [`sending`], [`outcome`], [`waking`] (our own steps) and [`evidence`] (Meta's reports). A store only
//! keeps the result, and only if nobody else saved in between.

mod accepted;
mod delivery;
mod direction;
pub mod evidence;
pub mod outcome;
pub mod policy;
pub mod sending;
pub mod status;
pub mod timeline;
pub mod waking;

use super::ids::{ConversationId, MessageKey};

pub use super::pacing::Priority;
pub use super::retry::RetryPolicy;
pub use super::send_error::SendError;
pub use accepted::{Accepted, Content, Idempotency};
pub use delivery::{DeadReason, Delivery, Lease, TIMELINE_ENTRIES_MAX};
pub use direction::Direction;
pub use evidence::{Evidence, EvidenceStatus, Merged, WAMIDS_MAX};
pub use outcome::{Fenced, Recorded, SendOutcome};
pub use policy::{ATTEMPTS_MAX_DEFAULT, SendPolicy, Timings, UnknownOutcome};
pub use sending::{NotClaimable, NotRedrivable};
pub use status::{Rank, Status};
pub use timeline::{TimelineEntry, TimelineEvent};
pub use waking::{Surroundings, Woken};

/// A message in either direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Fixed when it was accepted or received.
    pub accepted: Accepted,
    /// Where it stands now.
    pub delivery: Delivery,
}

impl Message {
    /// The message and its owner.
    pub const fn key(&self) -> MessageKey {
        self.accepted.key()
    }

    /// The conversation it belongs to, or will belong to once it was called for; `None` when the other end is hidden.
    pub fn conversation(&self) -> Option<ConversationId> {
        self.accepted.conversation()
    }

    /// Whoever learns something about a call puts the message into its conversation, which was touched before the call.
    fn join_conversation(&mut self) {
        if self.delivery.conversation_id.is_none() {
            self.delivery.conversation_id = self.conversation();
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
