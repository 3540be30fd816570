//! Lists, page by page, newest first.

mod fill;

pub use fill::{Listed, PAGE_BYTES_MAX, PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, PAGE_TIME_MAX, PageFill, PageLimit, Paged};

use super::conversation::Conversation;
use super::ids::{ConversationId, MessageId, PhoneNumberId, WaId};
use super::message::{Direction, Status};
use super::time::Timestamp;
use std::sync::Arc;

/// A query for messages of a tenant, newest first, by id. Every filter that is set must match.
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
    /// Only of this conversation. Set by [`Self::of_conversation`], which also sets its person and number.
    pub conversation_id: Option<ConversationId>,
    /// Only created at or after this.
    pub since: Option<Timestamp>,
    /// Only created before this.
    pub until: Option<Timestamp>,
    /// Only older (smaller) than this id: the end of the previous page.
    pub before: Option<MessageId>,
    /// The end of the page.
    pub limit: PageLimit,
}

impl MessageQuery {
    /// Narrows the query to the messages of one conversation. Returns `None` if no message of it fits the filters set
    /// before.
    ///
    /// Stores have no index of conversations. They scan the messages of the person, most of which are of this
    /// conversation.
    pub fn of_conversation(mut self, conversation: &Conversation) -> Option<Self> {
        let fits = self
            .peer_id
            .as_ref()
            .is_none_or(|peer_id| *peer_id == conversation.wa_id)
            && self
                .phone_number_id
                .as_ref()
                .is_none_or(|id| *id == conversation.phone_number_id);
        self.peer_id = Some(conversation.wa_id.clone());
        self.phone_number_id = Some(conversation.phone_number_id.clone());
        self.conversation_id = Some(conversation.id);
        fits.then_some(self)
    }
}
