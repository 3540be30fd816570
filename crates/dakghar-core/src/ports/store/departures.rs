//! Departures: how tenants, or numbers of theirs, leave.

use async_trait::async_trait;

use super::{Saved, StoreError};
use crate::domain::departure::Departure;
use crate::domain::ids::{DepartureId, TenantId};
use crate::domain::page::{Listed, PageLimit};
use crate::domain::time::Timestamp;

/// The departures of tenants. They stay when their tenant is erased.
#[async_trait]
pub trait DepartureStore: Send + Sync {
    /// Stores a new departure (`version` 0). Returns `Stale` if there is one of its id, or another one of its tenant that is not
    /// over, and changes nothing then.
    async fn insert_departure(&self, departure: &Departure) -> Result<Saved, StoreError>;

    /// Saves a whole departure, if `departure.version` is still the stored one. The caller raises its own copy's version by one
    /// after `Done`. One that is over must not be saved as one that is not.
    async fn save_departure(&self, departure: &Departure) -> Result<Saved, StoreError>;

    /// Returns one departure of a tenant, whether or not there still is that tenant.
    async fn find_departure(&self, tenant_id: &TenantId, id: &DepartureId) -> Result<Option<Departure>, StoreError>;

    /// Returns departures of a tenant older than `before`, newest first.
    async fn list_departures(
        &self,
        tenant_id: &TenantId,
        before: Option<DepartureId>,
        limit: PageLimit,
    ) -> Result<Listed<Departure>, StoreError>;

    /// Returns departures that must be worked on at `now` or before, the one that is due longest first.
    async fn due_departures(&self, now: Timestamp, limit: u32) -> Result<Vec<Departure>, StoreError>;

    /// Deletes departures that were over before this time, at most `limit`. Returns how many.
    async fn forget_departures(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
