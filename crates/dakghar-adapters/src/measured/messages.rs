//! The ports of messages, measured.

use async_trait::async_trait;
use dakghar_core::domain::ids::{IdempotencyKey, MessageId, MessageKey, PhoneNumberId, TenantId, Wamid};
use dakghar_core::domain::listening::CallSpan;
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::domain::page::{Listed, MessageQuery, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{
    Acceptance, ListStore, MessageStore, QueueEntry, Received, ReceivedMessage, Save, Saved, StoreError, TimerStore,
};

use super::store::MeasuredStore;

#[async_trait]
impl<S: MessageStore> MessageStore for MeasuredStore<S> {
    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>> {
        self.measure(StoreCall::MessagesAccept, self.inner.accept(batch)).await
    }

    async fn receive(&self, batch: Vec<ReceivedMessage>) -> Vec<Result<Received, StoreError>> {
        self.measure(StoreCall::MessagesReceive, self.inner.receive(batch))
            .await
    }

    async fn load(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>> {
        self.measure(StoreCall::MessagesLoad, self.inner.load(keys)).await
    }

    async fn save(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.measure(StoreCall::MessagesSave, self.inner.save(batch)).await
    }

    async fn claim(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.measure(StoreCall::MessagesClaim, self.inner.claim(batch)).await
    }

    async fn know_by_gateway_id(&self, key: &MessageKey) -> Result<bool, StoreError> {
        let noting = self.inner.know_by_gateway_id(key);
        self.measure(StoreCall::MessagesKnowByGatewayId, noting).await
    }

    async fn find_by_wamid(&self, refs: &[(PhoneNumberId, Wamid)]) -> Result<Vec<Option<MessageKey>>, StoreError> {
        let finding = self.inner.find_by_wamid(refs);
        self.measure(StoreCall::MessagesFindByWamid, finding).await
    }

    async fn find_by_idempotency_key(
        &self,
        tenant_id: &TenantId,
        key: &IdempotencyKey,
    ) -> Result<Option<Message>, StoreError> {
        let finding = self.inner.find_by_idempotency_key(tenant_id, key);
        self.measure(StoreCall::MessagesFindByIdempotencyKey, finding).await
    }

    async fn statuses_arrived(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        calls: CallSpan,
    ) -> Result<bool, StoreError> {
        let looking = self.inner.statuses_arrived(message, phone_number_id, calls);
        self.measure(StoreCall::MessagesStatusesArrived, looking).await
    }
}

#[async_trait]
impl<S: TimerStore> TimerStore for MeasuredStore<S> {
    async fn due(&self, until: Timestamp, status: Option<Status>, limit: u32) -> Result<Vec<Message>, StoreError> {
        let finding = self.inner.due(until, status, limit);
        self.measure(StoreCall::TimersDue, finding).await
    }

    async fn ahead(&self, of: Timestamp, limit: u32) -> Result<Vec<Message>, StoreError> {
        let finding = self.inner.ahead(of, limit);
        self.measure(StoreCall::TimersAhead, finding).await
    }

    async fn released(&self, until: Timestamp, limit: u32) -> Result<Vec<QueueEntry>, StoreError> {
        let finding = self.inner.released(until, limit);
        self.measure(StoreCall::TimersReleased, finding).await
    }

    async fn wake_held(
        &self,
        tenant_id: &TenantId,
        phone_number_id: Option<&PhoneNumberId>,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let waking = self.inner.wake_held(tenant_id, phone_number_id, at);
        self.measure(StoreCall::TimersWakeHeld, waking).await
    }
}

#[async_trait]
impl<S: ListStore> ListStore for MeasuredStore<S> {
    async fn messages(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Listed<Message>, StoreError> {
        let listing = self.inner.messages(tenant_id, query);
        self.measure(StoreCall::ListsMessages, listing).await
    }

    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: PageLimit,
    ) -> Result<Listed<Message>, StoreError> {
        let listing = self.inner.dead_letters(tenant_id, before, limit);
        self.measure(StoreCall::ListsDeadLetters, listing).await
    }

    async fn count_unsettled(&self, tenants: &[(TenantId, u32)]) -> Result<Vec<u32>, StoreError> {
        let counting = self.inner.count_unsettled(tenants);
        self.measure(StoreCall::ListsCountUnsettled, counting).await
    }
}
