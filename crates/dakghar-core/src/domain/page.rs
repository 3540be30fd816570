//! Lists, page by page, newest first.

use super::conversation::Conversation;
use super::ids::{ConversationId, MessageId, PhoneNumberId, WaId};
use super::message::{Direction, Status};
use super::time::Timestamp;
use std::sync::Arc;

/// Items on a page unless the client says otherwise.
pub const PAGE_ITEMS_DEFAULT: u32 = 50;
/// Items on a page at most.
pub const PAGE_ITEMS_MAX: u32 = 200;

/// Which messages of a tenant to list. Every filter that is set must match. Newest first, by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageQuery {
    /// Only this direction.
    pub direction: Option<Direction>,
    /// Only this status.
    pub status: Option<Status>,
    /// Only this type, in Meta's words.
    pub kind: Option<Arc<str>>,
    /// Only from or to this person, as a key (digits without `+`).
    pub peer_id: Option<WaId>,
    /// Only of this number.
    pub phone_number_id: Option<PhoneNumberId>,
    /// Only of this thread; set by [`Self::of_thread`], which names its person and number too.
    pub conversation_id: Option<ConversationId>,
    /// Only created at or after this.
    pub since: Option<Timestamp>,
    /// Only created before this.
    pub until: Option<Timestamp>,
    /// Only older (smaller) than this id: where the previous page ended.
    pub before: Option<MessageId>,
    /// Items at most, 1 to [`PAGE_ITEMS_MAX`].
    pub limit: u32,
}

impl MessageQuery {
    /// Narrowed to the messages of one thread; `None` when no message of it fits the filters set before.
    ///
    /// Stores have no index of threads. They go along the messages of the person, most of which are of this thread.
    pub fn of_thread(mut self, thread: &Conversation) -> Option<Self> {
        let fits = self.peer_id.as_ref().is_none_or(|peer_id| *peer_id == thread.wa_id)
            && self
                .phone_number_id
                .as_ref()
                .is_none_or(|id| *id == thread.phone_number_id);
        self.peer_id = Some(thread.wa_id.clone());
        self.phone_number_id = Some(thread.phone_number_id.clone());
        self.conversation_id = Some(thread.id);
        fits.then_some(self)
    }
}
