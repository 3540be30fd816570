//! When keys were used last: noted seldom, in groups, and by nobody who waits.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use crate::domain::api_key::{ApiKey, KeyUse};
use crate::domain::{ApiKeyId, Tenant, TenantId, Timestamp};
use crate::group_commit::{BoxFuture, GroupCommit, Limits, Weighed};
use crate::ports::{Clock, Ports};

/// The time for which a use that was noted stands for those that follow.
pub(in crate::app) const NOTE_EVERY: Duration = Duration::from_secs(60);
/// Uses remembered at a time, each with less than 200 bytes. What is forgotten too early is noted once more.
const REMEMBERED_MAX: u64 = 100_000;

impl Weighed for KeyUse {
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// Notes uses of keys. One that finds no room, or that the store does not take, is lost; a later one is noted instead.
pub(in crate::app) struct KeyUses {
    clock: Arc<dyn Clock>,
    /// What this process has noted.
    noted: Cache<(TenantId, ApiKeyId), Timestamp>,
    notes: GroupCommit<KeyUse, ()>,
}

impl KeyUses {
    /// The future writes the notes.
    pub(in crate::app) fn new(ports: &Ports, limits: &Limits) -> (Self, BoxFuture<()>) {
        let tenants = ports.tenants.clone();
        let (notes, noting) = GroupCommit::new(limits.clone(), move |uses: Vec<KeyUse>| {
            let tenants = tenants.clone();
            async move {
                if let Err(error) = tenants.note_key_uses(&uses).await {
                    tracing::debug!(%error, uses = uses.len(), "the last uses of keys are not noted");
                }
                vec![(); uses.len()]
            }
        });
        let uses = Self {
            clock: ports.clock.clone(),
            noted: Cache::builder()
                .max_capacity(REMEMBERED_MAX)
                .time_to_live(2 * NOTE_EVERY)
                .build(),
            notes,
        };
        (uses, noting)
    }

    /// Notes that a key was used now, unless it was noted a moment ago, by whichever process.
    pub(in crate::app) fn note(&self, tenant: &Tenant, key: &ApiKey) {
        let at = self.clock.wall();
        // A time ahead of ours is one of a clock that was wrong.
        let is_recent = |noted: Timestamp| at >= noted && at.since(noted) < NOTE_EVERY;
        let name = (tenant.id, key.id);
        if key.last_used_at.is_some_and(is_recent) || self.noted.get(&name).is_some_and(is_recent) {
            return;
        }
        self.noted.insert(name, at);
        self.notes.post(KeyUse {
            tenant_id: tenant.id,
            key_id: key.id,
            at,
        });
    }
}
