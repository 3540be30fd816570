//! The port of opt-outs, measured.

use async_trait::async_trait;
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::opt_out::{OptOut, OptOutKey, PersonMark};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{OptOutStore, StoreError};

use super::store::MeasuredStore;

#[async_trait]
impl<S: OptOutStore> OptOutStore for MeasuredStore<S> {
    async fn note_opt_outs(&self, batch: &[OptOut]) -> Result<(), StoreError> {
        self.measure(StoreCall::OptOutsNote, self.inner.note_opt_outs(batch))
            .await
    }

    async fn find_opt_outs(&self, tenant_id: &TenantId, people: &[PersonMark]) -> Result<Vec<OptOut>, StoreError> {
        let finding = self.inner.find_opt_outs(tenant_id, people);
        self.measure(StoreCall::OptOutsFind, finding).await
    }

    async fn list_opt_outs(
        &self,
        tenant_id: &TenantId,
        before: Option<OptOutKey>,
        limit: PageLimit,
    ) -> Result<Listed<OptOut>, StoreError> {
        let listing = self.inner.list_opt_outs(tenant_id, before, limit);
        self.measure(StoreCall::OptOutsList, listing).await
    }
}
