//! The breaker of an endpoint: it stops the calls of a receiver that takes nothing, and finds out when it does again.
//!
//! A receiver that refuses an event is alive, and may take all others: a refusal never opens it, and closes it. What has failed
//! before says less of a receiver than what is tried for the first time: alone it never keeps an entry that is new from being tried.

use std::time::Duration;

use super::end::CallEnd;
use crate::domain::time::Timestamp;

/// Failures in a row that open it, refusals left out.
const FAILURES_MAX: u32 = 10;
/// First tries in a minute of which half failed, other than by a refusal, open it as well.
const CALLS_MIN: u32 = 20;
/// The length of the span in which calls are counted.
const SPAN: Duration = Duration::from_mins(1);
/// The wait for the first probe.
const PROBE_WAIT: Duration = Duration::from_secs(30);
/// The longest wait between two probes.
const PROBE_WAIT_MAX: Duration = Duration::from_mins(15);
/// An endpoint that took nothing for so long is disabled.
pub const DISABLED_AFTER: Duration = Duration::from_hours(5 * 24);

/// What a call was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The first try of what was called with.
    First,
    /// Something of it has failed before.
    Again,
}

/// What the latest calls say of a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointBreaker {
    /// Calls in a row that failed.
    pub failures: u32,
    /// When the first of them failed.
    pub failing_since: Option<Timestamp>,
    /// Set while it is open.
    pub open: Option<OpenBreaker>,
    /// Calls in a row that failed and were not refused. Not kept: after a restart they are counted anew.
    unanswered: u32,
    /// True if a first try opened it, or has failed since. Not kept: after a restart one may be tried.
    new_fails: bool,
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
            unanswered: 0,
            new_fails: false,
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

    /// Returns how many calls may be under way if another first try is among them. Where only what had failed before has opened
    /// it, that one may go at once.
    pub fn room_for_first(&self, now: Timestamp, most: u32) -> u32 {
        let may_be_well = self.open.is_some() && !self.new_fails;
        self.room(now, most).max(u32::from(may_be_well))
    }

    /// Has the next probe go at once: somebody says that the receiver may be well again.
    pub fn probe_now(&mut self, now: Timestamp) {
        if let Some(open) = &mut self.open {
            open.probe_at = open.probe_at.min(now);
        }
    }

    /// Returns when to ask again, if that is not at once.
    pub fn probe_at(&self, now: Timestamp) -> Option<Timestamp> {
        let open = self.open.filter(|open| open.probe_at > now)?;
        Some(open.probe_at.min(now + PROBE_WAIT_MAX))
    }

    /// Takes note of a call that was taken. Returns true if that closed it.
    pub fn succeeded(&mut self, now: Timestamp, tried: Tried) -> bool {
        (self.failures, self.failing_since) = (0, None);
        self.is_alive(now, tried)
    }

    /// Takes note of a call that failed. Returns true if that opened it.
    pub fn failed(&mut self, now: Timestamp, tried: Tried, end: CallEnd) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        if end.is_refusal() {
            self.is_alive(now, tried);
            return false;
        }
        if tried == Tried::First {
            self.count(now, true);
        }
        self.unanswered = self.unanswered.saturating_add(1);
        if let Some(open) = &mut self.open {
            self.new_fails |= tried == Tried::First;
            // Calls that began before it opened are no probes.
            if open.probe_at <= now {
                open.probes = open.probes.saturating_add(1);
                open.probe_at = now + wait(open.probes);
            }
            return false;
        }
        let half = self.span.calls >= CALLS_MIN && 2 * self.span.failures >= self.span.calls;
        if self.unanswered < FAILURES_MAX && !half {
            return false;
        }
        self.new_fails = tried == Tried::First;
        self.open = Some(OpenBreaker {
            since: now,
            probe_at: now + PROBE_WAIT,
            probes: 0,
        });
        true
    }

    /// The receiver took a call, or refused it. Returns true if that closed it.
    fn is_alive(&mut self, now: Timestamp, tried: Tried) -> bool {
        // Calls that began before it opened are no probes.
        let is_probe = match tried {
            Tried::First => self.room_for_first(now, 1) > 0,
            Tried::Again => self.room(now, 1) > 0,
        };
        if tried == Tried::First {
            self.count(now, false);
        }
        self.unanswered = 0;
        let was_open = is_probe && self.open.take().is_some();
        if was_open {
            (self.span, self.new_fails) = (Span::default(), false);
        }
        was_open
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

    const DOWN: CallEnd = CallEnd::Answered(503);
    const REFUSED: CallEnd = CallEnd::Answered(422);
    const START: Timestamp = Timestamp::from_millis(1_760_000_000_000);

    fn after(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    fn opened() -> EndpointBreaker {
        let mut breaker = EndpointBreaker::default();
        for n in 1..=FAILURES_MAX {
            assert_eq!(breaker.failed(START, Tried::First, DOWN), n == FAILURES_MAX);
        }
        breaker
    }

    #[test]
    fn ten_failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut breaker = EndpointBreaker::default();
        for _ in 0..FAILURES_MAX - 1 {
            assert!(!breaker.failed(START, Tried::First, DOWN));
        }
        breaker.succeeded(START, Tried::First);
        assert!(!breaker.failed(after(61), Tried::First, DOWN));
        assert_eq!((breaker.room(after(61), 8), opened().room(START, 8)), (8, 0));
    }

    #[test]
    fn half_of_twenty_in_a_minute_open_it_and_the_same_in_two_do_not() {
        let opens = |seconds_between: u64| {
            let mut breaker = EndpointBreaker::default();
            (0..20).any(|n| {
                let now = after(n * seconds_between);
                if n % 2 == 0 {
                    breaker.succeeded(now, Tried::First);
                    false
                } else {
                    breaker.failed(now, Tried::First, DOWN)
                }
            })
        };
        assert!(opens(1));
        assert!(!opens(7));
    }

    #[test]
    fn a_refusal_never_opens_it_and_closes_it() {
        let mut breaker = EndpointBreaker::default();
        for n in 0..200 {
            let tried = if n % 2 == 0 { Tried::First } else { Tried::Again };
            assert!(!breaker.failed(after(n / 10), tried, REFUSED));
        }
        assert_eq!(breaker.room(after(20), 8), 8);
        // What is refused between them shows that the others are about the events too.
        for _ in 0..FAILURES_MAX {
            assert!(!breaker.failed(after(120), Tried::Again, DOWN));
            assert!(!breaker.failed(after(120), Tried::Again, REFUSED));
        }

        let mut breaker = opened();
        breaker.failed(after(29), Tried::First, REFUSED);
        assert_eq!(breaker.room(after(29), 8), 0, "it had begun before");
        breaker.failed(after(30), Tried::First, REFUSED);
        assert_eq!((breaker.room(after(30), 8), breaker.failing_since), (8, Some(START)));
    }

    #[test]
    fn failures_of_what_had_failed_before_do_not_keep_others_from_being_tried() {
        let mut breaker = EndpointBreaker::default();
        assert!((0..FAILURES_MAX).any(|_| breaker.failed(after(30), Tried::Again, DOWN)));
        assert_eq!(
            (breaker.room(after(31), 8), breaker.room_for_first(after(31), 8)),
            (0, 1)
        );
        assert!(!breaker.succeeded(after(31), Tried::Again), "it had begun before");
        assert!(breaker.succeeded(after(31), Tried::First));
        assert_eq!(breaker.room(after(31), 8), 8);

        // However many they are beside what is taken.
        for _ in 0..100 {
            breaker.succeeded(after(32), Tried::First);
            assert!(!breaker.failed(after(32), Tried::Again, DOWN));
        }

        // Of one that is down the first that is tried tells.
        assert!((0..FAILURES_MAX).any(|_| breaker.failed(after(40), Tried::Again, DOWN)));
        breaker.failed(after(41), Tried::First, DOWN);
        assert_eq!(breaker.room_for_first(after(42), 8), 0);
        breaker.probe_now(after(42));
        assert_eq!((breaker.room(after(42), 8), breaker.probe_at(after(42))), (1, None));
        breaker.failed(after(42), Tried::Again, DOWN);
        assert_eq!(breaker.probe_at(after(43)), Some(after(42 + 60)));
    }

    #[test]
    fn probes_go_one_at_a_time_and_ever_later() {
        let mut breaker = opened();
        let mut at = 30;
        for wait in [60, 120, 240, 480, 900, 900] {
            assert_eq!((breaker.room(after(at - 1), 8), breaker.room(after(at), 8)), (0, 1));
            assert_eq!(breaker.probe_at(after(at - 1)), Some(after(at)));
            assert!(!breaker.failed(after(at), Tried::First, DOWN));
            at += wait;
        }
        assert!(breaker.succeeded(after(at), Tried::First));
        assert_eq!(breaker.room(after(at), 8), 8);
        assert_eq!(breaker.failing_since, None);
    }

    #[test]
    fn calls_that_began_before_it_opened_are_no_probes() {
        let mut breaker = opened();
        breaker.failed(after(1), Tried::First, DOWN);
        assert!(!breaker.succeeded(after(2), Tried::First));
        assert_eq!(breaker.probe_at(after(2)), Some(after(30)));
        assert_eq!((breaker.room(after(2), 8), breaker.room(after(30), 8)), (0, 1));
    }

    #[test]
    fn five_days_of_failures_disable_it_and_a_success_begins_them_anew() {
        let mut breaker = opened();
        let days = |days: u64| after(days * 24 * 60 * 60);
        assert!(!breaker.has_given_up(days(4)) && breaker.has_given_up(days(5)));
        breaker.succeeded(days(4), Tried::First);
        breaker.failed(days(5), Tried::First, DOWN);
        assert!(!breaker.has_given_up(days(9)));
    }
}
