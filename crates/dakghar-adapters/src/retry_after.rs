//! The header `Retry-After`, as servers of all kinds write it.

use std::time::Duration;

use dakghar_core::domain::time::Timestamp;
use jiff::fmt::rfc2822;

/// The longest wait that is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// Seconds, or a date; a date is judged by the clock of the answer (its header `Date`) where it has one, so that ours
/// may be wrong, and one in the past is now. At most a day. `otherwise` where a wait is asked for and it is not understood
/// for how long.
pub(crate) fn retry_after(
    asked: Option<&[u8]>,
    date: Option<&[u8]>,
    now: Timestamp,
    otherwise: Option<Duration>,
) -> Option<Duration> {
    let asked = asked?.trim_ascii();
    if asked.is_empty() {
        return None;
    }
    let wait = if asked.iter().all(u8::is_ascii_digit) {
        // What is too large for a number is a very long time.
        let seconds = std::str::from_utf8(asked).ok().and_then(|digits| digits.parse().ok());
        Duration::from_secs(seconds.unwrap_or(u64::MAX))
    } else if let Some(until) = http_date(asked) {
        until.since(date.and_then(http_date).unwrap_or(now))
    } else {
        otherwise?
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

fn http_date(text: &[u8]) -> Option<Timestamp> {
    let parsed = rfc2822::DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text.trim_ascii())
        .ok()?;
    Some(Timestamp::from_millis(parsed.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_a_wait_and_never_nothing() {
        const HOUR: u64 = 3_600;
        // 2026-11-22T10:00:00Z
        let now = Timestamp::from_millis(1_795_341_600_000);
        let otherwise = Some(Duration::from_secs(HOUR));
        for (asked, date, wait) in [
            ("0", None, Some(0)),
            (" 120 ", None, Some(120)),
            ("86401", None, Some(86_400)),
            ("18446744073709551616", None, Some(86_400)),
            ("999999999999999999999999999999", None, Some(86_400)),
            ("Sun, 22 Nov 2026 10:01:30 GMT", None, Some(90)),
            (
                "Sun, 22 Nov 2026 10:01:30 GMT",
                Some("Sun, 22 Nov 2026 10:01:00 GMT"),
                Some(30),
            ),
            ("Sun, 22 Nov 2026 10:01:30 GMT", Some("yesterday"), Some(90)),
            // The weekday is wrong.
            ("Mon, 22 Nov 2026 10:01:30 GMT", None, Some(90)),
            ("Sun, 22 Nov 2026 09:59:59 GMT", None, Some(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", None, Some(0)),
            ("Fri, 31 Dec 2100 23:59:59 GMT", None, Some(86_400)),
            // Later than there are times.
            ("Fri, 31 Dec 9999 23:59:59 GMT", None, Some(HOUR)),
            ("soon", None, Some(HOUR)),
            ("-1", None, Some(HOUR)),
            ("1.5", None, Some(HOUR)),
            ("1e9", None, Some(HOUR)),
            ("120, 240", None, Some(HOUR)),
            ("Sun, 22 Nov 2026", None, Some(HOUR)),
            ("\u{1f570}", None, Some(HOUR)),
            ("", None, None),
            ("  ", None, None),
        ] {
            let (asked, date) = (asked.as_bytes(), date.map(str::as_bytes));
            let found = retry_after(Some(asked), date, now, otherwise);
            let shown = String::from_utf8_lossy(asked);
            assert_eq!(found, wait.map(Duration::from_secs), "{shown:?}");
            if wait == Some(HOUR) {
                assert_eq!(retry_after(Some(asked), date, now, None), None, "{shown:?}");
            }
        }
        assert_eq!(retry_after(None, None, now, otherwise), None);
    }
}
