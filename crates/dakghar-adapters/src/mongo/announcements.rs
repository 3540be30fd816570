//! For how long arrivals were seen to be only announced. Measured here, so that no clock of another machine counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The wait between two looks for what was left announced.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What was seen to be announced at the last look, and since when.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    looks_at: Option<Instant>,
    since: HashMap<Arc<str>, Instant>,
}

impl Announcements {
    /// True if it is time for a look, which is then taken for done.
    pub(super) fn begin_look(&mut self, now: Instant) -> bool {
        let is_due = self.looks_at.is_none_or(|at| now >= at);
        if is_due {
            self.looks_at = Some(now + LOOK_EVERY);
        }
        is_due
    }

    /// Notes what is announced, and forgets what is not any more.
    pub(super) fn see<'a>(&mut self, found: impl Iterator<Item = &'a Arc<str>>, now: Instant) {
        let seen = found.map(|id| (id.clone(), self.since.get(id).copied().unwrap_or(now)));
        self.since = seen.collect();
    }

    /// True if it was seen to be announced for so long.
    pub(super) fn has_been(&self, id: &str, for_so_long: Duration, now: Instant) -> bool {
        let since = self.since.get(id);
        since.is_some_and(|since| now.saturating_duration_since(*since) >= for_so_long)
    }
}
