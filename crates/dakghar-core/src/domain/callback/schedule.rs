//! When a callback that was not taken is tried again.

use std::time::Duration;

use crate::domain::time::Timestamp;

/// How long an entry is tried. After that it is dead for its endpoint.
pub const TRIED_FOR: Duration = Duration::from_hours(72);
/// The longest that a receiver's `Retry-After` is honoured.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// The waits after the first attempts.
const WAITS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];
/// The wait after each later one.
const WAIT_MAX: Duration = Duration::from_hours(12);
/// The share by which a wait is shorter or longer at random, so that what failed together does not come back together.
const JITTER: f64 = 0.2;

/// Returns when to try again after `attempts` attempts, the first of which failed at `since`; `None` if that was the last
/// one. The last attempt is made when [`TRIED_FOR`] is over. `jitter` is 0 to 1, `asked` what the receiver asked for.
pub fn next_attempt(
    since: Timestamp,
    now: Timestamp,
    attempts: u32,
    jitter: f64,
    asked: Option<Duration>,
) -> Option<Timestamp> {
    let ends_at = since + TRIED_FOR;
    if now >= ends_at {
        return None;
    }
    let index = attempts.saturating_sub(1) as usize;
    let wait = WAITS.get(index).copied().unwrap_or(WAIT_MAX);
    let wait = wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * jitter.clamp(0.0, 1.0));
    let wait = wait.max(asked.unwrap_or_default().min(RETRY_AFTER_MAX));
    Some((now + wait).min(ends_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_760_000_000_000);

    #[test]
    fn an_entry_is_tried_at_the_stated_times_and_the_last_time_after_three_days() {
        let (mut now, mut minutes) = (START, Vec::new());
        for attempts in 1.. {
            let Some(next) = next_attempt(START, now, attempts, 0.5, None) else {
                break;
            };
            now = next;
            minutes.push(next.since(START).as_secs() / 60);
        }
        assert_eq!(minutes, [0, 5, 35, 155, 455, 1_055, 1_655, 2_375, 3_095, 3_815, 4_320]);
    }

    #[test]
    fn waits_differ_by_a_fifth_and_a_receiver_may_ask_for_an_hour() {
        let wait = |attempts, jitter, asked| {
            let next = next_attempt(START, START, attempts, jitter, asked).expect("not the last");
            next.since(START)
        };
        assert_eq!(
            (wait(1, 0.0, None), wait(1, 1.0, None)),
            (Duration::from_secs(4), Duration::from_secs(6))
        );
        assert_eq!(wait(1, 0.5, Some(Duration::from_secs(90))), Duration::from_secs(90));
        assert_eq!(wait(1, 0.5, Some(Duration::from_hours(9))), Duration::from_hours(1));
        assert_eq!(wait(4, 0.5, Some(Duration::from_secs(1))), Duration::from_hours(2));
    }
}
