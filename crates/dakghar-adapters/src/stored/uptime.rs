//! The time since this machine was started.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Goes on while the machine is suspended; the clock of `std::time::Instant` does not.
#[cfg(target_os = "linux")]
const SINCE_BOOT: ClockId = ClockId::Boottime;
/// Other systems are for development only.
#[cfg(not(target_os = "linux"))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

/// Returns the time since the boot, in suspend or not. It never steps.
pub(crate) fn uptime() -> Duration {
    let time = clock_gettime(SINCE_BOOT);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}
