//! The pace of a number: a slot at acceptance, and a gate before each call.
//!
//! Both are the generic cell rate algorithm. A number has a *theoretical arrival time* (TAT): the time its next message
//! may go. Taking a slot moves it by one interval, so a number with a million waiting messages reserves its own future
//! and no other number's. The gate keeps the rate when the slots are no longer true, after an outage for example. A
//! message that the gate turns away takes a new slot behind those already given.

use std::time::Duration;

use super::time::{CLOCKS_APART_MAX, Timestamp};

/// Messages that may pass the gate in a burst beyond the planned rate, even for the slowest number.
pub const GATE_BURST_MIN: u32 = 5;
/// A burst through the gate may hold the messages of this time. Workers claim in batches, and the gate must not turn
/// away a fast number's batch because it comes all at once. The planned rate is well below Meta's limit, so a second
/// with a burst still keeps it.
pub const GATE_BURST_TIME: Duration = Duration::from_millis(250);

/// The time after its slot at which a released message is looked at again, in case its job was lost.
pub const RELEASE_CHECK: Duration = Duration::from_secs(60);
/// The time before its slot at which a message is put into the queue.
pub const RELEASE_LEAD: Duration = Duration::from_secs(30);
/// A claim may be this early: clocks and timers are not exact.
pub const SLOT_TOLERANCE: Duration = Duration::from_millis(2);

/// The order among a number's messages when several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// One-time codes: these do not queue behind the number's other messages.
    High,
    /// Everything else.
    #[default]
    Normal,
    /// Broadcasts: these queue in a lane of their own.
    Low,
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == text)
    }
}

/// The pace of one number. Times are microseconds since the epoch, because a millisecond is too coarse a step at 1,000
/// messages a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    normal_tat_us: i64,
    low_tat_us: i64,
    gate_tat_us: i64,
    paused_until_us: i64,
    /// The latest present that anybody named; see [`Pace::look`].
    seen_us: i64,
}

/// The verdict of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Call now.
    Go,
    /// Not before this time, which is reserved for the message.
    Later(Timestamp),
}

fn interval_us(per_second: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the rate has a lower bound, so the interval is small"
    )]
    let us = (1_000_000.0 / per_second.max(0.001)).round() as i64;
    us.max(1)
}

/// Returns the time by which the gate lets messages pass early.
fn gate_lead_us(interval_us: i64) -> i64 {
    us_of(GATE_BURST_TIME).max(interval_us * i64::from(GATE_BURST_MIN))
}

fn us_of(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).expect("some seconds")
}

const fn us(at: Timestamp) -> i64 {
    at.as_millis() * 1000
}

/// Rounds up, so that a slot never comes early.
const fn from_us(us: i64) -> Timestamp {
    Timestamp::from_millis((us + 999).div_euclid(1000))
}

impl Pace {
    /// Takes note of the present, before any other step. A present before the one that was last named shows that the
    /// clock of whoever named that one was ahead. What was reserved is then the same lengths of time from now: the rate
    /// and the backlog justify no more.
    pub fn look(&mut self, now: Timestamp) {
        let now_us = us(now);
        let ahead = self.seen_us - now_us;
        if ahead <= us_of(CLOCKS_APART_MAX) {
            self.seen_us = self.seen_us.max(now_us);
            return;
        }
        for time in [
            &mut self.normal_tat_us,
            &mut self.low_tat_us,
            &mut self.gate_tat_us,
            &mut self.paused_until_us,
        ] {
            *time -= ahead;
        }
        self.seen_us = now_us;
    }

    /// Reserves the next slot, at `not_before` at the earliest. A high priority message takes the present slot and
    /// pushes the others back. A low one queues in its own lane.
    pub fn reserve(&mut self, not_before: Timestamp, per_second: f64, priority: Priority) -> Timestamp {
        let interval = interval_us(per_second);
        let lane = match priority {
            Priority::High => {
                self.normal_tat_us = self.normal_tat_us.max(us(not_before)) + interval;
                return not_before;
            }
            Priority::Normal => &mut self.normal_tat_us,
            Priority::Low => &mut self.low_tat_us,
        };
        let slot = (*lane).max(us(not_before));
        *lane = slot + interval;
        from_us(slot)
    }

    /// Gives back `count` slots that were not needed.
    pub fn refund(&mut self, count: u32, per_second: f64, priority: Priority) {
        let back = interval_us(per_second).saturating_mul(i64::from(count));
        match priority {
            Priority::High | Priority::Normal => self.normal_tat_us -= back,
            Priority::Low => self.low_tat_us -= back,
        }
    }

    /// Asks to call now. Keeps the planned rate, with a burst of [`GATE_BURST_TIME`] or [`GATE_BURST_MIN`], whatever
    /// the slots say.
    pub fn admit(&mut self, now: Timestamp, per_second: f64, priority: Priority) -> Admission {
        let interval = interval_us(per_second);
        let lead = gate_lead_us(interval);
        let now_us = us(now);
        if now_us >= self.paused_until_us && self.gate_tat_us - now_us <= lead {
            self.gate_tat_us = self.gate_tat_us.max(now_us) + interval;
            return Admission::Go;
        }
        let opens_at = from_us((self.gate_tat_us - lead).max(self.paused_until_us));
        // A high priority message must not fall behind the number's backlog: it comes back when the gate opens.
        let slot = if priority == Priority::High {
            opens_at
        } else {
            self.reserve(opens_at, per_second, priority)
        };
        Admission::Later(slot.max(now + Duration::from_millis(1)))
    }

    /// Lets nothing go before `until`: Meta asked the number to slow down.
    pub fn pause_until(&mut self, until: Timestamp) {
        for tat in [&mut self.normal_tat_us, &mut self.low_tat_us] {
            *tat = (*tat).max(us(until));
        }
        self.paused_until_us = self.paused_until_us.max(us(until));
    }

    /// Drops reservations beyond `limit`: slots reserved at an old rate, or by a tenant that the number has left, must
    /// not delay new messages longer than that.
    pub fn forget_beyond(&mut self, limit: Timestamp) {
        let limit = us(limit);
        for tat in [&mut self.normal_tat_us, &mut self.low_tat_us, &mut self.gate_tat_us] {
            *tat = (*tat).min(limit);
        }
    }

    /// True if nothing is reserved any more, so that dropping it changes nothing.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        [
            self.normal_tat_us,
            self.low_tat_us,
            self.gate_tat_us,
            self.paused_until_us,
        ]
        .iter()
        .all(|tat| *tat <= us(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_760_000_000_000);

    fn ms(at: Timestamp) -> u128 {
        at.since(START).as_millis()
    }

    #[test]
    fn slots_are_spread_at_the_rate_and_a_backlog_delays_only_its_own_lane() {
        let mut pace = Pace::default();
        let slots: Vec<_> = (0..5)
            .map(|_| ms(pace.reserve(START, 50.0, Priority::Normal)))
            .collect();
        assert_eq!(slots, [0, 20, 40, 60, 80]);
        for _ in 0..1_000_000 {
            pace.reserve(START, 50.0, Priority::Low);
        }
        assert_eq!(ms(pace.reserve(START, 50.0, Priority::Normal)), 100);
        assert_eq!(ms(pace.reserve(START, 50.0, Priority::High)), 0);
        assert_eq!(
            ms(pace.reserve(START, 50.0, Priority::Normal)),
            140,
            "the urgent one pushed the others back"
        );
    }

    #[test]
    fn a_refunded_slot_is_used_again() {
        let mut pace = Pace::default();
        pace.reserve(START, 50.0, Priority::Normal);
        pace.reserve(START, 50.0, Priority::Normal);
        pace.refund(1, 50.0, Priority::Normal);
        assert_eq!(ms(pace.reserve(START, 50.0, Priority::Normal)), 20);
    }

    #[test]
    fn the_gate_holds_the_rate_whatever_the_slots_say() {
        let mut pace = Pace::default();
        let mut waiting: Vec<Timestamp> = vec![START; 500];
        let mut passed = Vec::new();
        while let Some(next) = waiting.iter().copied().min() {
            let index = waiting.iter().position(|at| *at == next).expect("the least is there");
            waiting.swap_remove(index);
            match pace.admit(next, 50.0, Priority::Normal) {
                Admission::Go => passed.push(ms(next)),
                Admission::Later(at) => {
                    assert!(at > next);
                    waiting.push(at);
                }
            }
        }
        for second in 0..9u128 {
            let count = passed.iter().filter(|at| **at / 1000 == second).count();
            assert!((45..=65).contains(&count), "{count} in second {second}");
        }
    }

    #[test]
    fn a_batch_of_a_fast_number_passes_the_gate_together_and_a_second_holds_its_limit() {
        let mut pace = Pace::default();
        let planned = 650.0;
        let passes = |pace: &mut Pace, at| {
            (0..128)
                .filter(|_| pace.admit(at, planned, Priority::Normal) == Admission::Go)
                .count()
        };
        assert_eq!(passes(&mut pace, START), 128);
        let in_a_second: usize = 128
            + (1..50)
                .map(|n| passes(&mut pace, START + Duration::from_millis(n * 20)))
                .sum::<usize>();
        assert!((640..=820).contains(&in_a_second), "{in_a_second} of a limit of 1,000");
    }

    #[test]
    fn a_number_that_must_slow_down_waits() {
        let mut pace = Pace::default();
        pace.pause_until(START + Duration::from_secs(2));
        let Admission::Later(at) = pace.admit(START, 50.0, Priority::High) else {
            panic!("passed")
        };
        assert_eq!(ms(at), 2000);
        assert_eq!(pace.admit(at, 50.0, Priority::High), Admission::Go);
        assert_eq!(ms(pace.reserve(START, 50.0, Priority::Normal)), 2000);
    }

    #[test]
    fn what_a_clock_that_was_ahead_reserved_is_the_same_wait_from_now() {
        for ahead in [60, 3_600, 86_400] {
            let mut pace = Pace::default();
            let wrong = START + Duration::from_secs(ahead);
            pace.look(wrong);
            for _ in 0..500 {
                pace.reserve(wrong, 50.0, Priority::Normal);
                pace.reserve(wrong, 50.0, Priority::Low);
            }
            for _ in 0..100 {
                pace.admit(wrong, 50.0, Priority::High);
            }
            pace.pause_until(wrong + Duration::from_secs(20));
            pace.look(START);
            assert_eq!(ms(pace.reserve(START, 50.0, Priority::Normal)), 20_000);
            assert_eq!(ms(pace.reserve(START, 50.0, Priority::Low)), 20_000);
            let paused = pace.admit(START, 50.0, Priority::High);
            assert_eq!(paused, Admission::Later(START + Duration::from_secs(20)));
        }
    }

    #[test]
    fn clocks_that_agree_more_or_less_share_what_is_reserved() {
        let mut pace = Pace::default();
        pace.look(START + CLOCKS_APART_MAX);
        pace.reserve(START + CLOCKS_APART_MAX, 50.0, Priority::Normal);
        pace.look(START);
        assert_eq!(ms(pace.reserve(START, 50.0, Priority::Normal)), 5_020);
    }

    #[test]
    fn a_raised_rate_is_in_force_within_the_window() {
        let mut pace = Pace::default();
        for _ in 0..1000 {
            pace.reserve(START, 1.0, Priority::Normal);
        }
        pace.forget_beyond(START + Duration::from_secs(60));
        assert_eq!(ms(pace.reserve(START, 1000.0, Priority::Normal)), 60_000);
        assert!(!pace.is_idle(START));
        assert!(pace.is_idle(START + Duration::from_secs(61)));
    }
}
