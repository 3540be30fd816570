//! Entries on their way to their places, and at them.

use std::sync::Arc;

use super::super::ids::TenantId;
use super::super::page::Paged;
use super::place::Place;
use super::{FeedEntry, PlacedEntry};

/// The bytes of an entry in memory, about.
pub const ENTRY_BYTES: usize = 512;

/// Entries of one tenant that became durable together and have no place yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// Names it among all arrivals. In the order of time, as far as the clocks of those agree who wrote them.
    pub id: Arc<str>,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The entries, in their order.
    pub entries: Vec<FeedEntry>,
}

/// Entries of one tenant at consecutive places.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The place of the first entry.
    pub first: Place,
    /// The entries, at least one.
    pub entries: Vec<FeedEntry>,
}

impl Chunk {
    /// Returns the place of the last entry.
    pub fn last(&self) -> Place {
        self.first.plus(self.entries.len() as u64).before()
    }
}

impl Paged for Chunk {
    type Position = Place;

    fn position(&self) -> Place {
        self.first
    }

    fn bytes(&self) -> usize {
        self.entries.len() * ENTRY_BYTES
    }
}

impl Paged for PlacedEntry {
    type Position = Place;

    fn position(&self) -> Place {
        self.place
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES
    }
}
