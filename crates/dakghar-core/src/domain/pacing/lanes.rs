//! The slots of a number, in a lane for each priority.
//!
//! A lane that is alone has the whole pace. Lanes that have messages at the same time share it by their weights, so the
//! most urgent one is the fastest and none stands still.

use super::priority::Priority;

/// The time of the next slot in each lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lanes {
    tat_us: [i64; 3],
}

impl Lanes {
    /// Takes the next slot of a lane, at `not_before_us` at the earliest. The interval is that of a lane that is alone, at
    /// a time.
    pub(super) fn reserve(&mut self, not_before_us: i64, interval_us: impl Fn(i64) -> i64, lane: Priority) -> i64 {
        let slot = self.tat_us[lane.rank()].max(not_before_us);
        self.tat_us[lane.rank()] = slot + self.interval_at(slot, interval_us(slot), lane);
        slot
    }

    /// Gives back `count` slots. Where it is not known how many lanes shared the pace when they were taken, it is taken
    /// for the fewest: what is given back too little costs a moment, too much would be given twice.
    pub(super) fn refund(&mut self, count: u32, interval_us: impl Fn(i64) -> i64, lane: Priority) {
        let next = self.tat_us[lane.rank()];
        let newest = next - interval_us(next);
        let back = self.interval_at(newest, interval_us(newest), lane);
        self.tat_us[lane.rank()] -= back.saturating_mul(i64::from(count));
    }

    /// The time between two slots of a lane at the time of a slot: others share the pace if theirs are further ahead.
    fn interval_at(&self, slot_us: i64, interval_us: i64, lane: Priority) -> i64 {
        let others = Priority::ALL.into_iter().filter(|other| *other != lane);
        let busy = others.filter(|other| self.tat_us[other.rank()] > slot_us);
        let weights: i64 = busy.map(Priority::weight).sum();
        interval_us * (weights + lane.weight()) / lane.weight()
    }

    /// Gives no slot before this time.
    pub(super) fn hold_until(&mut self, until_us: i64) {
        self.tat_us = self.tat_us.map(|tat| tat.max(until_us));
    }

    /// Forgets what is reserved beyond this time.
    pub(super) fn forget_beyond(&mut self, limit_us: i64) {
        self.tat_us = self.tat_us.map(|tat| tat.min(limit_us));
    }

    /// Moves its times back.
    pub(super) fn shift(&mut self, ahead_us: i64) {
        self.tat_us = self.tat_us.map(|tat| tat - ahead_us);
    }

    /// Returns which lanes have slots from this time on.
    pub(super) fn waiting(&self, now_us: i64) -> [bool; 3] {
        self.tat_us.map(|tat| tat > now_us)
    }
}
