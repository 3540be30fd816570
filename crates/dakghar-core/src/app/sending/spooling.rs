//! The spool of this process, and what was logged about it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::app::commits::spool::Spools;
use crate::ports::{OutcomeSpool, Ports};

/// The time after which the same is logged again.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// The spool of this process, and what was logged about it.
pub(super) struct Spooling {
    pub(super) spool: Arc<dyn OutcomeSpool>,
    pub(super) commits: Spools,
    /// It was logged that answers are kept.
    pub(super) told: Told,
    /// It was logged that answers cannot be kept.
    pub(super) told_failure: Told,
    /// Parts of which it was logged that they cannot be replayed.
    told_parts: Mutex<HashSet<Arc<str>>>,
}

impl Spooling {
    pub(super) fn new(ports: &Ports, commits: Option<Spools>) -> Option<Self> {
        Some(Self {
            spool: ports.spool.clone()?,
            commits: commits?,
            told: Told::default(),
            told_failure: Told::default(),
            told_parts: Mutex::default(),
        })
    }

    /// Logs a part that cannot be replayed, once.
    pub(super) fn tell_part(&self, part: &Arc<str>, why: &dyn std::fmt::Display) {
        if self.told_parts.lock().insert(part.clone()) {
            tracing::warn!(%part, why = %why, "answers of Meta that an earlier process has kept cannot be stored; the file stays");
        }
    }
}

/// When something was logged last, by the machine's uptime.
#[derive(Default)]
pub(super) struct Told(Mutex<Option<Duration>>);

impl Told {
    /// True if it was not logged for a while. Then it must be.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        let mut told_at = self.0.lock();
        let is_due = told_at.is_none_or(|at| now.saturating_sub(at) >= TOLD_AGAIN_AFTER);
        if is_due {
            *told_at = Some(now);
        }
        is_due
    }
}
