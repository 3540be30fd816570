//! The feeds at the far end of the wire.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::feed::{Arrival, Chunk};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{FeedBounds, Partitions, Place, PlacedEntry, TenantId};
use dakghar_core::ports::{Appended, ArrivalStore, ArrivalsWaiting, Attendant, FeedStore, StoreError};

use super::{Near, Shared, at_once};
use crate::world::wire::Call;

#[async_trait]
impl FeedStore for Near {
    async fn entries(
        &self,
        tenant_id: &TenantId,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<PlacedEntry>, StoreError> {
        let tenant_id = *tenant_id;
        let read = move |shared: &Shared| at_once(shared.store.entries(&tenant_id, after, limit));
        self.once(Call::Query, read).await
    }

    async fn ends(&self, tenants: &[TenantId]) -> Result<Vec<Place>, StoreError> {
        let tenants = tenants.to_vec();
        let read = move |shared: &Shared| at_once(shared.store.ends(&tenants));
        self.once(Call::Query, read).await
    }

    async fn bounds(&self, tenant_id: &TenantId) -> Result<FeedBounds, StoreError> {
        let tenant_id = *tenant_id;
        let read = move |shared: &Shared| at_once(shared.store.bounds(&tenant_id));
        self.once(Call::Query, read).await
    }
}

#[async_trait]
impl ArrivalStore for Near {
    async fn arrivals(&self, of: Partitions, limit: u32) -> Result<Vec<Arrival>, StoreError> {
        self.settle_forgotten(of).await;
        let read = move |shared: &Shared| at_once(shared.store.arrivals(of, limit));
        self.once(Call::Arrivals, read).await
    }

    async fn arrived(&self) {
        self.shared.store.arrived().await;
    }

    async fn append(&self, chunks: &[Chunk], arrivals: &[Arc<str>]) -> Result<Appended, StoreError> {
        let (chunks, arrivals) = (chunks.to_vec(), arrivals.to_vec());
        let append = move |shared: &Shared| {
            let poisoned = shared.poisoned.lock();
            if chunks.iter().any(|chunk| poisoned.contains(&chunk.tenant_id)) {
                return Err(StoreError::Corrupt("the entries of a tenant cannot be placed".into()));
            }
            at_once(shared.store.append(&chunks, &arrivals))
        };
        self.once(Call::Append, append).await
    }

    async fn put_aside(&self, arrivals: &[Arc<str>]) -> Result<(), StoreError> {
        let arrivals = arrivals.to_vec();
        let put = move |shared: &Shared| at_once(shared.store.put_aside(&arrivals));
        self.once(Call::Append, put).await
    }

    async fn bring_back(&self) -> Result<u64, StoreError> {
        self.once(Call::Append, |shared| at_once(shared.store.bring_back()))
            .await
    }

    async fn waiting(&self) -> Result<ArrivalsWaiting, StoreError> {
        self.once(Call::Query, |shared| at_once(shared.store.waiting())).await
    }

    async fn attend(&self, name: &str) -> Result<Vec<Attendant>, StoreError> {
        let name = name.to_owned();
        let attend = move |shared: &Shared| at_once(shared.store.attend(&name));
        self.once(Call::Attend, attend).await
    }

    async fn leave(&self, names: &[Arc<str>]) -> Result<(), StoreError> {
        let names = names.to_vec();
        let leave = move |shared: &Shared| at_once(shared.store.leave(&names));
        self.once(Call::Attend, leave).await
    }
}
