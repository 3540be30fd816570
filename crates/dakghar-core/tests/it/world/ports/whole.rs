//! The store as a whole: its state, and erasing.

use async_trait::async_trait;
use dakghar_core::domain::{TenantId, Timestamp};
use dakghar_core::ports::{AgedPortion, ErasedPortion, Erasure, StoreError, StoreHealth};

use super::{Near, at_once};
use crate::world::wire::Call;

#[async_trait]
impl StoreHealth for Near {
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Erasure for Near {
    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError> {
        let tenant_id = *tenant_id;
        self.once(Call::Query, move |shared| {
            at_once(shared.store.erase(&tenant_id, limit))
        })
        .await
    }

    async fn left_behind(&self, limit: u32) -> Result<Vec<TenantId>, StoreError> {
        self.once(Call::Query, move |shared| at_once(shared.store.left_behind(limit)))
            .await
    }

    async fn erase_aged(&self, portion: &AgedPortion) -> Result<ErasedPortion, StoreError> {
        let portion = portion.clone();
        self.once(Call::Query, move |shared| at_once(shared.store.erase_aged(&portion)))
            .await
    }

    async fn retention_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.once(Call::Query, |shared| at_once(shared.store.retention_time()))
            .await
    }

    async fn keep_retention_time(&self, at: Timestamp) -> Result<(), StoreError> {
        self.once(Call::Query, move |shared| at_once(shared.store.keep_retention_time(at)))
            .await
    }
}
