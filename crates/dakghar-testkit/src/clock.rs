//! Time for tests: held still and moved by hand, or real.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::{Present, Timestamp};
use dakghar_core::ports::{Clock, Sleeper};

/// When the time of tests begins: 2026-11-22T10:00:00Z.
pub const START: Timestamp = Timestamp::from_millis(1_795_341_600_000);

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock that shows `now`.
    pub const fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_millis()))
    }

    /// Moves it to `now`, also backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Moves it forward, in whole milliseconds. Answers what it shows then.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let now = self.now() + by;
        self.set(now);
        now
    }
}

impl Default for TestClock {
    /// A clock that shows [`START`].
    fn default() -> Self {
        Self::new(START)
    }
}

impl Clock for TestClock {
    fn present(&self) -> Present {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst)).into()
    }

    /// Since [`START`].
    fn uptime(&self) -> Duration {
        self.now().since(START)
    }
}

/// The real time, for what must really wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn present(&self) -> Present {
        Timestamp::from_millis(jiff::Timestamp::now().as_millisecond()).into()
    }

    fn uptime(&self) -> Duration {
        self.now().since(START)
    }
}

/// Waits for nothing: where the clock stands still, no wait would end.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSleep;

#[async_trait]
impl Sleeper for NoSleep {
    async fn sleep(&self, _time: Duration) {}
}
