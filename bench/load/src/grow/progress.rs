//! Tells on standard error how far it is, when it takes long.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

const INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    total: u64,
    done: AtomicU64,
    started: Instant,
    told: Mutex<Instant>,
}

impl Progress {
    pub(super) fn towards(total: u64) -> Self {
        let started = Instant::now();
        Self {
            total,
            done: AtomicU64::new(0),
            started,
            told: Mutex::new(started),
        }
    }

    pub(super) fn add(&self, count: u64) {
        let done = self.done.fetch_add(count, Ordering::Relaxed) + count;
        let mut told = self.told.lock();
        if told.elapsed() >= INTERVAL {
            *told = Instant::now();
            let per_second = done / self.started.elapsed().as_secs().max(1);
            let _ = writeln!(
                std::io::stderr(),
                "    {done} of {} messages cloned, {per_second}/s",
                self.total
            );
        }
    }
}
