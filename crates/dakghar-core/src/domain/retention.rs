//! The time by which the age of records is judged.
//!
//! Erasing cannot be taken back, and with a message goes its idempotency key. A clock by itself is no evidence that a
//! record is old: it may be wrong from the start of a process on, and there may be no other one. So the retention time
//! follows the clock only as far as processes have watched time pass, by the time since the boot, which nobody can set.

use std::time::Duration;

use super::time::Timestamp;

/// The retention time moves at most so many times as fast as the time that is watched: one part of it is the time itself,
/// the rest catches up on time that nobody watched.
pub const CATCHES_UP: u32 = 2;
/// An installation that has no retention time yet begins so long before its clock. It is as long as the least time that
/// records are kept.
pub const BEGINS_BEFORE: Duration = Duration::from_hours(30 * 24);
/// 2026-01-01. What was kept before this is of a machine that had no time when it was started: it is as good as none.
const FIRST_BELIEVED: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The retention time as one process knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchedTime {
    /// The retention time at the last look.
    pub at: Timestamp,
    /// The time since the boot at the last look.
    pub seen: Duration,
}

impl WatchedTime {
    /// Begins to watch. `kept` is what the installation reached before; `now` is what the clock shows.
    pub fn begin(kept: Option<Timestamp>, now: Timestamp, uptime: Duration) -> Self {
        let kept = kept.filter(|at| *at >= FIRST_BELIEVED);
        Self {
            at: kept.unwrap_or(now - BEGINS_BEFORE),
            seen: uptime,
        }
    }

    /// Looks again: the retention time has come nearer to the clock, by [`CATCHES_UP`] times the time since the last look
    /// at most. `kept` is what other processes have reached meanwhile, who are bound by the same. It never goes back, so
    /// it may be ahead of a clock that was set right.
    #[must_use]
    pub fn look(self, kept: Option<Timestamp>, now: Timestamp, uptime: Duration) -> Self {
        let passed = uptime.saturating_sub(self.seen);
        let near = now.min(self.at + passed * CATCHES_UP);
        Self {
            at: near.max(self.at).max(kept.unwrap_or(self.at)),
            seen: uptime.max(self.seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_000);
    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);

    fn begun() -> WatchedTime {
        WatchedTime::begin(Some(NOW), NOW, DAY)
    }

    #[test]
    fn it_follows_a_clock_that_is_right() {
        let mut watched = begun();
        for hour in 1..=1_000 {
            watched = watched.look(Some(watched.at), NOW + HOUR * hour, DAY + HOUR * hour);
            assert_eq!(watched.at, NOW + HOUR * hour);
        }
    }

    #[test]
    fn of_a_clock_that_is_ahead_it_believes_twice_the_time_that_was_watched() {
        let ahead = NOW + DAY * 400;
        let watched = WatchedTime::begin(Some(NOW), ahead, DAY);
        assert_eq!(watched.at, NOW);
        assert_eq!(watched.look(None, ahead, DAY).at, NOW);
        let later = watched.look(None, ahead + HOUR, DAY + HOUR);
        assert_eq!(later.at, NOW + HOUR * 2);
        // Right again: it waits until the clock has come up to it.
        let right = later.look(None, NOW + HOUR, DAY + HOUR);
        assert_eq!(right.at, NOW + HOUR * 2);
        assert_eq!(right.look(None, NOW + HOUR * 5, DAY + HOUR * 5).at, NOW + HOUR * 5);
    }

    #[test]
    fn it_catches_up_on_a_month_that_nobody_watched_in_a_month() {
        let now = NOW + DAY * 30;
        let watched = WatchedTime::begin(Some(NOW), now, HOUR);
        let later = watched.look(None, now + DAY * 29, HOUR + DAY * 29);
        assert_eq!(later.at, NOW + DAY * 58);
        let later = watched.look(None, now + DAY * 31, HOUR + DAY * 31);
        assert_eq!(later.at, now + DAY * 31);
    }

    #[test]
    fn processes_that_watch_together_are_no_faster_than_one() {
        let ahead = NOW + DAY * 400;
        let mut kept = NOW;
        let mut each = [WatchedTime::begin(Some(kept), ahead, DAY); 5];
        for hour in 1..=10 {
            for watched in &mut each {
                *watched = watched.look(Some(kept), ahead, DAY + HOUR * hour);
                kept = watched.at;
            }
        }
        assert_eq!(kept, NOW + HOUR * 20);
    }

    #[test]
    fn an_installation_that_has_none_begins_a_month_back_and_so_does_one_that_had_no_time() {
        assert_eq!(WatchedTime::begin(None, NOW, HOUR).at, NOW - DAY * 30);
        let without_time = Timestamp::from_millis(0);
        assert_eq!(WatchedTime::begin(Some(without_time), NOW, HOUR).at, NOW - DAY * 30);
    }
}
