//! The waits between attempts of anything that is tried again.

use std::time::Duration;

/// The waits between attempts: exponential, with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The upper bound of the first wait.
    pub base: Duration,
    /// The upper bound of any wait.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(300),
        }
    }
}

impl RetryPolicy {
    /// Returns the wait after the `attempt`-th attempt (from 1). It is `jitter` (0 to 1) of the exponential bound, but
    /// never less than Meta asked for.
    pub fn wait(&self, attempt: u32, jitter: f64, at_least: Option<Duration>) -> Duration {
        let doublings = attempt.saturating_sub(1).min(32);
        let bound = self
            .base
            .saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX))
            .min(self.cap);
        let drawn = bound.mul_f64(jitter.clamp(0.0, 1.0));
        drawn.max(at_least.unwrap_or_default())
    }
}

/// True if an advice says that something is tried again without anybody's doing. Nobody is told so of what has stopped.
pub(super) fn promises_a_try(advice: &str) -> bool {
    advice.contains("Nothing to do") || advice.contains("is tried again")
}
