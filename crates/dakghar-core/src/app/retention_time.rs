//! The time by which the age of records is judged, kept in the store.
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | a look and keeping the time | what was watched since the last look is not counted | nothing to heal: what is old goes a minute later |
//! | keeping the time and erasing | nothing is erased yet | the next pass |

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::Timestamp;
use crate::domain::retention::WatchedTime;
use crate::ports::{Clock, Erasure, Ports, StoreError};

/// The time for which a look is good.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// From here on the log says that what is old is erased late.
const TOLD_FROM: Duration = Duration::from_hours(24);

/// The retention time of the installation. Several watch it, in one process or in many, and none of them makes it faster.
pub(super) struct RetentionTime {
    store: Arc<dyn Erasure>,
    clock: Arc<dyn Clock>,
    watched: Mutex<Option<WatchedTime>>,
}

impl RetentionTime {
    pub(super) fn new(ports: &Ports) -> Self {
        Self {
            store: ports.erasure.clone(),
            clock: ports.clock.clone(),
            watched: Mutex::default(),
        }
    }

    /// Returns the retention time, never later than the clock. Counts what was watched since the last look, so it should be
    /// called every few minutes: what is not counted when the process dies is lost.
    pub(super) async fn look(&self) -> Result<Timestamp, StoreError> {
        let last = *self.watched.lock();
        let up = self.clock.uptime();
        if let Some(last) = last.filter(|last| up.saturating_sub(last.seen) < LOOK_EVERY) {
            return Ok(last.at.min(self.clock.now()));
        }
        let kept = self.store.retention_time().await?;
        // After the answer: what others reached until then is no later than what this process may count from here on.
        let (now, up) = (self.clock.now(), self.clock.uptime());
        let watched = match last {
            Some(last) => last.look(kept, now, up),
            None => WatchedTime::begin(kept, now, up),
        };
        if kept.is_none_or(|kept| kept < watched.at) {
            self.store.keep_retention_time(watched.at).await?;
        }
        // A store that is new has nothing old.
        if last.is_none() && kept.is_some() {
            tell(now.since(watched.at));
        }
        *self.watched.lock() = Some(watched);
        Ok(watched.at.min(now))
    }
}

fn tell(behind: Duration) {
    if behind > TOLD_FROM {
        let days = behind.as_secs() / TOLD_FROM.as_secs();
        tracing::info!(
            days,
            "what is old is erased later by so many days: nobody watched that time pass, and it is caught up with slowly"
        );
    }
}
