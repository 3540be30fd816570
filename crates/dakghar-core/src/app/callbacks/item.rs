//! Entries on their way to an endpoint.

use super::record_bytes::HeldBytes;
use crate::app::feed::FeedItem;
use crate::domain::feed::PlacedEntry;
use crate::domain::{ConversationId, PhoneNumberId, Place, ReplayId, Timestamp};

/// What is delivered in order: a conversation, and whether it is replayed. Live entries do not wait for replayed ones.
pub(super) type Line = (ConversationId, bool);

/// Where an entry was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The feed.
    Feed,
    /// The exceptions.
    Exceptions,
    /// What a replay is about.
    Replay(ReplayId),
}

/// An entry with its record, on its way.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) feed: FeedItem,
    pub(super) source: Source,
    /// Where the endpoint wants conversations in order.
    pub(super) conversation_id: Option<ConversationId>,
    /// Attempts before.
    pub(super) attempts: u32,
    /// When the first of them failed.
    pub(super) since: Option<Timestamp>,
    pub(super) is_replay: bool,
    pub(super) _held: HeldBytes,
}

impl Item {
    pub(super) const fn place(&self) -> Place {
        self.feed.place
    }

    /// The line that it stands in.
    pub(super) fn line(&self) -> Option<Line> {
        self.conversation_id.map(|id| (id, self.is_replay))
    }

    pub(super) fn placed(&self) -> PlacedEntry {
        PlacedEntry {
            place: self.feed.place,
            entry: self.feed.entry.clone(),
        }
    }
}

/// The business number that an entry is about, and the conversation.
pub(super) fn about(item: &FeedItem) -> (Option<PhoneNumberId>, Option<ConversationId>) {
    let message = item.message();
    (
        item.phone_number_id().cloned(),
        message.and_then(crate::domain::Message::conversation),
    )
}
