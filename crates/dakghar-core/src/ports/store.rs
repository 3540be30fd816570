//! What must be durable.
//!
//! Three rules hold for every method here. An `Ok` means durable: fsynced, or acknowledged by a majority with its
//! journal. A save names the version that was read: whoever comes second gets [`Saved::Stale`] and starts again. And
//! what cannot be read (somebody broke it, or a later version wrote it) does not stop the rest: whatever answers many
//! leaves it out, says so in the log, and goes on behind it.

use async_trait::async_trait;

use crate::domain::conversation::{Conversation, ConversationTouch};
use crate::domain::ids::{
    ConversationId, EventId, IdempotencyKey, MessageId, MessageKey, PhoneNumberId, TenantId, WabaId, Wamid,
};
use crate::domain::message::{Delivery, Message, Status};
use crate::domain::page::MessageQuery;
use crate::domain::tenant::Tenant;
use crate::domain::time::Timestamp;
use crate::domain::webhook::WebhookEvent;

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time. The write may or may not have happened.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// It has no space left.
    #[error("the store is full: {0}")]
    Full(String),
    /// What it holds cannot be read, or it does not work as promised.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
}

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

/// What became of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Durable, now under the next version.
    Done,
    /// Somebody saved in between, or it does not exist any more; nothing changed.
    Stale,
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
    /// What is left of a message's touch, now that it is known which message the store has: a thread names its newest.
    /// The touch of a repetition counts for the message that it repeats, should the process have died between storing
    /// that one and moving the thread.
    pub fn touch(self, mut touch: ConversationTouch) -> Option<ConversationTouch> {
        if let Self::Duplicate(first) = self {
            // Of another tenant when the number has changed hands: that one's thread is not moved.
            touch.message_id = first.filter(|first| first.tenant_id == touch.tenant_id)?.message_id;
        }
        Some(touch)
    }
}

/// An inbound message, and what it does to its thread.
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

/// Messages and their threads.
#[async_trait]
pub trait MessageStore: Send + Sync {
    /// Whether messages may be claimed now. A store that cannot keep its promises at present says why not, and accepts
    /// nothing either. Asked often; answers from memory.
    fn may_claim(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Stores outbound messages in one commit. Answers in the order of the batch; two with the same tenant and key
    /// in one batch end as one stored and one replay.
    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>>;

    /// Stores inbound messages in one commit, each once per number and wamid, and creates or moves forward their threads
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

    /// Creates or moves forward threads, in one commit.
    async fn touch_conversations(&self, batch: &[ConversationTouch]) -> Result<(), StoreError>;

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

    /// Outbound messages whose timer is at or before `until`, the most overdue first. With `status`, only those.
    async fn due(&self, until: Timestamp, status: Option<Status>, limit: u32) -> Result<Vec<Message>, StoreError>;

    /// Sets the timer of the tenant's held messages (of one number, if named) to `at`. Answers how many.
    async fn wake_held(
        &self,
        tenant_id: &TenantId,
        phone_number_id: Option<&PhoneNumberId>,
        at: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Whether a status webhook has arrived for a message of this number that was called after `called_after`.
    /// May look only at those 200 messages of the tenant that were accepted next after `message`, which a backlog
    /// sends next, and at the newest 200.
    async fn statuses_flow(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        called_after: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The tenant's messages, newest first.
    async fn list(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Vec<Message>, StoreError>;

    /// Messages that ended as dead, failed or expired, of one tenant or (for the operator) of all, newest first,
    /// older than `before`.
    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError>;

    /// How many of the tenant's messages are not settled, counted up to `limit`.
    async fn count_unsettled(&self, tenant_id: &TenantId, limit: u32) -> Result<u32, StoreError>;

    /// The tenant's threads, the one with the newest message first; those after `before` (time and id of the last
    /// one on the previous page).
    async fn conversations(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError>;

    /// One thread.
    async fn conversation(&self, tenant_id: &TenantId, id: &ConversationId)
    -> Result<Option<Conversation>, StoreError>;

    /// Deletes up to `limit` of the tenant's messages, threads and events. Answers how many; 0 means nothing is left.
    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError>;
}

/// What became of a tenant that was to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantSaved {
    /// Durable, now under the next version.
    Done,
    /// Somebody saved in between, or it does not exist any more.
    Stale,
    /// This number belongs to another tenant.
    PhoneNumberTaken(PhoneNumberId),
}

/// Tenants and their numbers.
#[async_trait]
pub trait TenantStore: Send + Sync {
    /// Stores a new tenant (`version` 0) with its numbers; `Stale` when the id exists.
    async fn insert(&self, tenant: &Tenant) -> Result<TenantSaved, StoreError>;

    /// Saves a tenant whole, if `tenant.version` is still the stored one.
    async fn save(&self, tenant: &Tenant) -> Result<TenantSaved, StoreError>;

    /// The tenants, also those under removal, in the order of the ids; one that cannot be read is `Corrupt` by itself.
    async fn find_all(&self, ids: &[TenantId]) -> Vec<Result<Option<Tenant>, StoreError>>;

    /// One tenant, also one under removal.
    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.find_all(std::slice::from_ref(id)).await.pop().unwrap_or(Ok(None))
    }

    /// Tenants by id, older than `before`, newest first.
    async fn list(&self, before: Option<TenantId>, limit: u32) -> Result<Vec<Tenant>, StoreError>;

    /// Whose numbers these are, in the order asked.
    async fn owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Result<Vec<Option<TenantId>>, StoreError>;

    /// The tenants that have a number of this account.
    async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<TenantId>, StoreError>;

    /// Deletes the tenant itself, after its data was erased.
    async fn remove(&self, id: &TenantId) -> Result<(), StoreError>;

    /// Whether the store can be written now; the text says what is wrong.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// Webhook events that are neither messages nor statuses we could place.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Stores events in one commit; one with a known fingerprint is absorbed.
    async fn record(&self, batch: &[WebhookEvent]) -> Result<(), StoreError>;

    /// The events of a tenant, or with `None` the unrouted ones, newest first, older than `before`.
    async fn list(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<WebhookEvent>, StoreError>;
}
