//! Departures at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::departure::Departure;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{DepartureId, TenantId, Timestamp};
use dakghar_core::ports::{DepartureStore, Saved, StoreError};

use super::{Near, at_once};
use crate::world::wire::Call;

#[async_trait]
impl DepartureStore for Near {
    async fn insert_departure(&self, departure: &Departure) -> Result<Saved, StoreError> {
        let departure = departure.clone();
        self.once(Call::Departure, move |shared| {
            at_once(shared.store.insert_departure(&departure))
        })
        .await
    }

    async fn save_departure(&self, departure: &Departure) -> Result<Saved, StoreError> {
        let departure = departure.clone();
        self.once(Call::Departure, move |shared| {
            at_once(shared.store.save_departure(&departure))
        })
        .await
    }

    async fn find_departure(&self, tenant_id: &TenantId, id: &DepartureId) -> Result<Option<Departure>, StoreError> {
        let (tenant_id, id) = (*tenant_id, *id);
        self.once(Call::Query, move |shared| {
            at_once(shared.store.find_departure(&tenant_id, &id))
        })
        .await
    }

    async fn list_departures(
        &self,
        tenant_id: &TenantId,
        before: Option<DepartureId>,
        limit: PageLimit,
    ) -> Result<Listed<Departure>, StoreError> {
        let tenant_id = *tenant_id;
        self.once(Call::Query, move |shared| {
            at_once(shared.store.list_departures(&tenant_id, before, limit))
        })
        .await
    }

    async fn due_departures(&self, now: Timestamp, limit: u32) -> Result<Vec<Departure>, StoreError> {
        self.once(Call::Query, move |shared| {
            at_once(shared.store.due_departures(now, limit))
        })
        .await
    }

    async fn forget_departures(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.once(Call::Query, move |shared| {
            at_once(shared.store.forget_departures(before, limit))
        })
        .await
    }
}
