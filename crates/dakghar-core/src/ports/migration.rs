//! Moving an installation: a store that is read to its end and then left, and one that takes everything in.
//!
//! Neither side interprets what it moves. The target keeps the record of the migration beside the data, so that a
//! migration that was killed goes on where it was, and nobody uses half an installation.

use async_trait::async_trait;

use super::store::{Saved, StoreError};
use crate::domain::migration::{Kind, Migration, Place, Record, Retirement};

/// A page of what a source holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourcePage {
    /// The records, all of the kind that was asked for.
    pub records: Vec<Record>,
    /// Where the page ends and the next one begins; `None` for an empty page, which is behind the last record.
    pub end: Option<Place>,
}

/// An installation that is being left. From its opening until it is dropped, nobody can change it.
#[async_trait]
pub trait MigrationSource: Send + Sync {
    /// A fingerprint of all it holds: a source that gives the same one again was not changed in between.
    async fn state(&self) -> Result<[u8; 32], StoreError>;

    /// How many records of this kind it holds.
    async fn count(&self, kind: Kind) -> Result<u64, StoreError>;

    /// The records of this kind after a place, in an order that never changes; `None` is the beginning. At most
    /// `limit`, and fewer where they are large.
    async fn page(&self, kind: Kind, after: Option<&Place>, limit: u32) -> Result<SourcePage, StoreError>;

    /// What [`MigrationSource::retire`] remembered, if it did.
    async fn retirement(&self) -> Result<Option<Retirement>, StoreError>;

    /// Remembers, durably, that the installation has moved: from now on nobody opens it to send.
    async fn retire(&self, retirement: &Retirement) -> Result<(), StoreError>;
}

/// The store that an installation moves to.
#[async_trait]
pub trait MigrationTarget: Send + Sync {
    /// The migration into this store, if there ever was one.
    async fn migration(&self) -> Result<Option<Migration>, StoreError>;

    /// Saves the record of the migration, if `migration.version` is still the stored one; 0 stands for none. The
    /// caller raises its own copy's version by one after `Done`.
    async fn save_migration(&self, migration: &Migration) -> Result<Saved, StoreError>;

    /// How many records of this kind the store holds, wherever they came from.
    async fn count(&self, kind: Kind) -> Result<u64, StoreError>;

    /// Stores records exactly as they are, version included. One whose id is there already is left as it is, so
    /// that repeating is harmless; one that cannot be stored beside what is there is an error.
    async fn put(&self, records: &[Record]) -> Result<(), StoreError>;

    /// What is stored under the ids of these records, in their order; only what nothing can take back.
    async fn stored(&self, like: &[Record]) -> Result<Vec<Option<Record>>, StoreError>;

    /// Erases up to `limit` records of this kind, whosever they are. Answers how many; 0 means none is left.
    async fn clear(&self, kind: Kind, limit: u32) -> Result<u64, StoreError>;
}
