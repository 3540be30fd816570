//! The pace of a number: a slot at acceptance, and a gate before each call.
//!
//! Both are the generic cell rate algorithm: a *theoretical arrival time* (TAT) is the time the next message may go, and
//! a message moves it by one interval. Each lane has slots of its own (`lanes`), so a number with a million waiting
//! messages reserves its own future and no other number's, and none of its other lanes'. Slots are given at the share of
//! the number's level that is expected for their time, because a backlog's slots, once given, are not given anew. The gate
//! (`gate`) keeps the share that is learned (`share`), and the rate when the slots are no longer true, after an outage for
//! example. A message that the gate turns away takes a new slot behind those already given in its lane.

mod gate;
mod lanes;
mod priority;
mod share;

use std::time::Duration;

use self::gate::{Gate, GatePace, interval_of};
use self::lanes::Lanes;
use self::share::Share;
use super::time::{CLOCKS_APART_MAX, Timestamp};

pub use self::gate::{FAST_INTERVAL_US, GATE_BURST_MIN, GATE_BURST_US, GATE_JITTER_US, SHARE_CALM};
pub use self::priority::Priority;
pub use self::share::{SHARE_DOUBLES_MS, SHARE_FIRST, SHARE_MAX, SHARE_MIN};

/// The time after its slot at which a released message is looked at again, in case its job was lost.
pub const RELEASE_CHECK: Duration = Duration::from_secs(60);
/// The time before its slot at which a message is put into the queue.
pub const RELEASE_LEAD: Duration = Duration::from_secs(30);
/// A claim may be this early: clocks and timers are not exact.
pub const SLOT_TOLERANCE: Duration = Duration::from_millis(2);
/// The longest pause of a number that sends too fast, unless Meta names a longer one. While it lasts nobody learns that
/// the number may send again, so it must be a small part of the minute in which it has its former pace back. A call in
/// a quarter of a minute costs a number in trouble nothing.
pub const PAUSE_MAX: Duration = Duration::from_secs(15);

/// The pace of one number. Times are microseconds since the epoch, because a millisecond is too coarse a step at 1,000
/// messages a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    lanes: Lanes,
    gate: Gate,
    share: Share,
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

/// Returns the time between two messages at a level.
pub fn level_interval_us(level: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the level has a lower bound, so the interval is small"
    )]
    let us = (1_000_000.0 / level.max(0.001)).round() as i64;
    us.max(1)
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
        self.lanes.shift(ahead);
        self.share.shift(ahead);
        self.gate.shift(ahead);
        self.paused_until_us -= ahead;
        self.seen_us = now_us;
    }

    /// Reserves the next slot of a lane, at `not_before` at the earliest. Slots are as far apart as the share will leave
    /// them then, if nothing is refused until then: so the gate turns nobody away, and messages keep their order.
    pub fn reserve(&mut self, not_before: Timestamp, level: f64, priority: Priority) -> Timestamp {
        self.share.begin(us(not_before));
        let interval_us = |slot_us| interval_of(level_interval_us(level), self.share.at(slot_us));
        from_us(self.lanes.reserve(us(not_before), interval_us, priority))
    }

    /// Gives back `count` slots that were not needed.
    pub fn refund(&mut self, count: u32, level: f64, priority: Priority) {
        let interval_us = |slot_us| interval_of(level_interval_us(level), self.share.at(slot_us));
        self.lanes.refund(count, interval_us, priority);
    }

    /// Asks to call now. Keeps the learned share of the level, whatever the slots say.
    pub fn admit(&mut self, now: Timestamp, level: f64, priority: Priority) -> Admission {
        let now_us = us(now);
        self.share.begin(now_us);
        let waiting = self.lanes.waiting(now_us);
        let pace = GatePace::of(level_interval_us(level), self.share.at(now_us), waiting);
        let opens_us = self.gate.opens_at(&pace, priority).max(self.paused_until_us);
        if opens_us <= now_us {
            self.gate.pass(now_us, &pace, priority);
            return Admission::Go;
        }
        let slot = self.reserve(from_us(opens_us), level, priority);
        Admission::Later(slot.max(now + Duration::from_millis(1)))
    }

    /// Lets nothing go before `until`, because Meta asked the number to slow down, and takes a part of its share. The
    /// refusals of calls that were under way when a pause began say nothing new, so each pause does that once.
    pub fn pause_until(&mut self, now: Timestamp, until: Timestamp) {
        if self.paused_until_us <= us(now) {
            self.share.cut(us(now));
        }
        self.paused_until_us = self.paused_until_us.max(us(until));
        self.share.rest_until(self.paused_until_us);
        self.lanes.hold_until(us(until));
    }

    /// Drops reservations beyond `limit`: slots reserved at an old rate, or by a tenant that the number has left, must
    /// not delay new messages longer than that. A pause is Meta's word to the number, and stays.
    pub fn forget_beyond(&mut self, limit: Timestamp) {
        self.lanes.forget_beyond(us(limit));
        self.gate.forget_beyond(us(limit));
    }

    /// True if nothing is reserved any more, so that dropping it only has the number learn its share anew.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.lanes.waiting(us(now)) == [false; 3] && self.gate.is_idle(us(now)) && self.paused_until_us <= us(now)
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
