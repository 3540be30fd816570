//! How far an endpoint is.

use super::attempt::AttemptLog;
use super::breaker::EndpointBreaker;
use super::exception::CallbackException;
use super::replay::ReplayProgress;
use super::waiting_line::WaitingLine;
use crate::domain::endpoint::Endpoint;
use crate::domain::feed::Place;
use crate::domain::ids::{EndpointId, TenantId};
use crate::domain::time::Timestamp;

/// The most exceptions of an endpoint that are not dead. With so many its place stands still. Replays may add
/// [`REPLAYED_MAX`] to them.
pub const EXCEPTIONS_MAX: u32 = 10_000;
/// The most exceptions of an endpoint that replays brought and that are not dead. With so many, what fails in a replay is dead
/// at once, and what an earlier one of its conversation is in the way of waits for it where it is.
pub const REPLAYED_MAX: u32 = 5_000;

/// What was delivered to an endpoint, and how its receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackProgress {
    /// The id under which it is kept: [`Endpoint::kept_under`].
    pub endpoint_id: EndpointId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Everything up to here was delivered, was not wanted, is an exception, or waits in one of the lines.
    pub after: Place,
    /// Conversations of which entries wait together, at most [`WAITING_LINES_MAX`](super::WAITING_LINES_MAX), in the order of
    /// their ids.
    pub waiting: Vec<WaitingLine>,
    /// How the receiver is.
    pub breaker: EndpointBreaker,
    /// The receiver asked not to be called before this time.
    pub not_before: Option<Timestamp>,
    /// Entries that were delivered.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Entries that went out of the feed before they could be delivered.
    pub expired: u64,
    /// The latest delivery.
    pub delivered_at: Option<Timestamp>,
    /// The latest failure.
    pub failed_at: Option<Timestamp>,
    /// The latest replay.
    pub replay: Option<ReplayProgress>,
    /// The time of the last save.
    pub updated_at: Timestamp,
    /// Counts saves; a save must name the version it read. 0 if it was never saved.
    pub version: u64,
}

impl CallbackProgress {
    /// The number of entries that wait together, behind the exceptions of their conversations.
    pub fn waiting_together(&self) -> u64 {
        self.waiting.iter().map(|line| line.entries).sum()
    }

    /// The progress of an endpoint of which nothing was delivered yet.
    pub fn new(endpoint: &Endpoint, now: Timestamp) -> Self {
        Self {
            endpoint_id: endpoint.kept_under,
            tenant_id: endpoint.tenant_id,
            after: endpoint.start,
            waiting: Vec::new(),
            breaker: EndpointBreaker::default(),
            not_before: None,
            delivered: 0,
            failed: 0,
            expired: 0,
            delivered_at: None,
            failed_at: None,
            replay: None,
            updated_at: now,
            version: 0,
        }
    }
}

/// What a process writes down after some calls, together. The exceptions are durable before the place moves past them.
#[derive(Clone, Debug, PartialEq)]
pub struct Advance {
    /// The endpoint's progress, under the version that was read.
    pub progress: CallbackProgress,
    /// Exceptions that are new or have changed.
    pub exceptions: Vec<CallbackException>,
    /// Places of exceptions that are over.
    pub over: Vec<Place>,
    /// The attempts that were made, if any.
    pub attempts: Option<AttemptLog>,
}
