//! Time that never runs back, made of a clock that somebody may set to anything.
//!
//! A clock that shows dates can step: an operator sets it, a virtual machine wakes up, a time server is wrong for a
//! second. What was written under a step stays in the store, so a step must not be followed blindly. [`SteadyTime`]
//! follows such a clock by the time since the boot, which never steps.

use std::time::Duration;

use super::time::{Present, Timestamp};

/// A step forward is believed once it has stood for this long.
pub const BELIEVED_AFTER: Duration = Duration::from_mins(1);
/// Up to this, a step forward is followed at once. It also bounds how far two looks at the same step may differ.
pub const FOLLOWED_MAX: Duration = Duration::from_secs(1);
/// A second clock agrees if it shows the same up to this.
pub const AGREES_WITHIN: Duration = Duration::from_secs(2);

/// A clock's time without its steps.
#[derive(Clone, Copy, Debug)]
pub struct SteadyTime {
    /// The time handed out at the last look, in nanoseconds since the epoch.
    at: i64,
    /// The time since the boot at the last look.
    seen: Duration,
    /// A step forward that is not believed yet.
    doubted: Option<Doubted>,
}

#[derive(Clone, Copy, Debug)]
struct Doubted {
    since: Duration,
    /// The clock's nanoseconds minus those since the boot.
    offset: i64,
}

impl SteadyTime {
    /// Starts with what the clock shows, in nanoseconds since the epoch. `uptime` is the time since the boot, which
    /// must count the time in suspend.
    pub const fn starting(uptime: Duration, shown: i64) -> Self {
        Self {
            at: shown,
            seen: uptime,
            doubted: None,
        }
    }

    /// Looks at the clock again. After a step back, time goes on at half speed until the clock has come up to it. A
    /// step forward is doubted until it has stood for [`BELIEVED_AFTER`], or `witness`, another clock, agrees.
    pub fn look(&mut self, uptime: Duration, shown: i64, witness: Option<i64>) -> Present {
        let uptime = uptime.max(self.seen);
        let elapsed = nanos(uptime.saturating_sub(self.seen));
        let expected = self.at.saturating_add(elapsed);
        self.seen = uptime;
        self.at = if shown <= expected {
            self.doubted = None;
            shown.max(self.at.saturating_add(elapsed / 2))
        } else if shown - expected <= nanos(FOLLOWED_MAX) || self.believes(uptime, shown, witness) {
            self.doubted = None;
            shown
        } else {
            expected
        };
        Present {
            now: timestamp(self.at),
            wall: timestamp(self.at.min(shown)),
        }
    }

    fn believes(&mut self, uptime: Duration, shown: i64, witness: Option<i64>) -> bool {
        let offset = shown.saturating_sub(nanos(uptime));
        let is_near = |one: i64, other: i64, within| one.abs_diff(other) <= nanos(within).unsigned_abs();
        let doubted = match self.doubted {
            Some(doubted) if is_near(doubted.offset, offset, FOLLOWED_MAX) => doubted,
            _ => Doubted { since: uptime, offset },
        };
        self.doubted = Some(doubted);
        uptime.saturating_sub(doubted.since) >= BELIEVED_AFTER
            || witness.is_some_and(|other| is_near(other, shown, AGREES_WITHIN))
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX / 4)
}

const fn timestamp(nanos: i64) -> Timestamp {
    Timestamp::from_millis(nanos.div_euclid(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_760_000_000_000;
    const HOUR: i64 = 3_600_000;

    /// A machine whose clock can be set.
    struct Machine {
        steady: SteadyTime,
        uptime_ms: i64,
        shown_ms: i64,
    }

    impl Machine {
        fn new() -> Self {
            Self {
                steady: SteadyTime::starting(Duration::from_secs(7), START * 1_000_000),
                uptime_ms: 7_000,
                shown_ms: START,
            }
        }

        fn step(&mut self, by_ms: i64) {
            self.shown_ms += by_ms;
        }

        /// Lets time pass, looked at every so often. Returns what is shown in the end: now and the wall, in
        /// milliseconds since the start.
        fn pass(&mut self, ms: i64, every: i64) -> (i64, i64) {
            let mut last = self.look(None);
            for _ in 0..ms / every {
                self.uptime_ms += every;
                self.shown_ms += every;
                let next = self.look(None);
                assert!(next.0 >= last.0, "it ran back from {last:?} to {next:?}");
                last = next;
            }
            last
        }

        fn look(&mut self, witness_ms: Option<i64>) -> (i64, i64) {
            let uptime = Duration::from_millis(self.uptime_ms.unsigned_abs());
            let witness = witness_ms.map(|ms| ms * 1_000_000);
            let present = self.steady.look(uptime, self.shown_ms * 1_000_000, witness);
            (present.now.as_millis() - START, present.wall.as_millis() - START)
        }
    }

    #[test]
    fn a_clock_that_does_not_step_is_followed() {
        let mut machine = Machine::new();
        assert_eq!(machine.pass(10_000, 1), (10_000, 10_000));
    }

    #[test]
    fn a_step_back_is_waited_out_at_half_speed_and_the_wall_follows_it() {
        for back in [1_000, 60_000, HOUR, 24 * HOUR] {
            let mut machine = Machine::new();
            machine.step(-back);
            assert_eq!(machine.pass(back, 500), (back / 2, 0), "{back}");
            assert_eq!(machine.pass(back, 500), (back, back), "{back}: it has come up");
            assert_eq!(machine.pass(1_000, 500), (back + 1_000, back + 1_000), "{back}");
        }
    }

    #[test]
    fn looking_often_does_not_stop_the_time_that_runs_at_half_speed() {
        let (mut steady, second) = (SteadyTime::starting(Duration::ZERO, START * 1_000_000), 1_000_000_000);
        let mut present = Present::from(Timestamp::from_millis(START));
        for nanos in (0..=10_000_000_u64).step_by(100) {
            let shown = START * 1_000_000 - 60 * second + i64::try_from(nanos).expect("small");
            present = steady.look(Duration::from_nanos(nanos), shown, None);
        }
        assert_eq!(present.now.as_millis(), START + 5);
    }

    #[test]
    fn a_step_forward_that_is_taken_back_is_never_believed() {
        for forward in [60_000, HOUR, 24 * HOUR] {
            let mut machine = Machine::new();
            machine.step(forward);
            assert_eq!(machine.pass(59_000, 500), (59_000, 59_000), "{forward}");
            machine.step(-forward);
            assert_eq!(machine.pass(120_000, 500), (179_000, 179_000), "{forward}");
        }
    }

    #[test]
    fn a_step_forward_is_believed_once_it_has_stood_for_a_minute() {
        for forward in [60_000, HOUR, 24 * HOUR] {
            let mut machine = Machine::new();
            machine.step(forward);
            assert_eq!(machine.pass(59_500, 500), (59_500, 59_500), "{forward}");
            assert_eq!(machine.pass(500, 500), (60_000 + forward, 60_000 + forward));
        }
    }

    #[test]
    fn a_clock_that_steps_again_and_again_is_not_believed() {
        let mut machine = Machine::new();
        for step in 1..=10 {
            machine.step(HOUR);
            assert_eq!(machine.pass(30_000, 500).0, step * 30_000);
        }
    }

    #[test]
    fn a_step_forward_is_believed_at_once_if_another_clock_agrees() {
        let mut machine = Machine::new();
        machine.step(HOUR);
        assert_eq!(machine.look(Some(START)), (0, 0), "the other does not");
        assert_eq!(machine.look(Some(START + HOUR + 1_500)), (HOUR, HOUR));
    }

    #[test]
    fn a_small_correction_forward_is_followed() {
        let mut machine = Machine::new();
        machine.step(900);
        assert_eq!(machine.pass(500, 500), (1_400, 1_400));
    }

    #[test]
    fn a_boot_time_that_runs_back_does_no_harm() {
        let mut machine = Machine::new();
        machine.uptime_ms -= 5_000;
        machine.step(10);
        assert_eq!(machine.look(None), (10, 10));
    }
}
