//! What people said about being written to, at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{OptOut, OptOutKey, PersonMark, TenantId};
use dakghar_core::ports::{OptOutStore, StoreError};

use super::{Near, at_once};
use crate::world::wire::Call;

#[async_trait]
impl OptOutStore for Near {
    async fn note_opt_outs(&self, batch: &[OptOut]) -> Result<(), StoreError> {
        let batch = batch.to_vec();
        let note = move |shared: &super::Shared| at_once(shared.store.note_opt_outs(&batch));
        self.once(Call::NoteOptOuts, note).await
    }

    async fn find_opt_outs(&self, tenant_id: &TenantId, people: &[PersonMark]) -> Result<Vec<OptOut>, StoreError> {
        let (tenant_id, people) = (*tenant_id, people.to_vec());
        let find = move |shared: &super::Shared| at_once(shared.store.find_opt_outs(&tenant_id, &people));
        self.once(Call::FindOptOuts, find).await
    }

    async fn list_opt_outs(
        &self,
        tenant_id: &TenantId,
        before: Option<OptOutKey>,
        limit: PageLimit,
    ) -> Result<Listed<OptOut>, StoreError> {
        let tenant_id = *tenant_id;
        let list = move |shared: &super::Shared| at_once(shared.store.list_opt_outs(&tenant_id, before, limit));
        self.once(Call::Query, list).await
    }
}
