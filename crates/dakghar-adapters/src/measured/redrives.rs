//! The port of redrives, measured.

use async_trait::async_trait;
use dakghar_core::domain::ids::{MessageId, RedriveId, TenantId};
use dakghar_core::domain::message::DeadLetter;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::redrive::Redrive;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{RedriveStore, Saved, StoreError};

use super::store::MeasuredStore;

#[async_trait]
impl<S: RedriveStore> RedriveStore for MeasuredStore<S> {
    async fn insert_redrive(&self, redrive: &Redrive) -> Result<(), StoreError> {
        let inserting = self.inner.insert_redrive(redrive);
        self.measure(StoreCall::RedrivesInsert, inserting).await
    }

    async fn save_redrive(&self, redrive: &Redrive) -> Result<Saved, StoreError> {
        self.measure(StoreCall::RedrivesSave, self.inner.save_redrive(redrive))
            .await
    }

    async fn find_redrive(&self, id: &RedriveId) -> Result<Option<Redrive>, StoreError> {
        self.measure(StoreCall::RedrivesFind, self.inner.find_redrive(id)).await
    }

    async fn list_redrives(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<RedriveId>,
        limit: PageLimit,
    ) -> Result<Listed<Redrive>, StoreError> {
        let listing = self.inner.list_redrives(tenant_id, before, limit);
        self.measure(StoreCall::RedrivesList, listing).await
    }

    async fn count_open_redrives(&self, tenant_id: Option<&TenantId>) -> Result<u32, StoreError> {
        let counting = self.inner.count_open_redrives(tenant_id);
        self.measure(StoreCall::RedrivesCountOpen, counting).await
    }

    async fn due_redrives(&self, limit: u32) -> Result<Vec<Redrive>, StoreError> {
        self.measure(StoreCall::RedrivesDue, self.inner.due_redrives(limit))
            .await
    }

    async fn forget_redrives(&self, before: Timestamp) -> Result<(), StoreError> {
        self.measure(StoreCall::RedrivesForget, self.inner.forget_redrives(before))
            .await
    }

    async fn look_through(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Listed<DeadLetter>, StoreError> {
        let looking = self.inner.look_through(tenant_id, before, limit);
        self.measure(StoreCall::RedrivesLookThrough, looking).await
    }
}
