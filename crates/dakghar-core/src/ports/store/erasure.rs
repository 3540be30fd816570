//! Erasing what belongs to a tenant, all of it or what is old.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::ids::TenantId;
use crate::domain::message::LetterClass;
use crate::domain::time::Timestamp;
#[cfg(doc)]
use crate::domain::webhook::tells_contents;

/// A kind of records that age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aged {
    /// Messages that are settled and no dead letters, by their last change.
    Messages,
    /// Dead letters of this class, by the time they ended.
    DeadLetters(LetterClass),
    /// Conversations of which no message is left, by their last message.
    Conversations,
    /// Webhook events, by the time they were received.
    Events,
    /// Those of them that tell what people wrote ([`tells_contents`]).
    Written,
    /// The contents of settled messages and dead letters, by their last change. The messages stay, and say that their
    /// content was removed at this time; a save of one that was read before fails.
    Contents {
        /// The time of the removal.
        removed_at: Timestamp,
    },
    /// Entries of the feed, by the time they were made. The places of those that are left stay as they are.
    Feed,
}

/// Records to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgedPortion {
    /// Whose they are; `None` are the events that are nobody's, and nothing else.
    pub tenant_id: Option<TenantId>,
    /// What they are.
    pub kind: Aged,
    /// Those that are older are erased.
    pub before: Timestamp,
    /// Where to go on, as the portion before told; `None` is the oldest record. Of contents, and of events that tell them, it
    /// is the oldest record that had something to lose when an earlier walk passed it: a store keeps that place by itself.
    pub from: Option<String>,
    /// The most records that are looked at.
    pub limit: u32,
}

/// What became of a portion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErasedPortion {
    /// How many records were erased, or lost their content.
    pub erased: u64,
    /// Where the next portion goes on; `None` if there is none.
    pub next: Option<String>,
}

/// Erases the data of tenants, portion by portion.
#[async_trait]
pub trait Erasure: Send + Sync {
    /// Deletes up to `limit` of the tenant's messages, conversations, events, redrives and the feed. Returns how many; 0 means nothing is
    /// left.
    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError>;

    /// Returns tenants that are not there and of whose callbacks something is left, `limit` at most: a process that died, or
    /// still delivered to an endpoint of theirs, wrote it after the rest was erased.
    async fn left_behind(&self, limit: u32) -> Result<Vec<TenantId>, StoreError>;

    /// Returns the retention time that was kept last, by which the age of records is judged. One that cannot be read is
    /// an error, and no record is old.
    async fn retention_time(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Keeps the retention time. A later one stays.
    async fn keep_retention_time(&self, at: Timestamp) -> Result<(), StoreError>;

    /// Deletes what is old among the records of a portion, in one commit. A record that changes meanwhile so that it is
    /// not old, or not settled, stays.
    async fn erase_aged(&self, portion: &AgedPortion) -> Result<ErasedPortion, StoreError>;
}
