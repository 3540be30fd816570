//! The header `Retry-After`, as servers of all kinds write it.

use std::time::Duration;

use dakghar_core::domain::time::Timestamp;
use jiff::fmt::rfc2822;

/// The longest wait that is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// Seconds, or a date; a date is judged by the clock of the answer (its header `Date`) where it has one, so that ours
/// may be wrong. At most a day.
pub(crate) fn retry_after(asked: Option<&str>, date: Option<&str>, now: Timestamp) -> Option<Duration> {
    let asked = asked?.trim();
    let wait = if let Ok(seconds) = asked.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let until = http_date(asked)?;
        let answered_at = date.and_then(http_date).unwrap_or(now);
        until.since(answered_at)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

fn http_date(text: &str) -> Option<Timestamp> {
    let parsed = rfc2822::DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text)
        .ok()?;
    Some(Timestamp::from_millis(parsed.as_millisecond()))
}
