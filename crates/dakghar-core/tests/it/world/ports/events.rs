//! The kept events at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{Amendment, EventId, PhoneNumberId, TenantId, Wamid, WebhookEvent};
use dakghar_core::ports::{EventStore, StoreError};

use super::{Near, Shared, at_once};
use crate::world::wire::Call;

#[async_trait]
impl EventStore for Near {
    async fn record(&self, batch: &[WebhookEvent]) -> Result<(), StoreError> {
        let batch = batch.to_vec();
        let record = move |shared: &Shared| at_once(shared.store.record(&batch));
        self.once(Call::RecordEvents, record).await
    }

    async fn list(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<EventId>,
        limit: PageLimit,
    ) -> Result<Listed<WebhookEvent>, StoreError> {
        let tenant_id = tenant_id.copied();
        let list = move |shared: &Shared| at_once(EventStore::list(&*shared.store, tenant_id.as_ref(), before, limit));
        self.once(Call::Query, list).await
    }

    async fn find_events(
        &self,
        tenant_id: &TenantId,
        ids: &[EventId],
    ) -> Vec<Result<Option<WebhookEvent>, StoreError>> {
        let (tenant_id, ids) = (*tenant_id, ids.to_vec());
        let read = move |shared: &Shared| Ok(at_once(shared.store.find_events(&tenant_id, &ids)));
        self.once(Call::Query, read)
            .await
            .unwrap_or_else(|_: StoreError| Vec::new())
    }

    async fn amendments(
        &self,
        tenant_id: &TenantId,
        messages: &[(PhoneNumberId, Wamid)],
        each: u32,
    ) -> Result<Vec<Vec<Amendment>>, StoreError> {
        let (tenant_id, messages) = (*tenant_id, messages.to_vec());
        let find = move |shared: &Shared| at_once(shared.store.amendments(&tenant_id, &messages, each));
        self.once(Call::Query, find).await
    }
}
