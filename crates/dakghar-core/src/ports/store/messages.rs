//! Messages: accepted, received, loaded, and saved under the version that was read.

use async_trait::async_trait;

use super::{Saved, StoreError};
use crate::domain::conversation::ConversationTouch;
use crate::domain::ids::{IdempotencyKey, MessageId, MessageKey, PhoneNumberId, TenantId, Wamid};
use crate::domain::message::{Delivery, Message, Status};
use crate::domain::time::Timestamp;

/// What became of a message that was to be accepted.
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
    /// As it is to be stored, under the version that was read.
    pub delivery: Delivery,
}

impl From<&Message> for Save {
    fn from(message: &Message) -> Self {
        Self {
            key: message.key(),
            delivery: message.delivery.clone(),
        }
    }
}

/// What became of an inbound message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Stored.
    New,
    /// The same number received the same wamid before, as this message; nothing changed. `None` when that one cannot be
    /// read.
    Duplicate(Option<MessageKey>),
}

impl Received {
    /// What is left of a message's touch, now that it is known which message the store has: a conversation names its newest.
    /// The touch of a repetition counts for the message that it repeats, should the process have died between storing
    /// that one and moving the conversation.
    pub fn touch(self, mut touch: ConversationTouch) -> Option<ConversationTouch> {
        if let Self::Duplicate(first) = self {
            // Of another tenant when the number has changed hands: that one's conversation is not moved.
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
    /// `None` when nobody can be said to have written it.
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
    /// Stores outbound messages in one commit. Answers in the order of the batch; two with the same tenant and key
    /// in one batch end as one stored and one replay.
    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>>;

    /// Stores inbound messages in one commit, each once per number and wamid, and creates or moves forward their conversations
    /// (see [`Received::touch`]). `Ok` means that both are durable; a message with an error may be stored, and is received
    /// again.
    async fn receive(&self, batch: Vec<ReceivedMessage>) -> Vec<Result<Received, StoreError>>;

    /// The messages, in the order of the keys. A key of another tenant finds nothing; a message that cannot be read is
    /// `Corrupt` by itself.
    async fn load(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>>;

    /// Saves what delivery changed, in one commit, each if `delivery.version` is still the stored one. The caller
    /// raises its own copy's version by one after `Done`. A batch never names a message twice.
    async fn save(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>>;

    /// Saves claims, in one commit and with the answers of [`MessageStore::save`]. [`Message::claim`] is all that
    /// changed each message since it was loaded, so a store may write only that.
    async fn claim(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.save(batch).await
    }

    /// Outbound messages by the wamid Meta gave them, of this tenant and number only.
    async fn find_by_wamid(
        &self,
        refs: &[(TenantId, PhoneNumberId, Wamid)],
    ) -> Result<Vec<Option<MessageKey>>, StoreError>;

    /// The first message accepted under a key.
    async fn find_by_idempotency_key(
        &self,
        tenant_id: &TenantId,
        key: &IdempotencyKey,
    ) -> Result<Option<Message>, StoreError>;

    /// Whether a status webhook has arrived for a message of this number that was called after `called_after`.
    /// May look only at those 200 messages of the tenant that were accepted next after `message`, which a backlog
    /// sends next, and at the newest 200.
    async fn statuses_flow(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        called_after: Timestamp,
    ) -> Result<bool, StoreError>;
}
