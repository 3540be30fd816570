//! The simulator's clock. A Meta has a time of its own, which no gateway can set.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Now, to plan what happens later.
#[expect(clippy::disallowed_methods, reason = "the one place of the simulator that reads it")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time since the start of 1970; zero on a machine whose clock is before that.
#[expect(clippy::disallowed_methods, reason = "the one place of the simulator that reads it")]
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Now, for people to read.
#[expect(clippy::disallowed_methods, reason = "the one place of the simulator that reads it")]
pub(crate) fn timestamp() -> Timestamp {
    Timestamp::now()
}
