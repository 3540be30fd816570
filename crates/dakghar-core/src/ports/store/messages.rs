//! Messages: accepted, received, loaded, and saved under the version that was read.

use async_trait::async_trait;

use super::{Saved, StoreError};
use crate::domain::conversation::ConversationTouch;
use crate::domain::feed::FeedEntry;
use crate::domain::ids::{IdempotencyKey, MessageId, MessageKey, PhoneNumberId, TenantId, Wamid};
use crate::domain::listening::CallSpan;
use crate::domain::message::{Delivery, Message, Status};

/// The bytes of messages at which [`MessageStore::load`] reads no more.
pub const LOAD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The result of storing an accepted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is durable.
    Stored,
    /// The tenant used this key before; nothing was stored.
    Replay {
        /// The first message under the key.
        message_id: MessageId,
        /// Its present status.
        status: Status,
        /// The fingerprint of the first request, to tell a repetition from a conflict.
        fingerprint: [u8; 32],
    },
}

/// A message's delivery, to be saved over the one that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Save {
    /// The message and its owner.
    pub key: MessageKey,
    /// The delivery to be stored, under the version that was read.
    pub delivery: Delivery,
    /// What its tenant is told of it, if and only if it is saved.
    pub entry: Option<FeedEntry>,
}

impl Save {
    /// Saves a message that had this status when it was read.
    pub fn after(was: Status, message: &Message) -> Self {
        Self {
            entry: FeedEntry::of_change(message, was),
            ..Self::quiet(message)
        }
    }

    /// Saves a message of which its tenant need not be told.
    pub fn quiet(message: &Message) -> Self {
        Self {
            key: message.key(),
            delivery: message.delivery.clone(),
            entry: None,
        }
    }
}

/// The result of storing an inbound message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Stored.
    New,
    /// The same number received the same wamid before, as this message. Nothing changed. `None` if that message cannot
    /// be read.
    Duplicate(Option<MessageKey>),
}

impl Received {
    /// Corrects a message's touch for the message that the store has: a conversation names its newest message. The
    /// touch of a repetition counts for the message that it repeats, because the process may have died between storing
    /// that message and moving the conversation.
    pub fn touch(self, mut touch: ConversationTouch) -> Option<ConversationTouch> {
        if let Self::Duplicate(first) = self {
            // The first message is of another tenant if the number has changed hands. That tenant's conversation is not
            // moved.
            touch.message_id = first.filter(|first| first.tenant_id == touch.tenant_id)?.message_id;
        }
        Some(touch)
    }
}

/// An inbound message, and what it does to its conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedMessage {
    /// The message.
    pub message: Message,
    /// `None` if the person who wrote it is unknown.
    pub touch: Option<ConversationTouch>,
}

impl From<Message> for ReceivedMessage {
    fn from(message: Message) -> Self {
        Self { message, touch: None }
    }
}

/// Messages in both directions.
#[async_trait]
pub trait MessageStore: Send + Sync {
    /// Stores outbound messages in one commit. Returns the results in the order of the batch. A message that is there
    /// already under its own id is `Stored` and stays as it is, so the insert of a message may be repeated when nobody
    /// knows whether it took effect. Two messages with the same tenant and key in one batch end as one stored and one replay. If the first message under a key cannot be
    /// read, the answer to its repetition is `Unreadable`, and nothing is stored.
    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>>;

    /// Stores inbound messages in one commit, each once per number and wamid. Creates their conversations or moves them
    /// forward (see [`Received::touch`]). A new one gets its entry in the feed in the same transaction. `Ok` means that both are durable. A message with an error may be stored, and
    /// is received again.
    async fn receive(&self, batch: Vec<ReceivedMessage>) -> Vec<Result<Received, StoreError>>;

    /// Returns the messages, in the order of the keys. A key of another tenant finds nothing. A message that cannot be
    /// read is `Unreadable` on its own. Once the messages that were read have [`LOAD_BYTES_MAX`], the others are
    /// `NotReadYet`; at least one is read.
    async fn load(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>>;

    /// Saves what delivery changed, in one commit, each if `delivery.version` is still the stored one. The caller
    /// raises its own copy's version by one after `Done`. A batch never names a message twice. A record that does not allow
    /// its change is `Unreadable` on its own.
    ///
    /// The entry of a message is written if and only if the message is saved. After an error, or if the caller dies, it may
    /// come later, when whoever gives places has found out which it is.
    ///
    /// The version of a message may be raised without another change, so that a save that comes too late is stale.
    async fn save(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>>;

    /// Saves claims, in one commit and with the results of [`MessageStore::save`]. [`Message::claim`] is the only
    /// change of each message since it was loaded, so a store may write only that. A claim has no entry.
    async fn claim(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.save(batch).await
    }

    /// Returns outbound messages by their number and the wamid that Meta gave them, of whatever tenant sent them. The
    /// newest one, if several have it. One whose owner cannot be read is not found.
    async fn find_by_wamid(&self, refs: &[(PhoneNumberId, Wamid)]) -> Result<Vec<Option<MessageKey>>, StoreError>;

    /// Returns the first message accepted under a key.
    async fn find_by_idempotency_key(
        &self,
        tenant_id: &TenantId,
        key: &IdempotencyKey,
    ) -> Result<Option<Message>, StoreError>;

    /// True if a message of this number shows that statuses of calls in this time arrive (see
    /// [`CallSpan::is_shown_by`]). May look only at three groups of the tenant's messages: the 200 accepted last before
    /// `message` and the 200 accepted next after it, which a backlog sends next to it, and the newest 200.
    async fn statuses_arrived(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        calls: CallSpan,
    ) -> Result<bool, StoreError>;
}
