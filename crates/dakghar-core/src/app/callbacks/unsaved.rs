//! What was done and is not written down yet.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::Place;
use crate::domain::callback::{Attempt, CallbackException};
use crate::domain::endpoint::DisabledReason;

/// Results that are written down at once.
const RESULTS_MAX: usize = 250;
/// The longest that a result waits for others.
const WAIT_MAX: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Unsaved {
    /// By their places; `None` for one that is over.
    pub(super) exceptions: BTreeMap<Place, Option<CallbackException>>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) disable: Option<DisabledReason>,
    results: usize,
    /// Since when something waits, by the time since this machine was started.
    since: Option<Duration>,
}

impl Unsaved {
    /// Takes note that something is to be written down.
    pub(super) fn note(&mut self, now: Duration, results: usize) {
        self.results += results;
        self.since.get_or_insert(now);
    }

    /// When it is to be written down. At once if nothing is under way that could come along.
    pub(super) fn due_at(&self, is_idle: bool) -> Option<Duration> {
        let since = self.since?;
        let is_due = is_idle || self.results >= RESULTS_MAX || self.disable.is_some();
        Some(if is_due { since } else { since + WAIT_MAX })
    }
}
