//! Attempts to hand an entry to an endpoint.

use std::time::Duration;

use super::end::CallEnd;
use crate::domain::feed::{EntryKind, Place};
use crate::domain::ids::{AttemptLogId, EndpointId, EntryId, TenantId};
use crate::domain::page::Paged;
use crate::domain::time::Timestamp;

/// Bytes that are kept of the answer of a receiver that did not take an entry.
pub const FAILURE_BODY_BYTES_MAX: usize = 1_024;
/// The bytes of an attempt in memory without its answer, about.
const ATTEMPT_BYTES: usize = 200;

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The place of the entry.
    pub place: Place,
    /// The entry.
    pub entry_id: EntryId,
    /// Its kind.
    pub kind: EntryKind,
    /// 1 for the first attempt.
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in whole milliseconds once it was kept.
    pub took: Duration,
    /// How it ended.
    pub end: CallEnd,
    /// The beginning of the answer, if the entry was not taken: at most [`FAILURE_BODY_BYTES_MAX`].
    pub answer: Option<String>,
    /// True if it was part of a replay.
    pub is_replay: bool,
}

impl Attempt {
    /// Returns about as many bytes as it has in memory.
    pub fn bytes(&self) -> usize {
        ATTEMPT_BYTES + self.answer.as_ref().map_or(0, String::len)
    }
}

/// Attempts that were noted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptLog {
    /// Sorts by the time they were noted.
    pub id: AttemptLogId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The id under which it is kept: [`Endpoint::kept_under`](crate::domain::Endpoint::kept_under).
    pub endpoint_id: EndpointId,
    /// The time they were noted.
    pub at: Timestamp,
    /// The attempts, at least one, in the order in which they ended.
    pub attempts: Vec<Attempt>,
}

impl Paged for AttemptLog {
    type Position = AttemptLogId;

    fn position(&self) -> AttemptLogId {
        self.id
    }

    fn bytes(&self) -> usize {
        self.attempts.iter().map(Attempt::bytes).sum()
    }
}
