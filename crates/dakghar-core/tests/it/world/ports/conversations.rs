//! The conversations at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{Conversation, ConversationId, ConversationTouch, TenantId, Timestamp, WaId, WindowOpening};
use dakghar_core::ports::{ConversationStore, StoreError};

use super::{Near, Shared, at_once};
use crate::world::wire::Call;

#[async_trait]
impl ConversationStore for Near {
    async fn touch(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        let batch = batch.to_vec();
        let touch = move |shared: &Shared| at_once(shared.store.touch(&batch));
        self.once(Call::Touch, touch).await
    }

    async fn open_windows(&self, batch: &[WindowOpening]) -> Result<Vec<bool>, StoreError> {
        let batch = batch.to_vec();
        let open = move |shared: &Shared| at_once(shared.store.open_windows(&batch));
        self.once(Call::Touch, open).await
    }

    async fn list(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: PageLimit,
    ) -> Result<Listed<Conversation>, StoreError> {
        let tenant_id = *tenant_id;
        let list = move |shared: &Shared| at_once(ConversationStore::list(&*shared.store, &tenant_id, before, limit));
        self.once(Call::Query, list).await
    }

    async fn find(&self, tenant_id: &TenantId, id: &ConversationId) -> Result<Option<Conversation>, StoreError> {
        let (tenant_id, id) = (*tenant_id, *id);
        self.once(Call::Query, move |shared| {
            at_once(ConversationStore::find(&*shared.store, &tenant_id, &id))
        })
        .await
    }

    async fn of_people(&self, tenant_id: &TenantId, ids: &[WaId], limit: u32) -> Result<Vec<Conversation>, StoreError> {
        let (tenant_id, ids) = (*tenant_id, ids.to_vec());
        let find = move |shared: &Shared| at_once(shared.store.of_people(&tenant_id, &ids, limit));
        self.once(Call::Query, find).await
    }
}
