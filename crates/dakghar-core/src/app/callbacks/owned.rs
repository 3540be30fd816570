//! Which endpoints a process delivers to: the active ones of the partitions that it owns. It hears of changes, and looks at
//! all of them now and then, because what is told may be lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Callbacks;
use crate::app::failure::Failure;
use crate::app::feed::EndpointsChanged;
use crate::domain::endpoint::{Endpoint, EndpointState};
use crate::domain::feed::Partitions;
use crate::domain::page::PageLimit;
use crate::domain::{EndpointId, TenantId};

/// Endpoints that are read at once.
const ENDPOINTS_READ_MAX: u32 = 500;
/// Tenants whose endpoints are read at once.
const TENANTS_READ_MAX: usize = 20;
/// The wait between two looks while changes are not told.
const LOOK_WITHOUT_NEWS: Duration = Duration::from_secs(1);

/// Endpoints by their ids.
type ById = HashMap<EndpointId, Arc<Endpoint>>;

impl Callbacks {
    /// Returns the partitions whose endpoints this process delivers to.
    pub fn owned(&self) -> Partitions {
        self.sequencing.owned()
    }

    /// Returns the endpoints that this process is to deliver to now.
    pub async fn endpoints(&self) -> Result<ById, Failure> {
        let mut all = HashMap::new();
        let mut after = None;
        loop {
            let limit = PageLimit::items(ENDPOINTS_READ_MAX);
            let listed = self.deps.endpoints.endpoints(after, limit).await?;
            self.add_own(listed.items, &mut all).await;
            match listed.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Returns those of these tenants.
    pub async fn endpoints_of(&self, tenants: &[TenantId]) -> Result<ById, Failure> {
        let owned = self.owned();
        let own: Vec<TenantId> = tenants.iter().copied().filter(|id| owned.has_tenant(id)).collect();
        let mut all = HashMap::new();
        for tenants in own.chunks(TENANTS_READ_MAX) {
            let found = self.deps.endpoints.endpoints_of(tenants).await?;
            self.add_own(found, &mut all).await;
        }
        Ok(all)
    }

    /// Waits until endpoints have changed, here or in another process. One task is told.
    pub async fn changed(&self) -> EndpointsChanged {
        self.watching.endpoints_changed().await
    }

    /// Returns the wait until the next look at all endpoints.
    pub fn look_wait(&self) -> Duration {
        if self.watching.hears() {
            self.look_every
        } else {
            LOOK_WITHOUT_NEWS.min(self.look_every)
        }
    }

    /// Returns the wait between two looks at a feed of which no news came: the tail of all feeds looks as well.
    pub const fn look_every(&self) -> Duration {
        self.look_every
    }

    async fn add_own(&self, mut listed: Vec<Endpoint>, all: &mut ById) {
        let owned = self.owned();
        listed.retain(|endpoint| owned.has_tenant(&endpoint.tenant_id));
        self.told.tell_disabled(&self.deps, &listed).await;
        listed.retain(|endpoint| endpoint.state == EndpointState::Active);
        let tenants: Vec<TenantId> = listed.iter().map(|endpoint| endpoint.tenant_id).collect();
        let found = self.deps.directory.find_all(tenants).await;
        // A tenant that is being removed gets nothing more; of one that cannot be read nothing can be opened.
        listed.retain(|endpoint| matches!(found.get(&endpoint.tenant_id), Some(Ok(Some(_)))));
        all.extend(listed.into_iter().map(|endpoint| (endpoint.id, Arc::new(endpoint))));
    }
}
