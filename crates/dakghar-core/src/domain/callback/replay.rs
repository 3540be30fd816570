//! Entries that are handed to an endpoint once more, on request.

use crate::domain::feed::Place;
use crate::domain::ids::ReplayId;
use crate::domain::time::Timestamp;

/// What is to be delivered again. The endpoint's record has the latest request; the process that delivers carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayRequest {
    /// Our id of it.
    pub id: ReplayId,
    /// The place before the first entry.
    pub after: Place,
    /// The place of the last entry.
    pub until: Place,
    /// True if only dead callbacks are meant.
    pub only_dead: bool,
    /// True if it is to end where it is.
    pub is_cancelled: bool,
    /// The time of the request.
    pub requested_at: Timestamp,
}

/// How far a replay is. One that ended stays until the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayProgress {
    /// The request.
    pub id: ReplayId,
    /// Everything up to here was delivered again, or is an exception.
    pub at: Place,
    /// Entries that were delivered again so far.
    pub delivered: u64,
    /// Entries that became exceptions.
    pub failed: u64,
    /// The time it ended.
    pub ended_at: Option<Timestamp>,
}
