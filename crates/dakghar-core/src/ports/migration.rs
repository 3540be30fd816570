//! Moving an installation. The source is read to its end and then left; the target takes everything in.
//!
//! Neither side interprets the records. The target keeps the record of the migration beside the data: a migration that
//! was killed goes on where it was, and nobody uses half an installation.

use async_trait::async_trait;

use super::store::{Saved, StoreError};
use crate::domain::migration::{Kind, Migration, Place, Record, Retirement};

/// One page of the records in a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourcePage {
    /// The records, all of the requested kind.
    pub records: Vec<Record>,
    /// The end of the page and start of the next one. `None` for an empty page, which is behind the last record.
    pub end: Option<Place>,
}

/// An installation that is being left. From its opening until it is dropped, nobody can change it.
#[async_trait]
pub trait MigrationSource: Send + Sync {
    /// Returns a fingerprint of everything it holds. As long as it is the same, the source was not changed.
    async fn state(&self) -> Result<[u8; 32], StoreError>;

    /// Returns the number of records of this kind.
    async fn count(&self, kind: Kind) -> Result<u64, StoreError>;

    /// Returns the number of redrives that are running or paused. They stay behind.
    async fn open_redrives(&self) -> Result<u64, StoreError>;

    /// Returns the number of erasures of people that are not done. They stay behind.
    async fn open_erasures(&self) -> Result<u64, StoreError>;

    /// Returns the number of signups that are under way. They stay behind, as those do that have stopped or are done.
    async fn open_signups(&self) -> Result<u64, StoreError>;

    /// Returns the number of departures that are not over. They stay behind, as those do that are.
    async fn open_departures(&self) -> Result<u64, StoreError>;

    /// Returns the records of this kind after a place, in an order that never changes; `None` is the beginning. At most
    /// `limit`, and fewer where they are large.
    async fn page(&self, kind: Kind, after: Option<&Place>, limit: u32) -> Result<SourcePage, StoreError>;

    /// Returns what [`MigrationSource::retire`] stored, if it was called.
    async fn retirement(&self) -> Result<Option<Retirement>, StoreError>;

    /// Stores durably that the installation has moved. From then on nobody opens it to send.
    async fn retire(&self, retirement: &Retirement) -> Result<(), StoreError>;
}

/// The store that an installation moves to.
#[async_trait]
pub trait MigrationTarget: Send + Sync {
    /// Returns the migration into this store, if there ever was one.
    async fn migration(&self) -> Result<Option<Migration>, StoreError>;

    /// Saves the record of the migration, if `migration.version` is still the stored one; 0 stands for none. The caller
    /// raises its own copy's version by one after `Done`.
    async fn save_migration(&self, migration: &Migration) -> Result<Saved, StoreError>;

    /// Returns the number of records of this kind, wherever they came from.
    async fn count(&self, kind: Kind) -> Result<u64, StoreError>;

    /// Stores records exactly as they are, version included. A record whose id is there already is left as it is, so
    /// repeating is harmless. A record that conflicts with a stored one is an error.
    async fn put(&self, records: &[Record]) -> Result<(), StoreError>;

    /// Returns the records stored under the ids of these records, in their order. Reads only what cannot be rolled
    /// back.
    async fn stored(&self, like: &[Record]) -> Result<Vec<Option<Record>>, StoreError>;

    /// Erases up to `limit` records of this kind, of all tenants. Returns how many; 0 means none is left.
    async fn clear(&self, kind: Kind, limit: u32) -> Result<u64, StoreError>;
}
