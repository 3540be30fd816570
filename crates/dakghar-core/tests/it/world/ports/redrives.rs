//! Redrives at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::message::DeadLetter;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::redrive::Redrive;
use dakghar_core::domain::{MessageId, RedriveId, TenantId, Timestamp};
use dakghar_core::ports::{RedriveStore, Saved, StoreError};

use super::{Near, at_once};
use crate::world::wire::Call;

#[async_trait]
impl RedriveStore for Near {
    async fn insert_redrive(&self, redrive: &Redrive) -> Result<(), StoreError> {
        let redrive = redrive.clone();
        self.once(Call::Redrive, move |shared| {
            at_once(shared.store.insert_redrive(&redrive))
        })
        .await
    }

    async fn save_redrive(&self, redrive: &Redrive) -> Result<Saved, StoreError> {
        let redrive = redrive.clone();
        self.once(Call::Redrive, move |shared| {
            at_once(shared.store.save_redrive(&redrive))
        })
        .await
    }

    async fn find_redrive(&self, id: &RedriveId) -> Result<Option<Redrive>, StoreError> {
        let id = *id;
        self.once(Call::Query, move |shared| at_once(shared.store.find_redrive(&id)))
            .await
    }

    async fn list_redrives(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<RedriveId>,
        limit: PageLimit,
    ) -> Result<Listed<Redrive>, StoreError> {
        let tenant_id = tenant_id.copied();
        self.once(Call::Query, move |shared| {
            at_once(shared.store.list_redrives(tenant_id.as_ref(), before, limit))
        })
        .await
    }

    async fn count_open_redrives(&self, tenant_id: Option<&TenantId>) -> Result<u32, StoreError> {
        let tenant_id = tenant_id.copied();
        self.once(Call::Query, move |shared| {
            at_once(shared.store.count_open_redrives(tenant_id.as_ref()))
        })
        .await
    }

    async fn due_redrives(&self, limit: u32) -> Result<Vec<Redrive>, StoreError> {
        self.once(Call::Query, move |shared| at_once(shared.store.due_redrives(limit)))
            .await
    }

    async fn forget_redrives(&self, before: Timestamp) -> Result<(), StoreError> {
        self.once(Call::Query, move |shared| at_once(shared.store.forget_redrives(before)))
            .await
    }

    async fn look_through(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Listed<DeadLetter>, StoreError> {
        let tenant_id = tenant_id.copied();
        self.once(Call::Query, move |shared| {
            at_once(shared.store.look_through(tenant_id.as_ref(), before, limit))
        })
        .await
    }
}
