//! Departures.

use async_trait::async_trait;
use dakghar_core::domain::departure::Departure;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{DepartureId, TenantId, Timestamp};
use dakghar_core::ports::{DepartureStore, Saved, StoreError};

use super::{MemoryStore, first, page_of};

#[async_trait]
impl DepartureStore for MemoryStore {
    async fn insert_departure(&self, departure: &Departure) -> Result<Saved, StoreError> {
        self.with(|state| {
            let is_in_the_way = |known: &Departure| {
                let both_open = known.is_open() && departure.is_open();
                known.id == departure.id || (known.tenant_id == departure.tenant_id && both_open)
            };
            if state.departures.values().any(is_in_the_way) {
                return Saved::Stale;
            }
            state.departures.insert(departure.id, departure.clone());
            Saved::Done
        })
    }

    async fn save_departure(&self, departure: &Departure) -> Result<Saved, StoreError> {
        self.with(|state| match state.departures.get_mut(&departure.id) {
            Some(stored) if stored.version == departure.version => {
                *stored = Departure {
                    version: departure.version + 1,
                    ..departure.clone()
                };
                Saved::Done
            }
            _ => Saved::Stale,
        })
    }

    async fn find_departure(&self, tenant_id: &TenantId, id: &DepartureId) -> Result<Option<Departure>, StoreError> {
        self.with(|state| {
            let found = state.departures.get(id).cloned();
            found.filter(|departure| departure.tenant_id == *tenant_id)
        })
    }

    async fn list_departures(
        &self,
        tenant_id: &TenantId,
        before: Option<DepartureId>,
        limit: PageLimit,
    ) -> Result<Listed<Departure>, StoreError> {
        self.with(|state| {
            let own = state.departures.values().rev();
            let own = own.filter(|departure| departure.tenant_id == *tenant_id);
            let found = own.filter(|departure| before.is_none_or(|before| departure.id < before));
            page_of(found.cloned(), limit)
        })
    }

    async fn due_departures(&self, now: Timestamp, limit: u32) -> Result<Vec<Departure>, StoreError> {
        self.with(|state| {
            let is_due = |departure: &&Departure| departure.due_at().is_some_and(|at| at <= now);
            let mut due: Vec<Departure> = state.departures.values().filter(is_due).cloned().collect();
            due.sort_by_key(Departure::due_at);
            first(due.into_iter(), limit)
        })
    }

    async fn forget_departures(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.with(|state| {
            let is_old = |departure: &&Departure| departure.ended_at.is_some_and(|at| at < before);
            let old = state.departures.values().filter(is_old).map(|departure| departure.id);
            let old: Vec<DepartureId> = first(old, limit);
            for id in &old {
                state.departures.remove(id);
            }
            old.len() as u64
        })
    }
}
