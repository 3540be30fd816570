//! The Graph API versions that Meta still serves, as far as this release knows.
//!
//! An expired version does not fail loudly: Meta answers with the oldest living one. So this is for warnings at start,
//! in `doctor` and in the console; no call is refused because of it.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

/// The time before its end from which a version is reported as expiring.
const WARNING_DAYS: i64 = 90;

/// Major version and the day Meta retires it; `None` while that is not announced. The first row stands for all
/// versions before it.
const TABLE: [(u32, Option<Date>); 7] = [
    (20, Some(date(2026, 9, 24))),
    (21, Some(date(2027, 1, 21))),
    (22, Some(date(2027, 5, 20))),
    (23, Some(date(2027, 10, 8))),
    (24, Some(date(2028, 2, 18))),
    (25, Some(date(2028, 7, 29))),
    (26, None),
];

/// The state of a Graph API version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionStatus {
    /// Served, and for more than 90 days to come.
    Current,
    /// Served until this day, which is at most 90 days away.
    ExpiresSoon(Date),
    /// Not served since this day (of versions before v20.0: since this day at the latest).
    Expired(Date),
    /// Not a version, or one newer than this release knows.
    Unknown,
}

/// Looks up a version such as `v25.0` as of `today`.
pub fn version_status(version: &str, today: Date) -> VersionStatus {
    let Some(major) = version
        .strip_prefix('v')
        .and_then(|rest| rest.split_once('.'))
        .filter(|(_, minor)| *minor == "0")
        .and_then(|(major, _)| major.parse::<u32>().ok())
        .filter(|major| *major > 0)
    else {
        return VersionStatus::Unknown;
    };
    let Some((_, expires)) = TABLE.into_iter().find(|(known, _)| major <= *known) else {
        return VersionStatus::Unknown;
    };
    match expires {
        Some(day) if day <= today => VersionStatus::Expired(day),
        Some(day) if day <= today.saturating_add(WARNING_DAYS.days()) => VersionStatus::ExpiresSoon(day),
        Some(_) | None => VersionStatus::Current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_table() {
        let today = date(2026, 11, 22);
        for (version, expected) in [
            ("v26.0", VersionStatus::Current),
            ("v25.0", VersionStatus::Current),
            ("v21.0", VersionStatus::ExpiresSoon(date(2027, 1, 21))),
            ("v20.0", VersionStatus::Expired(date(2026, 9, 24))),
            ("v2.0", VersionStatus::Expired(date(2026, 9, 24))),
            ("v27.0", VersionStatus::Unknown),
            ("v25", VersionStatus::Unknown),
            ("25.0", VersionStatus::Unknown),
            ("v0.0", VersionStatus::Unknown),
            ("", VersionStatus::Unknown),
            ("v99999999999.0", VersionStatus::Unknown),
        ] {
            assert_eq!(version_status(version, today), expected, "{version}");
        }
    }

    #[test]
    fn warns_from_ninety_days_before_until_the_day_itself() {
        let end = date(2027, 1, 21);
        for (today, expected) in [
            (date(2026, 10, 22), VersionStatus::Current),
            (date(2026, 10, 23), VersionStatus::ExpiresSoon(end)),
            (date(2027, 1, 20), VersionStatus::ExpiresSoon(end)),
            (date(2027, 1, 21), VersionStatus::Expired(end)),
        ] {
            assert_eq!(version_status("v21.0", today), expected, "{today}");
        }
    }
}
