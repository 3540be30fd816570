//! The ports of everything but messages, measured.

use async_trait::async_trait;
use dakghar_core::domain::amendment::Amendment;
use dakghar_core::domain::api_key::KeyUse;
use dakghar_core::domain::conversation::{Conversation, ConversationTouch, WindowOpening};
use dakghar_core::domain::endpoint::Endpoint;
use dakghar_core::domain::hold::{SendingHold, UnsettledCount};
use dakghar_core::domain::ids::{
    AppId, ConversationId, EndpointId, EventId, PhoneNumberId, TenantId, WaId, WabaId, Wamid,
};
use dakghar_core::domain::listening::Listener;
use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::tenant::Tenant;
use dakghar_core::domain::time::{Present, Timestamp};
use dakghar_core::domain::webhook::WebhookEvent;
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{
    AgedPortion, AppStore, ConversationStore, EndpointInserted, EndpointStore, ErasedPortion, Erasure, EventStore,
    HoldStore, ListenerStore, Saved, StoreError, StoreHealth, TenantSaved, TenantStore,
};

use super::store::MeasuredStore;

#[async_trait]
impl<S: ConversationStore> ConversationStore for MeasuredStore<S> {
    async fn touch(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        self.measure(StoreCall::ConversationsTouch, self.inner.touch(batch))
            .await
    }

    async fn open_windows(&self, batch: &[WindowOpening]) -> Result<Vec<bool>, StoreError> {
        let opening = self.inner.open_windows(batch);
        self.measure(StoreCall::ConversationsOpenWindows, opening).await
    }

    async fn list(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: PageLimit,
    ) -> Result<Listed<Conversation>, StoreError> {
        let listing = self.inner.list(tenant_id, before, limit);
        self.measure(StoreCall::ConversationsList, listing).await
    }

    async fn of_people(&self, tenant_id: &TenantId, ids: &[WaId], limit: u32) -> Result<Vec<Conversation>, StoreError> {
        let finding = self.inner.of_people(tenant_id, ids, limit);
        self.measure(StoreCall::ConversationsOfPeople, finding).await
    }

    async fn find(&self, tenant_id: &TenantId, id: &ConversationId) -> Result<Option<Conversation>, StoreError> {
        let finding = self.inner.find(tenant_id, id);
        self.measure(StoreCall::ConversationsFind, finding).await
    }
}

#[async_trait]
impl<S: TenantStore> TenantStore for MeasuredStore<S> {
    async fn insert(&self, tenant: &Tenant) -> Result<TenantSaved, StoreError> {
        self.measure(StoreCall::TenantsInsert, self.inner.insert(tenant)).await
    }

    async fn note_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError> {
        self.measure(StoreCall::TenantsNoteKeyUses, self.inner.note_key_uses(uses))
            .await
    }

    async fn save(&self, tenant: &Tenant, told: &[WebhookEvent]) -> Result<TenantSaved, StoreError> {
        self.measure(StoreCall::TenantsSave, self.inner.save(tenant, told))
            .await
    }

    async fn find_all(&self, ids: &[TenantId]) -> Vec<Result<Option<Tenant>, StoreError>> {
        self.measure(StoreCall::TenantsFindAll, self.inner.find_all(ids)).await
    }

    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.measure(StoreCall::TenantsFind, self.inner.find(id)).await
    }

    async fn list(&self, before: Option<TenantId>, limit: PageLimit) -> Result<Listed<Tenant>, StoreError> {
        self.measure(StoreCall::TenantsList, self.inner.list(before, limit))
            .await
    }

    async fn owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Vec<Result<Option<TenantId>, StoreError>> {
        let finding = self.inner.owners_of_numbers(numbers);
        self.measure(StoreCall::TenantsOwnersOfNumbers, finding).await
    }

    async fn past_owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Result<Vec<Vec<TenantId>>, StoreError> {
        let finding = self.inner.past_owners_of_numbers(numbers);
        self.measure(StoreCall::TenantsPastOwnersOfNumbers, finding).await
    }

    async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<TenantId>, StoreError> {
        let finding = self.inner.owners_of_waba(waba_id);
        self.measure(StoreCall::TenantsOwnersOfWaba, finding).await
    }

    async fn remove(&self, id: &TenantId) -> Result<(), StoreError> {
        self.measure(StoreCall::TenantsRemove, self.inner.remove(id)).await
    }
}

#[async_trait]
impl<S: EventStore> EventStore for MeasuredStore<S> {
    async fn record(&self, batch: &[WebhookEvent]) -> Result<(), StoreError> {
        self.measure(StoreCall::EventsRecord, self.inner.record(batch)).await
    }

    async fn list(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<EventId>,
        limit: PageLimit,
    ) -> Result<Listed<WebhookEvent>, StoreError> {
        let listing = self.inner.list(tenant_id, before, limit);
        self.measure(StoreCall::EventsList, listing).await
    }

    async fn find_events(
        &self,
        tenant_id: &TenantId,
        ids: &[EventId],
    ) -> Vec<Result<Option<WebhookEvent>, StoreError>> {
        let finding = self.inner.find_events(tenant_id, ids);
        self.measure(StoreCall::EventsFind, finding).await
    }

    async fn amendments(
        &self,
        tenant_id: &TenantId,
        messages: &[(PhoneNumberId, Wamid)],
        each: u32,
    ) -> Result<Vec<Vec<Amendment>>, StoreError> {
        let finding = self.inner.amendments(tenant_id, messages, each);
        self.measure(StoreCall::EventsAmendments, finding).await
    }
}

#[async_trait]
impl<S: ListenerStore> ListenerStore for MeasuredStore<S> {
    async fn keep_listener(&self, listener: &Listener) -> Result<(), StoreError> {
        self.measure(StoreCall::ListenersKeep, self.inner.keep_listener(listener))
            .await
    }

    async fn listeners(&self) -> Result<Vec<Listener>, StoreError> {
        self.measure(StoreCall::ListenersAll, self.inner.listeners()).await
    }

    async fn forget_listeners(&self, before: Timestamp) -> Result<(), StoreError> {
        self.measure(StoreCall::ListenersForget, self.inner.forget_listeners(before))
            .await
    }
}

#[async_trait]
impl<S: AppStore> AppStore for MeasuredStore<S> {
    async fn insert_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        self.measure(StoreCall::AppsInsert, self.inner.insert_app(app)).await
    }

    async fn save_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        self.measure(StoreCall::AppsSave, self.inner.save_app(app)).await
    }

    async fn find_app(&self, id: &AppId) -> Result<Option<MetaApp>, StoreError> {
        self.measure(StoreCall::AppsFind, self.inner.find_app(id)).await
    }

    async fn apps(&self) -> Result<Vec<Result<MetaApp, StoreError>>, StoreError> {
        self.measure(StoreCall::AppsAll, self.inner.apps()).await
    }

    async fn remove_app(&self, id: &AppId) -> Result<bool, StoreError> {
        self.measure(StoreCall::AppsRemove, self.inner.remove_app(id)).await
    }
}

#[async_trait]
impl<S: EndpointStore> EndpointStore for MeasuredStore<S> {
    async fn insert_endpoint(&self, endpoint: &Endpoint) -> Result<EndpointInserted, StoreError> {
        self.measure(StoreCall::EndpointsInsert, self.inner.insert_endpoint(endpoint))
            .await
    }

    async fn save_endpoint(&self, endpoint: &Endpoint) -> Result<Saved, StoreError> {
        self.measure(StoreCall::EndpointsSave, self.inner.save_endpoint(endpoint))
            .await
    }

    async fn find_endpoint(&self, tenant_id: &TenantId, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        self.measure(StoreCall::EndpointsFind, self.inner.find_endpoint(tenant_id, id))
            .await
    }

    async fn endpoints_of(&self, tenants: &[TenantId]) -> Result<Vec<Endpoint>, StoreError> {
        self.measure(StoreCall::EndpointsOf, self.inner.endpoints_of(tenants))
            .await
    }

    async fn endpoints(&self, after: Option<EndpointId>, limit: PageLimit) -> Result<Listed<Endpoint>, StoreError> {
        self.measure(StoreCall::EndpointsAll, self.inner.endpoints(after, limit))
            .await
    }

    async fn remove_endpoint(
        &self,
        tenant_id: &TenantId,
        id: &EndpointId,
        version: Option<u64>,
    ) -> Result<bool, StoreError> {
        let removing = self.inner.remove_endpoint(tenant_id, id, version);
        self.measure(StoreCall::EndpointsRemove, removing).await
    }
}

#[async_trait]
impl<S: HoldStore> HoldStore for MeasuredStore<S> {
    async fn sending_hold(&self) -> Result<Option<SendingHold>, StoreError> {
        self.measure(StoreCall::HoldsSendingHold, self.inner.sending_hold())
            .await
    }

    async fn keep_sending_hold(&self, hold: Option<SendingHold>) -> Result<(), StoreError> {
        self.measure(StoreCall::HoldsKeepSendingHold, self.inner.keep_sending_hold(hold))
            .await
    }

    async fn unsettled_by_number(&self, present: Present, limit: u32) -> Result<Vec<UnsettledCount>, StoreError> {
        let counting = self.inner.unsettled_by_number(present, limit);
        self.measure(StoreCall::HoldsUnsettledByNumber, counting).await
    }
}

#[async_trait]
impl<S: StoreHealth> StoreHealth for MeasuredStore<S> {
    async fn ping(&self) -> Result<(), StoreError> {
        self.measure(StoreCall::HealthPing, self.inner.ping()).await
    }

    /// Asks memory only, so there is nothing to measure.
    fn may_claim(&self) -> Result<(), StoreError> {
        self.inner.may_claim()
    }

    /// Asks memory only, so there is nothing to measure.
    fn stopped(&self) -> Option<String> {
        self.inner.stopped()
    }
}

#[async_trait]
impl<S: Erasure> Erasure for MeasuredStore<S> {
    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError> {
        self.measure(StoreCall::ErasureErase, self.inner.erase(tenant_id, limit))
            .await
    }

    async fn left_behind(&self, limit: u32) -> Result<Vec<TenantId>, StoreError> {
        self.measure(StoreCall::ErasureLeftBehind, self.inner.left_behind(limit))
            .await
    }

    async fn erase_aged(&self, portion: &AgedPortion) -> Result<ErasedPortion, StoreError> {
        self.measure(StoreCall::ErasureEraseAged, self.inner.erase_aged(portion))
            .await
    }

    async fn retention_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.measure(StoreCall::ErasureRetentionTime, self.inner.retention_time())
            .await
    }

    async fn keep_retention_time(&self, at: Timestamp) -> Result<(), StoreError> {
        let keeping = self.inner.keep_retention_time(at);
        self.measure(StoreCall::ErasureKeepRetentionTime, keeping).await
    }
}
