//! The port of erasures of people, measured.

use async_trait::async_trait;
use dakghar_core::domain::erasure::PersonErasure;
use dakghar_core::domain::ids::{ErasureId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{PersonErased, PersonErasureStore, PersonPortion, Remains, Saved, StoreError};

use super::store::MeasuredStore;

#[async_trait]
impl<S: PersonErasureStore> PersonErasureStore for MeasuredStore<S> {
    async fn insert_erasure(&self, erasure: &PersonErasure) -> Result<(), StoreError> {
        let inserting = self.inner.insert_erasure(erasure);
        self.measure(StoreCall::PersonErasuresInsert, inserting).await
    }

    async fn save_erasure(&self, erasure: &PersonErasure) -> Result<Saved, StoreError> {
        let saving = self.inner.save_erasure(erasure);
        self.measure(StoreCall::PersonErasuresSave, saving).await
    }

    async fn find_erasure(&self, tenant_id: &TenantId, id: &ErasureId) -> Result<Option<PersonErasure>, StoreError> {
        let finding = self.inner.find_erasure(tenant_id, id);
        self.measure(StoreCall::PersonErasuresFind, finding).await
    }

    async fn list_erasures(
        &self,
        tenant_id: &TenantId,
        before: Option<ErasureId>,
        limit: PageLimit,
    ) -> Result<Listed<PersonErasure>, StoreError> {
        let listing = self.inner.list_erasures(tenant_id, before, limit);
        self.measure(StoreCall::PersonErasuresList, listing).await
    }

    async fn due_erasures(&self, limit: u32) -> Result<Vec<PersonErasure>, StoreError> {
        self.measure(StoreCall::PersonErasuresDue, self.inner.due_erasures(limit))
            .await
    }

    async fn erase_person(&self, portion: &PersonPortion) -> Result<PersonErased, StoreError> {
        let erasing = self.inner.erase_person(portion);
        self.measure(StoreCall::PersonErasuresErase, erasing).await
    }

    async fn clear_remains(&self) -> Result<Remains, StoreError> {
        let clearing = self.inner.clear_remains();
        self.measure(StoreCall::PersonErasuresClearRemains, clearing).await
    }
}
