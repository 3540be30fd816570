//! Erasures of people: their records, and the work on what a tenant keeps of a person.

use async_trait::async_trait;

use super::{Saved, StoreError};
use crate::domain::erasure::{ErasurePlace, PersonErasure, PersonIds};
use crate::domain::ids::{ErasureId, MessageId, TenantId};
use crate::domain::page::{Listed, PageLimit};
use crate::domain::time::Timestamp;

/// Records to look through for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonPortion {
    /// Whose records. [`ErasurePlace::Unrouted`] is nobody's, whoever is named here.
    pub tenant_id: TenantId,
    /// The person.
    pub person: PersonIds,
    /// Only what was made or received before this.
    pub before: Timestamp,
    /// What is looked through; not [`ErasurePlace::File`].
    pub place: ErasurePlace,
    /// Where to go on, as the portion before told; `None` is the beginning.
    pub from: Option<String>,
    /// The most records that are looked at.
    pub limit: u32,
}

/// What became of a portion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonErased {
    /// Records that were deleted or emptied.
    pub erased: u64,
    /// Messages of the person that are not settled, and stay for now.
    pub open: Vec<MessageId>,
    /// Where the next portion goes on; `None` if there is none. It names nobody.
    pub next: Option<String>,
}

/// What is left of deleted records where the store keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// Nothing that the store can reach.
    None,
    /// Something that somebody reads at present: to be tried again.
    InUse,
    /// The file is too large to be rewritten beside the work of the store: traces may be left in it.
    InLargeFile,
}

/// The erasures of people.
#[async_trait]
pub trait PersonErasureStore: Send + Sync {
    /// Stores a new erasure (`version` 0). Storing it again changes nothing.
    async fn insert_erasure(&self, erasure: &PersonErasure) -> Result<(), StoreError>;

    /// Saves a whole erasure, if `erasure.version` is still the stored one. The caller raises its own copy's version by
    /// one after `Done`.
    async fn save_erasure(&self, erasure: &PersonErasure) -> Result<Saved, StoreError>;

    /// Returns one erasure of a tenant.
    async fn find_erasure(&self, tenant_id: &TenantId, id: &ErasureId) -> Result<Option<PersonErasure>, StoreError>;

    /// Returns erasures of a tenant older than `before`, newest first.
    async fn list_erasures(
        &self,
        tenant_id: &TenantId,
        before: Option<ErasureId>,
        limit: PageLimit,
    ) -> Result<Listed<PersonErasure>, StoreError>;

    /// Returns erasures that are open, the one that was changed longest ago first.
    async fn due_erasures(&self, limit: u32) -> Result<Vec<PersonErasure>, StoreError>;

    /// Deletes what names the person among the records of a portion; with a message its reports and its idempotency key. A
    /// message that is not settled is told and stays. Of conversations that went on later their ids stay and the rest goes;
    /// of callbacks the answers of receivers go, whomever they are about, and whoever delivers must read again what it had
    /// read of them before.
    ///
    /// A log of attempts that cannot be read is deleted, because it may hold answers. Other records that cannot be read
    /// stay. Doing a portion again does no harm.
    async fn erase_person(&self, portion: &PersonPortion) -> Result<PersonErased, StoreError>;

    /// Overwrites what deleted records have left behind in the store's own files.
    async fn clear_remains(&self) -> Result<Remains, StoreError>;
}
