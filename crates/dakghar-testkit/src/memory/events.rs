//! Webhook events.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit, Paged};
use dakghar_core::domain::{Amendment, EventId, FeedEntry, PhoneNumberId, TenantId, Wamid, WebhookEvent};
use dakghar_core::ports::{EventStore, LOAD_BYTES_MAX, StoreError};

use super::{MemoryStore, State, page_of};

impl State {
    /// Stores events that are not known yet, with their entries.
    pub(super) fn record_events(&mut self, batch: &[WebhookEvent]) {
        for event in batch {
            let mut known = self.events.values();
            if !known.any(|known| known.fingerprint == event.fingerprint) {
                self.events.insert(event.id, event.clone());
                if let Some(entry) = FeedEntry::of_event(event) {
                    self.feeds.tell(entry);
                }
            }
        }
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn record(&self, batch: &[WebhookEvent]) -> Result<(), StoreError> {
        self.with(|state| state.record_events(batch))
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

    async fn find_events(
        &self,
        tenant_id: &TenantId,
        ids: &[EventId],
    ) -> Vec<Result<Option<WebhookEvent>, StoreError>> {
        let mut bytes = 0;
        let found = self.with_each(ids, |state, id| {
            if bytes >= LOAD_BYTES_MAX {
                return Err(StoreError::NotReadYet);
            }
            let event = state.events.get(id).filter(|event| event.tenant_id == Some(*tenant_id));
            bytes += event.map_or(0, Paged::bytes);
            Ok(event.cloned())
        });
        found.into_iter().map(Result::flatten).collect()
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
