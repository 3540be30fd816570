//! The ports of feeds, measured.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::feed::{Arrival, Chunk};
use dakghar_core::domain::feed::{FeedBounds, Partitions, Place, PlacedEntry};
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{Appended, ArrivalStore, ArrivalsWaiting, Attendant, FeedStore, StoreError};

use super::store::MeasuredStore;

#[async_trait]
impl<S: FeedStore> FeedStore for MeasuredStore<S> {
    async fn entries(
        &self,
        tenant_id: &TenantId,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<PlacedEntry>, StoreError> {
        let reading = self.inner.entries(tenant_id, after, limit);
        self.measure(StoreCall::FeedEntries, reading).await
    }

    async fn ends(&self, tenants: &[TenantId]) -> Result<Vec<Place>, StoreError> {
        self.measure(StoreCall::FeedEnds, self.inner.ends(tenants)).await
    }

    async fn bounds(&self, tenant_id: &TenantId) -> Result<FeedBounds, StoreError> {
        self.measure(StoreCall::FeedBounds, self.inner.bounds(tenant_id)).await
    }
}

#[async_trait]
impl<S: ArrivalStore> ArrivalStore for MeasuredStore<S> {
    async fn arrivals(&self, of: Partitions, limit: u32) -> Result<Vec<Arrival>, StoreError> {
        self.measure(StoreCall::ArrivalsRead, self.inner.arrivals(of, limit))
            .await
    }

    /// A wait, and no call.
    async fn arrived(&self) {
        self.inner.arrived().await;
    }

    async fn append(&self, chunks: &[Chunk], arrivals: &[Arc<str>]) -> Result<Appended, StoreError> {
        let appending = self.inner.append(chunks, arrivals);
        self.measure(StoreCall::ArrivalsAppend, appending).await
    }

    async fn put_aside(&self, arrivals: &[Arc<str>]) -> Result<(), StoreError> {
        let putting = self.inner.put_aside(arrivals);
        self.measure(StoreCall::ArrivalsAside, putting).await
    }

    async fn bring_back(&self) -> Result<u64, StoreError> {
        self.measure(StoreCall::ArrivalsAside, self.inner.bring_back()).await
    }

    async fn waiting(&self) -> Result<ArrivalsWaiting, StoreError> {
        self.measure(StoreCall::ArrivalsWaiting, self.inner.waiting()).await
    }

    async fn attend(&self, name: &str) -> Result<Vec<Attendant>, StoreError> {
        self.measure(StoreCall::ArrivalsAttend, self.inner.attend(name)).await
    }

    async fn leave(&self, names: &[Arc<str>]) -> Result<(), StoreError> {
        self.measure(StoreCall::ArrivalsAttend, self.inner.leave(names)).await
    }
}
