//! The place from which on an endpoint gets entries.

use super::Endpoints;
use super::new::StartAt;
use crate::app::failure::Failure;
use crate::domain::feed::Place;
use crate::domain::page::PageLimit;
use crate::domain::{TenantId, Timestamp};

impl Endpoints {
    /// Returns the place behind which an endpoint starts. What waits for its place comes behind every place that was given.
    pub(super) async fn place_of(&self, tenant_id: &TenantId, start: StartAt) -> Result<Place, Failure> {
        match start {
            StartAt::Now => Ok(self.ports.feed.bounds(tenant_id).await?.last),
            StartAt::Beginning => Ok(self.ports.feed.bounds(tenant_id).await?.first.before()),
            StartAt::Time(time) => self.place_at(tenant_id, time).await,
        }
    }

    /// Searches for the first entry that came at this time or later: places have no gaps. They follow the times only about,
    /// because several processes write, so what came within the same seconds may be on either side.
    pub(super) async fn place_at(&self, tenant_id: &TenantId, time: Timestamp) -> Result<Place, Failure> {
        let bounds = self.ports.feed.bounds(tenant_id).await?;
        let (mut low, mut high) = (bounds.first, bounds.last.plus(1));
        while low < high {
            let middle = low.plus((high.number() - low.number()) / 2);
            let behind = middle.before();
            let found = self.ports.feed.entries(tenant_id, behind, PageLimit::items(1)).await?;
            // One that is not there was erased, or cannot be read; then the next one stands for it.
            match found.items.first() {
                Some(placed) if placed.entry.at < time => low = placed.place.plus(1).min(high),
                _ => high = middle,
            }
        }
        Ok(low.before())
    }
}
