//! The feeds of tenants, and what has no place in them yet.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::domain::feed::{Arrival, Chunk, FeedBounds, Partitions, Place, PlacedEntry};
use crate::domain::ids::TenantId;
use crate::domain::page::{Listed, PageLimit};
use crate::domain::time::Timestamp;

/// The feeds of tenants, read from a place on. The stores of messages, reports and events write the entries: there is none
/// without its record, and no record without its entry, wherever a process dies.
#[async_trait]
pub trait FeedStore: Send + Sync {
    /// Returns the entries of a tenant behind `after`, the earliest first. One that cannot be read is
    /// [`Subject::Unreadable`](crate::domain::feed::Subject::Unreadable), so that no place is missing between the others.
    async fn entries(
        &self,
        tenant_id: &TenantId,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<PlacedEntry>, StoreError>;

    /// Returns the last place that each of these tenants was given. One that cannot be read is an error for all: a guess could
    /// give a place twice.
    async fn ends(&self, tenants: &[TenantId]) -> Result<Vec<Place>, StoreError>;

    /// Returns which places there are, as far as they can be read.
    async fn bounds(&self, tenant_id: &TenantId) -> Result<FeedBounds, StoreError>;
}

/// The result of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Every entry has its place, for good.
    Done,
    /// Another process was faster, and nothing was written.
    Conflict,
}

/// What waits for its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArrivalsWaiting {
    /// When the oldest became durable, by the clock of its writer.
    pub oldest: Option<Timestamp>,
    /// Arrivals that were put aside.
    pub aside: u64,
}

/// A process that gives places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendant {
    /// Its name.
    pub name: Arc<str>,
    /// How often it said that it is there.
    pub beats: u64,
}

/// Arrivals at a store in which several processes write at once, so that nobody can know its place when it writes. One
/// process reads what arrived and gives places.
///
/// A store with one writer gives each entry its place at once and has no arrivals.
#[async_trait]
pub trait ArrivalStore: Send + Sync {
    /// Returns arrivals of these partitions, the oldest first, within [`LOAD_BYTES_MAX`](super::LOAD_BYTES_MAX). One that
    /// cannot be read is put aside.
    async fn arrivals(&self, of: Partitions, limit: u32) -> Result<Vec<Arrival>, StoreError>;

    /// Waits until something has arrived through this port since it was last told of. A hint: it may come for nothing, and
    /// what other processes wrote is not told here.
    async fn arrived(&self);

    /// Appends chunks and takes away the arrivals that they were made of, in one transaction. `Conflict` if the
    /// place of one of the chunks is taken, or one of the arrivals is gone. After an error it may have happened.
    ///
    /// Each chunk begins right behind its tenant's end, as far as the caller knows: an end that was read or appended here at
    /// some time is the end still, or its next place is taken.
    async fn append(&self, chunks: &[Chunk], arrivals: &[Arc<str>]) -> Result<Appended, StoreError>;

    /// Puts arrivals aside: they are not read again until they are brought back.
    async fn put_aside(&self, arrivals: &[Arc<str>]) -> Result<(), StoreError>;

    /// Brings back what was put aside. Returns how many.
    async fn bring_back(&self) -> Result<u64, StoreError>;

    /// Returns what waits.
    async fn waiting(&self) -> Result<ArrivalsWaiting, StoreError>;

    /// Says that this process is there, and returns all that ever said so and did not leave.
    async fn attend(&self, name: &str) -> Result<Vec<Attendant>, StoreError>;

    /// Forgets processes.
    async fn leave(&self, names: &[Arc<str>]) -> Result<(), StoreError>;
}
