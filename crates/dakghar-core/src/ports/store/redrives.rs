//! Redrives, and the dead letters that they look through.

use async_trait::async_trait;

use super::{Saved, StoreError};
use crate::domain::ids::{MessageId, RedriveId, TenantId};
use crate::domain::message::DeadLetter;
use crate::domain::page::{Listed, PageLimit};
use crate::domain::redrive::Redrive;
use crate::domain::time::Timestamp;

/// Redrives of dead letters.
#[async_trait]
pub trait RedriveStore: Send + Sync {
    /// Stores a new redrive (`version` 0). Storing it again changes nothing.
    async fn insert_redrive(&self, redrive: &Redrive) -> Result<(), StoreError>;

    /// Saves a whole redrive, if `redrive.version` is still the stored one. The caller raises its own copy's version by
    /// one after `Done`.
    async fn save_redrive(&self, redrive: &Redrive) -> Result<Saved, StoreError>;

    /// Returns one redrive, of whatever owner.
    async fn find_redrive(&self, id: &RedriveId) -> Result<Option<Redrive>, StoreError>;

    /// Returns redrives older than `before`, newest first: those of a tenant, or (for the operator) of all.
    async fn list_redrives(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<RedriveId>,
        limit: PageLimit,
    ) -> Result<Listed<Redrive>, StoreError>;

    /// Returns the number of redrives of this very owner (`None` is the operator) that are running or paused.
    async fn count_open_redrives(&self, tenant_id: Option<&TenantId>) -> Result<u32, StoreError>;

    /// Returns redrives that need work (see [`Redrive::needs_work`]), the one that was changed longest ago first.
    async fn due_redrives(&self, limit: u32) -> Result<Vec<Redrive>, StoreError>;

    /// Deletes redrives that are over, need no work, and were last changed before this.
    async fn forget_redrives(&self, before: Timestamp) -> Result<(), StoreError>;

    /// Returns dead letters without their content, newest first, older than `before`. Of one tenant or (for the
    /// operator) of all. Reads about `limit` of them, and returns fewer only at the end or where some cannot be read.
    async fn look_through(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Listed<DeadLetter>, StoreError>;
}
