//! Webhook events.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{EventId, TenantId, WebhookEvent};
use dakghar_core::ports::{EventStore, StoreError};

use super::{MemoryStore, page_of};

#[async_trait]
impl EventStore for MemoryStore {
    async fn record(&self, batch: &[WebhookEvent]) -> Result<(), StoreError> {
        self.with(|state| {
            for event in batch {
                let mut known = state.events.values();
                if !known.any(|known| known.fingerprint == event.fingerprint) {
                    state.events.insert(event.id, event.clone());
                }
            }
        })
    }

    async fn list(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<EventId>,
        limit: PageLimit,
    ) -> Result<Listed<WebhookEvent>, StoreError> {
        self.with(|state| {
            let found = state
                .events
                .values()
                .rev()
                .filter(|event| event.tenant_id.as_ref() == tenant_id)
                .filter(|event| before.is_none_or(|before| event.id < before));
            page_of(found.cloned(), limit)
        })
    }
}
