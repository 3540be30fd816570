//! The leases that this process sees running out, and for how long it has seen them.
//!
//! The clocks of two machines may be an hour apart, and their boot times have nothing to do with each other. So the
//! time in a lease does not tell whether it is over. What does: this process has seen the message under the same lease
//! all the while that a lease lasts, counted by itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::{Message, MessageKey};

/// Leases watched at a time. Past that the oldest are dropped, and watched from the beginning when they are seen again.
const WATCHED_MAX: usize = 10_000;

struct Watched {
    epoch: u64,
    /// Two processes may try to claim under the same epoch; one of them does.
    owner: Option<Arc<str>>,
    since: Duration,
}

/// The leases that are watched.
#[derive(Default)]
pub(in crate::app) struct LeaseWatch {
    watched: Mutex<HashMap<MessageKey, Watched>>,
}

impl LeaseWatch {
    /// Begins to watch a lease that this process is about to take. One that it failed to take before does not count.
    pub(super) fn begin(&self, message: &Message, uptime: Duration) {
        self.forget(&message.key());
        self.see(message, uptime);
    }

    /// Sees the message under its lease. Returns for how long it has been seen under it; `uptime` is the machine's.
    pub(super) fn see(&self, message: &Message, uptime: Duration) -> Duration {
        let (key, epoch) = (message.key(), message.delivery.epoch);
        let owner = message.delivery.lease.as_ref().map(|lease| lease.owner.clone());
        let mut watched = self.watched.lock();
        if let Some(known) = watched.get(&key)
            && (known.epoch, &known.owner) == (epoch, &owner)
        {
            return uptime.saturating_sub(known.since);
        }
        if watched.len() >= WATCHED_MAX {
            let mut begun: Vec<Duration> = watched.values().map(|known| known.since).collect();
            let (_, middle, _) = begun.select_nth_unstable(WATCHED_MAX / 2);
            let middle = *middle;
            watched.retain(|_, known| known.since > middle);
        }
        watched.insert(
            key,
            Watched {
                epoch,
                owner,
                since: uptime,
            },
        );
        Duration::ZERO
    }

    /// Ends the watch of a message: it was taken over, or its call has ended.
    pub(super) fn forget(&self, key: &MessageKey) {
        self.watched.lock().remove(key);
    }
}
