//! Messages and their threads.

mod accepting;
mod conversations;
mod erasing;
mod lists;
mod lookups;
mod receiving;
mod saving;
mod timers;

use async_trait::async_trait;
use dakghar_core::domain::conversation::{Conversation, ConversationTouch};
use dakghar_core::domain::ids::{
    ConversationId, IdempotencyKey, MessageId, MessageKey, PhoneNumberId, TenantId, Wamid,
};
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::domain::page::MessageQuery;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{Acceptance, MessageStore, Received, ReceivedMessage, Save, Saved, StoreError};

use super::MongoStore;

#[async_trait]
impl MessageStore for MongoStore {
    fn may_claim(&self) -> Result<(), StoreError> {
        self.promises.hold()
    }

    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>> {
        self.accept_messages(&batch).await
    }

    async fn receive(&self, batch: Vec<ReceivedMessage>) -> Vec<Result<Received, StoreError>> {
        self.receive_with_threads(batch).await
    }

    async fn load(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>> {
        self.load_messages(keys).await
    }

    async fn save(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.save_messages(batch).await
    }

    async fn claim(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.save_claims(batch).await
    }

    async fn touch_conversations(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        self.touch_threads(batch).await
    }

    async fn find_by_wamid(
        &self,
        refs: &[(TenantId, PhoneNumberId, Wamid)],
    ) -> Result<Vec<Option<MessageKey>>, StoreError> {
        self.keys_by_wamid(refs).await
    }

    async fn find_by_idempotency_key(
        &self,
        tenant_id: &TenantId,
        key: &IdempotencyKey,
    ) -> Result<Option<Message>, StoreError> {
        self.message_by_idempotency_key(tenant_id, key).await
    }

    async fn due(&self, until: Timestamp, status: Option<Status>, limit: u32) -> Result<Vec<Message>, StoreError> {
        self.due_messages(until, status, limit).await
    }

    async fn wake_held(
        &self,
        tenant_id: &TenantId,
        phone_number_id: Option<&PhoneNumberId>,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.wake_held_messages(tenant_id, phone_number_id, at).await
    }

    async fn statuses_flow(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        called_after: Timestamp,
    ) -> Result<bool, StoreError> {
        self.statuses_have_arrived(message, phone_number_id, called_after).await
    }

    async fn list(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Vec<Message>, StoreError> {
        self.list_messages(tenant_id, query).await
    }

    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        self.list_dead_letters(tenant_id, before, limit).await
    }

    async fn count_unsettled(&self, tenant_id: &TenantId, limit: u32) -> Result<u32, StoreError> {
        self.count_unsettled_messages(tenant_id, limit).await
    }

    async fn conversations(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError> {
        self.list_threads(tenant_id, before, limit).await
    }

    async fn conversation(
        &self,
        tenant_id: &TenantId,
        id: &ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        self.find_thread(tenant_id, id).await
    }

    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError> {
        self.erase_tenant_data(tenant_id, limit).await
    }
}
