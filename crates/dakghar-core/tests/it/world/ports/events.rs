//! The kept events at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{EventId, TenantId, WebhookEvent};
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
}
