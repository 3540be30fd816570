//! A breaker: it stops the calls of something that cannot be reached, and lets one at a time find out whether it is back.

use std::time::Duration;

use super::retry::RetryPolicy;
use super::time::Timestamp;

/// Failures in a row that open it. A single one may be an accident of one connection.
pub const FAILURES_MAX: u32 = 3;
/// The upper bound of the first wait for a probe.
pub const PROBE_WAIT: Duration = Duration::from_secs(1);
/// The upper bound of any wait for a probe.
pub const PROBE_WAIT_MAX: Duration = Duration::from_secs(30);

/// Decides which calls may be tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Failures since the latest success, while it is closed.
    failures: u32,
    open: Option<Open>,
}

/// The state of an open breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The time it opened.
    pub since: Timestamp,
    /// The time from which the next probe may go.
    pub probe_at: Timestamp,
    /// Probes that failed.
    pub probes: u32,
    is_probing: bool,
}

/// The answer to a call that wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// It may go.
    Go,
    /// It may go, alone, as the probe. Its end must be told to the breaker.
    Probe,
    /// Not before this time, and then it must ask again.
    Wait(Timestamp),
}

impl Breaker {
    /// Asks for a call. `jitter` is 0 to 1.
    pub fn ask(&mut self, now: Timestamp, jitter: f64) -> Pass {
        let Some(open) = &mut self.open else {
            return Pass::Go;
        };
        // After a step of the clock the time of the probe may be far off.
        open.probe_at = open.probe_at.min(now + PROBE_WAIT_MAX);
        if open.probe_at > now {
            return Pass::Wait(open.probe_at);
        }
        if open.is_probing {
            return Pass::Wait(now + wait(open.probes + 1, jitter));
        }
        open.is_probing = true;
        Pass::Probe
    }

    /// Takes note of a call that failed. Returns true if that opened it.
    pub fn failed(&mut self, now: Timestamp, pass: Pass, jitter: f64) -> bool {
        match &mut self.open {
            Some(open) if pass == Pass::Probe => {
                open.is_probing = false;
                open.probes += 1;
                open.probe_at = now + wait(open.probes + 1, jitter);
                false
            }
            // It began before the breaker opened.
            Some(_) => false,
            None => {
                self.failures += 1;
                if self.failures < FAILURES_MAX {
                    return false;
                }
                self.open = Some(Open {
                    since: now,
                    probe_at: now + wait(1, jitter),
                    probes: 0,
                    is_probing: false,
                });
                true
            }
        }
    }

    /// Takes note of a call that was answered, which closes it. Returns the state it leaves, if it was open.
    pub const fn succeeded(&mut self) -> Option<Open> {
        self.failures = 0;
        self.open.take()
    }

    /// Takes note of a probe that was not tried at all: another call may be the probe at once.
    pub const fn not_tried(&mut self, pass: Pass) {
        if let (Some(open), Pass::Probe) = (&mut self.open, pass) {
            open.is_probing = false;
        }
    }

    /// Returns its state if it is open.
    pub const fn open(&self) -> Option<Open> {
        self.open
    }
}

/// At least half of the bound, so that a probe never follows at once.
fn wait(try_number: u32, jitter: f64) -> Duration {
    let policy = RetryPolicy {
        base: PROBE_WAIT,
        cap: PROBE_WAIT_MAX,
    };
    policy.wait(try_number, 0.5 + jitter.clamp(0.0, 1.0) / 2.0, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_760_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn open() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 1..FAILURES_MAX {
            assert!(!breaker.failed(START, Pass::Go, 1.0));
        }
        assert!(breaker.failed(START, Pass::Go, 1.0));
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_between_them_does_not_let_it() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 1..FAILURES_MAX {
                assert!(!breaker.failed(START, Pass::Go, 1.0));
            }
            assert_eq!(breaker.succeeded(), None);
            assert_eq!(breaker.ask(START, 1.0), Pass::Go);
        }
        assert_eq!(open().ask(START, 1.0), Pass::Wait(START + SECOND));
    }

    #[test]
    fn one_probe_goes_at_a_time() {
        let mut breaker = open();
        let now = START + SECOND;
        assert_eq!(breaker.ask(now, 1.0), Pass::Probe);
        for _ in 0..10 {
            assert!(matches!(breaker.ask(now, 1.0), Pass::Wait(at) if at > now));
        }
        breaker.not_tried(Pass::Probe);
        assert_eq!(breaker.ask(now, 1.0), Pass::Probe, "the one before was never tried");
    }

    #[test]
    fn the_waits_for_probes_grow_to_their_cap_and_are_jittered() {
        for (jitter, first, last) in [(1.0, 2.0, 30.0), (0.0, 1.0, 15.0)] {
            let mut breaker = open();
            let mut now = START + SECOND;
            let mut waits = Vec::new();
            for _ in 0..10 {
                assert_eq!(breaker.ask(now, jitter), Pass::Probe);
                breaker.failed(now, Pass::Probe, jitter);
                let Pass::Wait(at) = breaker.ask(now, jitter) else {
                    panic!("it waits")
                };
                waits.push(at.since(now).as_secs_f64());
                now = at;
            }
            assert_eq!((waits[0], waits[9]), (first, last));
            assert!(waits.is_sorted());
        }
    }

    #[test]
    fn calls_that_began_before_do_not_put_the_probe_off_and_their_answer_closes_it() {
        let mut breaker = open();
        for _ in 0..100 {
            assert!(!breaker.failed(START, Pass::Go, 1.0), "it opens once");
        }
        assert_eq!(breaker.open().map(|open| open.probe_at), Some(START + SECOND));
        assert_eq!(breaker.succeeded().map(|open| open.since), Some(START));
        assert_eq!(breaker.ask(START, 1.0), Pass::Go);
    }

    #[test]
    fn a_step_of_the_clock_does_not_keep_it_open() {
        let mut breaker = open();
        let before = START - Duration::from_hours(1);
        assert_eq!(breaker.ask(before, 1.0), Pass::Wait(before + PROBE_WAIT_MAX));
    }
}
