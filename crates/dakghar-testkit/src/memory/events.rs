//! Webhook events.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{Amendment, EventId, PhoneNumberId, TenantId, Wamid, WebhookEvent};
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

    async fn amendments(
        &self,
        tenant_id: &TenantId,
        messages: &[(PhoneNumberId, Wamid)],
        each: u32,
    ) -> Result<Vec<Vec<Amendment>>, StoreError> {
        self.with(|state| {
            let of_message = |(number, wamid): &(PhoneNumberId, Wamid)| {
                let events = state.events.values().filter(|event| {
                    event.tenant_id == Some(*tenant_id) && event.phone_number_id.as_ref() == Some(number)
                });
                let amends = events.filter_map(|event| event.amends.clone());
                Amendment::strongest(amends.filter(|amends| amends.of == *wamid).collect(), each)
            };
            messages.iter().map(of_message).collect()
        })
    }
}
