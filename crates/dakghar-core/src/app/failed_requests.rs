//! Requests that failed for the surroundings. Each of them being a line, a full disk would also fill the log: it is told
//! when they begin to fail and when they are carried out again, with their number.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::{ErrorCode, Timestamp};
use crate::episode::Episode;
use crate::ports::{Clock, StoreHealth};

/// The time without a failure after which it is over, if the store can be written.
const QUIET: Duration = Duration::from_secs(5);
/// The codes of surroundings that may fail many requests, and that pass without anybody's change of those.
const KINDS: [ErrorCode; 4] = [
    ErrorCode::StoreFull,
    ErrorCode::StoreUnavailable,
    ErrorCode::Overloaded,
    ErrorCode::ShuttingDown,
];

/// The requests of this process that failed for the surroundings.
pub struct FailedRequests {
    store: Arc<dyn StoreHealth>,
    clock: Arc<dyn Clock>,
    kinds: [Kind; KINDS.len()],
}

#[derive(Default)]
struct Kind {
    episode: Episode,
    times: Mutex<Option<Times>>,
}

/// When something failed.
#[derive(Clone, Copy)]
struct Times {
    first: Timestamp,
    /// By the machine's uptime.
    last: Duration,
}

impl FailedRequests {
    pub(super) fn new(store: Arc<dyn StoreHealth>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            kinds: Default::default(),
        }
    }

    /// Notes that a request failed with this code. Returns true if that must be logged: it is the first of its kind, or
    /// no kind that is counted.
    pub fn note(&self, code: ErrorCode) -> bool {
        let Some(kind) = self.kind(code) else { return true };
        let is_new = kind.episode.note();
        let mut times = kind.times.lock();
        let first = times
            .filter(|_| !is_new)
            .map_or_else(|| self.clock.wall(), |times| times.first);
        let last = self.clock.uptime();
        *times = Some(Times { first, last });
        is_new
    }

    /// Logs what is over. To be called about once a second.
    pub async fn look(&self) {
        let now = self.clock.uptime();
        let is_quiet = |kind: &&Kind| {
            let times = *kind.times.lock();
            kind.episode.goes_on() && times.is_none_or(|times| now.saturating_sub(times.last) >= QUIET)
        };
        let quiet: Vec<_> = KINDS
            .iter()
            .zip(&self.kinds)
            .filter(|(_, kind)| is_quiet(kind))
            .collect();
        if quiet.is_empty() || self.store.ping().await.is_err() {
            return;
        }
        for (code, kind) in quiet {
            if let Some(requests) = kind.episode.end() {
                let code = code.as_str();
                tracing::info!(code, requests, "requests are carried out again; so many failed");
            }
        }
    }

    /// Since when writes are refused because the store is full; `None` while they are not. Returns from memory.
    pub(super) fn store_full_since(&self) -> Option<Timestamp> {
        let kind = self.kind(ErrorCode::StoreFull).filter(|kind| kind.episode.goes_on())?;
        let times = *kind.times.lock();
        times.map(|times| times.first)
    }

    fn kind(&self, code: ErrorCode) -> Option<&Kind> {
        let mut kinds = KINDS.iter().zip(&self.kinds);
        kinds.find(|(of, _)| **of == code).map(|(_, kind)| kind)
    }
}
