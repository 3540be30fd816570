//! Entries that go out of the feed before an endpoint gets them that is not called, because it is paused or disabled. Whoever
//! delivers to an endpoint finds them by itself; of those to which nobody delivers they are looked for now and then.
//!
//! The tenant is told before the place moves past them. A crash between the two has it told once more: the same event, unless
//! more went out meanwhile.

use std::collections::HashMap;

use super::Callbacks;
use crate::app::failure::Failure;
use crate::domain::TenantId;
use crate::domain::callback::{Advance, CallbackProgress};
use crate::domain::endpoint::{Endpoint, EndpointState, expired};
use crate::domain::feed::{FeedBounds, Place};
use crate::domain::page::PageLimit;
use crate::ports::Saved;

/// Endpoints that are read at once.
const ENDPOINTS_READ_MAX: u32 = 500;

impl Callbacks {
    /// Tells tenants what went out of their feeds before endpoints got it that are not called. Looks at the endpoints of the
    /// partitions that this process owns.
    pub async fn tell_expired(&self) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let limit = PageLimit::items(ENDPOINTS_READ_MAX);
            let listed = self.deps.endpoints.endpoints(after, limit).await?;
            let owned = self.owned();
            let mut endpoints = listed.items;
            endpoints
                .retain(|endpoint| endpoint.state != EndpointState::Active && owned.has_tenant(&endpoint.tenant_id));
            self.tell_expired_of(&endpoints).await?;
            match listed.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn tell_expired_of(&self, endpoints: &[Endpoint]) -> Result<(), Failure> {
        let ids: Vec<_> = endpoints.iter().map(|endpoint| endpoint.kept_under).collect();
        let progress = self.deps.store.progress(&ids).await;
        let mut bounds: HashMap<TenantId, FeedBounds> = HashMap::new();
        for (endpoint, kept) in endpoints.iter().zip(progress) {
            // One that cannot be read was told of where it was read.
            let Ok(kept) = kept else { continue };
            let tenant_id = endpoint.tenant_id;
            let of_feed = match bounds.get(&tenant_id) {
                Some(known) => *known,
                None => self.deps.entries.bounds(&tenant_id).await?,
            };
            bounds.insert(tenant_id, of_feed);
            let now = self.deps.clock.now();
            let progress = kept.unwrap_or_else(|| CallbackProgress::new(endpoint, now));
            let after = progress.after.max(endpoint.start);
            if expired(after, of_feed.first) > 0 {
                self.pass_expired(endpoint, CallbackProgress { after, ..progress }, of_feed.first)
                    .await?;
            }
        }
        Ok(())
    }

    async fn pass_expired(
        &self,
        endpoint: &Endpoint,
        mut progress: CallbackProgress,
        first: Place,
    ) -> Result<(), Failure> {
        let after = progress.after;
        let expired = self.deps.tell_gap(endpoint, after, first).await?;
        progress.after = first.before();
        progress.expired += expired;
        progress.updated_at = self.deps.clock.now();
        let advance = Advance {
            progress,
            exceptions: Vec::new(),
            over: Vec::new(),
            attempts: None,
        };
        if self.deps.advances.submit(advance).await?? == Saved::Stale {
            // It was resumed meanwhile, and whoever delivers to it has seen the gap as well.
            tracing::debug!(endpoint_id = %endpoint.id, "an endpoint moved on while its expired entries were told");
        }
        Ok(())
    }
}
