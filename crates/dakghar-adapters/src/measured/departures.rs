//! The port of departures, measured.

use async_trait::async_trait;
use dakghar_core::domain::departure::Departure;
use dakghar_core::domain::ids::{DepartureId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{DepartureStore, Saved, StoreError};

use super::store::MeasuredStore;

#[async_trait]
impl<S: DepartureStore> DepartureStore for MeasuredStore<S> {
    async fn insert_departure(&self, departure: &Departure) -> Result<Saved, StoreError> {
        let inserting = self.inner.insert_departure(departure);
        self.measure(StoreCall::DeparturesInsert, inserting).await
    }

    async fn save_departure(&self, departure: &Departure) -> Result<Saved, StoreError> {
        let saving = self.inner.save_departure(departure);
        self.measure(StoreCall::DeparturesSave, saving).await
    }

    async fn find_departure(&self, tenant_id: &TenantId, id: &DepartureId) -> Result<Option<Departure>, StoreError> {
        let finding = self.inner.find_departure(tenant_id, id);
        self.measure(StoreCall::DeparturesFind, finding).await
    }

    async fn list_departures(
        &self,
        tenant_id: &TenantId,
        before: Option<DepartureId>,
        limit: PageLimit,
    ) -> Result<Listed<Departure>, StoreError> {
        let listing = self.inner.list_departures(tenant_id, before, limit);
        self.measure(StoreCall::DeparturesList, listing).await
    }

    async fn due_departures(&self, now: Timestamp, limit: u32) -> Result<Vec<Departure>, StoreError> {
        let looking = self.inner.due_departures(now, limit);
        self.measure(StoreCall::DeparturesDue, looking).await
    }

    async fn forget_departures(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let forgetting = self.inner.forget_departures(before, limit);
        self.measure(StoreCall::DeparturesForget, forgetting).await
    }
}
