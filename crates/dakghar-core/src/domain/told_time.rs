//! When something happened according to Meta, read from a part of a webhook as it is kept.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

use super::time::Timestamp;

/// What Meta tells of is not later than this after it came: its clock and ours may differ.
const LEAD_MAX: Duration = Duration::from_hours(24);

/// Returns the time that Meta tells in a part: the `timestamp` nearest to its top, of several the first, or else the
/// `time` of the entry. `None` if there is none, or if it cannot be because it is later than `received_at`.
pub fn told_at(part: &str, received_at: Timestamp) -> Option<Timestamp> {
    let part: Value = serde_json::from_str(part).ok()?;
    let seconds = nearest_timestamp(&part).or_else(|| seconds_of(part.get("time")?))?;
    let at = Timestamp::from_millis(seconds.checked_mul(1_000)?);
    (seconds > 0 && at <= received_at + LEAD_MAX).then_some(at)
}

fn nearest_timestamp(part: &Value) -> Option<i64> {
    let mut next = VecDeque::from([part]);
    while let Some(value) = next.pop_front() {
        match value {
            Value::Object(fields) => {
                if let Some(seconds) = fields.get("timestamp").and_then(seconds_of) {
                    return Some(seconds);
                }
                next.extend(fields.values());
            }
            Value::Array(elements) => next.extend(elements),
            _ => {}
        }
    }
    None
}

/// Meta writes seconds as a text here and as a number there.
fn seconds_of(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

    fn seconds(part: &str) -> Option<i64> {
        told_at(part, NOW).map(|at| at.as_millis() / 1_000)
    }

    #[test]
    fn the_time_of_the_thing_itself_counts_before_that_of_its_entry() {
        let of_change = |value: &str| format!(r#"{{"id":"9","time":7,"changes":[{{"field":"f","value":{value}}}]}}"#);
        assert_eq!(seconds(&of_change(r#"{"calls":[{"timestamp":"12"}]}"#)), Some(12));
        assert_eq!(
            seconds(&of_change(r#"{"deep":{"er":{"timestamp":13}},"timestamp":12}"#)),
            Some(12)
        );
        assert_eq!(seconds(&of_change(r#"{"event":"PARTNER_ADDED"}"#)), Some(7));
        assert_eq!(
            seconds(r#"{"id":"wamid.1","status":"sent","timestamp":"12"}"#),
            Some(12)
        );
    }

    #[test]
    fn what_tells_no_time_or_an_impossible_one_has_none() {
        for part in [
            "",
            "not json",
            "[]",
            r#"{"timestamp":"soon"}"#,
            r#"{"timestamp":-5}"#,
            r#"{"timestamp":9223372036854775807}"#,
            r#"{"timestamp":1760086401}"#,
        ] {
            assert_eq!(seconds(part), None, "{part}");
        }
        assert_eq!(seconds(r#"{"timestamp":1760086400}"#), Some(1_760_086_400));
    }
}
