//! The place from which on an endpoint gets entries.

use super::Endpoints;
use super::new::StartAt;
use crate::app::failure::Failure;
use crate::domain::feed::{Place, PlacedEntry};
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
            // Of one that was erased the next one stands for it. One whose time cannot be read is taken for late enough:
            // rather some entries too many than one too few.
            let has_time = |placed: &&PlacedEntry| placed.entry.at > Timestamp::from_millis(0);
            match found.items.first().filter(has_time) {
                Some(placed) if placed.entry.at < time => low = placed.place.plus(1).min(high),
                _ => high = middle,
            }
        }
        Ok(low.before())
    }
}
