//! Time as the protocol counts it: whole milliseconds since the Unix epoch, UTC.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Clocks that agree may be apart by this much. A time that is more than this ahead was written by a clock that was.
pub const CLOCKS_APART_MAX: Duration = Duration::from_secs(5);

/// The wait between two looks whether a wall that was set back has come to a date.
const WALL_LOOK: Duration = Duration::from_secs(10);

/// A point in time, in milliseconds since the Unix epoch. Every store keeps times in this form, and every timer
/// compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last instant. Every timer is before it.
    pub const MAX: Self = Self(i64::MAX);

    /// Makes the instant `ms` milliseconds after the Unix epoch.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Returns the milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 time with an explicit offset, such as `2026-11-22T10:00:00.123Z`.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let parsed: jiff::Timestamp = text.parse().ok()?;
        Some(Self(parsed.as_millisecond()))
    }

    /// Returns the time from `earlier` until `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

/// The present, by two clocks that mostly agree.
///
/// What Dakghar decides by itself (slots, timers, leases, waits) is a length of time after something that happened, and
/// is judged by `now`, which never runs back. What people and Meta name (`sendAt`, `expiresAt`, the time of a report) is
/// a date, and is judged by `wall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// The time that never runs back.
    pub now: Timestamp,
    /// The date. Never after `now`: a step back is followed at once, a step forward only when `now` believes it.
    pub wall: Timestamp,
}

impl Present {
    /// True if the date has come.
    pub fn has_reached(&self, date: Timestamp) -> bool {
        date <= self.wall
    }

    /// Returns when to look whether the date has come, as `now` counts. That is the date itself, because `now` gets
    /// there first. If it has and the wall has not, somebody may set the wall right at any moment: soon, again.
    pub fn when(&self, date: Timestamp) -> Timestamp {
        if date > self.now || self.has_reached(date) {
            return date;
        }
        // The time runs at half speed while it is ahead of the wall.
        let wait = date.since(self.wall) / 2;
        self.now + wait.clamp(Duration::from_millis(1), WALL_LOOK)
    }
}

impl From<Timestamp> for Present {
    /// Both clocks agree.
    fn from(now: Timestamp) -> Self {
        Self { now, wall: now }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 in UTC with three decimals, the form used in every answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clamped = self.0.clamp(-60_000_000_000_000, 250_000_000_000_000);
        let time = jiff::Timestamp::from_millisecond(clamped).map_err(|_| fmt::Error)?;
        write!(f, "{time:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_three_decimals_and_reads_them_back() {
        let at = Timestamp::from_millis(1_763_805_600_120);
        assert_eq!(at.to_string(), "2025-11-22T10:00:00.120Z");
        assert_eq!(Timestamp::parse_rfc3339(&at.to_string()), Some(at));
    }

    #[test]
    fn a_date_comes_when_the_wall_shows_it() {
        let at = |ms| Timestamp::from_millis(ms);
        let agreed = Present::from(at(5_000));
        assert_eq!(agreed.when(at(9_000)), at(9_000));
        assert_eq!(agreed.when(at(3_000)), at(3_000));
        // An hour ahead, and so at half speed for two hours.
        let ahead = Present {
            now: at(3_600_000),
            wall: at(0),
        };
        assert!(ahead.has_reached(at(0)) && !ahead.has_reached(at(1)));
        assert_eq!(ahead.when(at(6_000)), at(3_603_000));
        assert_eq!(ahead.when(at(3_600_000)), at(3_610_000), "the wall may be set right");
        assert_eq!(ahead.when(at(7_200_000)), at(7_200_000), "they meet there");
        assert_eq!(ahead.when(at(9_000_000)), at(9_000_000));
    }

    #[test]
    fn refuses_a_time_without_an_offset_or_an_impossible_day() {
        assert_eq!(Timestamp::parse_rfc3339("2026-11-22T10:00:00"), None);
        assert_eq!(Timestamp::parse_rfc3339("2025-02-30T10:00:00Z"), None);
    }
}
