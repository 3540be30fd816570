//! Measures the time of one call.

use std::time::{Duration, Instant};

/// The time since a call began.
pub(super) struct Timer(Instant);

impl Timer {
    /// Begins to measure.
    #[expect(clippy::disallowed_methods, reason = "measures how long a call takes")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
