//! The breaker of an endpoint: it stops the calls of a receiver that takes nothing, and finds out when it does again.

use std::time::Duration;

use crate::domain::time::Timestamp;

/// Failures in a row that open it.
const FAILURES_MAX: u32 = 10;
/// Calls in a minute of which half failed open it as well.
const CALLS_MIN: u32 = 20;
/// The length of the span in which calls are counted.
const SPAN: Duration = Duration::from_mins(1);
/// The wait for the first probe.
const PROBE_WAIT: Duration = Duration::from_secs(30);
/// The longest wait between two probes.
const PROBE_WAIT_MAX: Duration = Duration::from_mins(15);
/// An endpoint that took nothing for so long is disabled.
pub const DISABLED_AFTER: Duration = Duration::from_hours(5 * 24);

/// What the latest calls say of a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointBreaker {
    /// Calls in a row that failed.
    pub failures: u32,
    /// When the first of them failed.
    pub failing_since: Option<Timestamp>,
    /// Set while it is open.
    pub open: Option<OpenBreaker>,
    /// The calls of the present span. Not kept: after a restart it begins anew.
    span: Span,
}

/// The state of an open breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenBreaker {
    /// The time it opened.
    pub since: Timestamp,
    /// The time from which one call may go.
    pub probe_at: Timestamp,
    /// Probes that failed.
    pub probes: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    from: Option<Timestamp>,
    calls: u32,
    failures: u32,
}

impl EndpointBreaker {
    /// Makes one of what was kept.
    pub fn kept(failures: u32, failing_since: Option<Timestamp>, open: Option<OpenBreaker>) -> Self {
        Self {
            failures,
            failing_since,
            open,
            span: Span::default(),
        }
    }

    /// Returns how many calls may be under way: `most` while it is closed, one when a probe is due, else none.
    pub fn room(&self, now: Timestamp, most: u32) -> u32 {
        match self.open {
            None => most,
            // After a step of the clock the time of the probe may be far off.
            Some(open) => u32::from(open.probe_at.min(open.since.max(now) + PROBE_WAIT_MAX) <= now),
        }
    }

    /// Returns when to ask again, if that is not at once.
    pub fn probe_at(&self, now: Timestamp) -> Option<Timestamp> {
        let open = self.open.filter(|open| open.probe_at > now)?;
        Some(open.probe_at.min(now + PROBE_WAIT_MAX))
    }

    /// Takes note of a call that was taken. Returns true if that closed it.
    pub fn succeeded(&mut self, now: Timestamp) -> bool {
        self.count(now, false);
        (self.failures, self.failing_since) = (0, None);
        // Calls that began before it opened are no probes.
        if self.room(now, 1) == 0 {
            return false;
        }
        let was_open = self.open.take().is_some();
        if was_open {
            self.span = Span::default();
        }
        was_open
    }

    /// Takes note of a call that failed. Returns true if that opened it.
    pub fn failed(&mut self, now: Timestamp) -> bool {
        self.count(now, true);
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        if let Some(open) = &mut self.open {
            // Calls that began before it opened are no probes.
            if open.probe_at <= now {
                open.probes = open.probes.saturating_add(1);
                open.probe_at = now + wait(open.probes);
            }
            return false;
        }
        let half = self.span.calls >= CALLS_MIN && 2 * self.span.failures >= self.span.calls;
        if self.failures < FAILURES_MAX && !half {
            return false;
        }
        self.open = Some(OpenBreaker {
            since: now,
            probe_at: now + PROBE_WAIT,
            probes: 0,
        });
        true
    }

    /// True if nothing was taken for [`DISABLED_AFTER`], although it was tried.
    pub fn has_given_up(&self, now: Timestamp) -> bool {
        let since = self.failing_since.filter(|_| self.failures >= FAILURES_MAX);
        since.is_some_and(|since| now.since(since) >= DISABLED_AFTER)
    }

    fn count(&mut self, now: Timestamp, has_failed: bool) {
        let is_over = self.span.from.is_none_or(|from| now.since(from) >= SPAN);
        if is_over {
            self.span = Span {
                from: Some(now),
                ..Span::default()
            };
        }
        self.span.calls += 1;
        self.span.failures += u32::from(has_failed);
    }
}

/// The wait after so many probes that failed.
fn wait(probes: u32) -> Duration {
    let doubled = PROBE_WAIT.saturating_mul(1u32.checked_shl(probes).unwrap_or(u32::MAX));
    doubled.min(PROBE_WAIT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_760_000_000_000);

    fn after(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    fn opened() -> EndpointBreaker {
        let mut breaker = EndpointBreaker::default();
        for n in 1..=FAILURES_MAX {
            assert_eq!(breaker.failed(START), n == FAILURES_MAX);
        }
        breaker
    }

    #[test]
    fn ten_failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut breaker = EndpointBreaker::default();
        for _ in 0..FAILURES_MAX - 1 {
            assert!(!breaker.failed(START));
        }
        breaker.succeeded(START);
        assert!(!breaker.failed(after(61)));
        assert_eq!((breaker.room(after(61), 8), opened().room(START, 8)), (8, 0));
    }

    #[test]
    fn half_of_twenty_in_a_minute_open_it_and_the_same_in_two_do_not() {
        let opens = |seconds_between: u64| {
            let mut breaker = EndpointBreaker::default();
            (0..20).any(|n| {
                let now = after(n * seconds_between);
                if n % 2 == 0 {
                    breaker.succeeded(now);
                    false
                } else {
                    breaker.failed(now)
                }
            })
        };
        assert!(opens(1));
        assert!(!opens(7));
    }

    #[test]
    fn probes_go_one_at_a_time_and_ever_later() {
        let mut breaker = opened();
        let mut at = 30;
        for wait in [60, 120, 240, 480, 900, 900] {
            assert_eq!((breaker.room(after(at - 1), 8), breaker.room(after(at), 8)), (0, 1));
            assert_eq!(breaker.probe_at(after(at - 1)), Some(after(at)));
            assert!(!breaker.failed(after(at)));
            at += wait;
        }
        assert!(breaker.succeeded(after(at)));
        assert_eq!(breaker.room(after(at), 8), 8);
        assert_eq!(breaker.failing_since, None);
    }

    #[test]
    fn calls_that_began_before_it_opened_are_no_probes() {
        let mut breaker = opened();
        breaker.failed(after(1));
        assert!(!breaker.succeeded(after(2)));
        assert_eq!(breaker.probe_at(after(2)), Some(after(30)));
        assert_eq!((breaker.room(after(2), 8), breaker.room(after(30), 8)), (0, 1));
    }

    #[test]
    fn five_days_of_failures_disable_it_and_a_success_begins_them_anew() {
        let mut breaker = opened();
        let days = |days: u64| after(days * 24 * 60 * 60);
        assert!(!breaker.has_given_up(days(4)) && breaker.has_given_up(days(5)));
        breaker.succeeded(days(4));
        breaker.failed(days(5));
        assert!(!breaker.has_given_up(days(9)));
    }
}
