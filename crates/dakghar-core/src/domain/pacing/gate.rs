//! The gate before each call: it keeps the learned share of a number's level, whatever the slots say.
//!
//! While more urgent messages wait, the others leave them the room of a message, so the urgent ones win. The others get
//! credit for each that goes before them, and with the credit for a pass one of them goes before the urgent ones.

use super::priority::Priority;
use super::share::WHOLE;

/// Messages that a slow number may send at once, whatever its level says: one that sends a few a minute should not
/// spread an answer in three parts over as many seconds. From [`FAST_INTERVAL_US`] on, a second must keep the level.
pub const GATE_BURST_MIN: i64 = 5;
/// A burst through the gate may hold the messages of this time. Workers claim in batches, and the gate must not turn
/// away a fast number's batch because it comes all at once.
pub const GATE_BURST_US: i64 = 250_000;
/// Calls that the gate lets through may come closer together at Meta by this time. A burst leaves room for it.
pub const GATE_JITTER_US: i64 = 10_000;
/// Numbers whose level is this interval or a shorter one (20 messages a second, the lowest that Meta gives) never
/// exceed it.
pub const FAST_INTERVAL_US: i64 = 50_000;

/// The share at which a burst of that time is left.
pub const SHARE_CALM: i64 = 800_000;
const SECOND_US: i64 = 1_000_000;

/// The credit that a pass costs: a pass of the most urgent lane gives the others their weights.
const PASS: i64 = Priority::High.weight();
/// The most credit that a lane keeps.
const CREDIT_MAX: i64 = 2 * PASS;

/// The gate of a number. It is open if one of two rates has room: the learned one with the short burst that it leaves, or
/// a calm one with a long burst, for batches. Both count every pass, and neither lets a second exceed the level, so the
/// two together do not either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gate {
    tat_us: i64,
    calm_tat_us: i64,
    /// The credit of each lane. The most urgent one never has any.
    credits: [i64; 3],
}

impl Gate {
    /// Returns the time at which it opens for a lane. To each more urgent lane that waits an interval is left, and one to
    /// those that wait with the credit for a pass. Messages of two lanes may be due at the same moment again and again,
    /// and with less than an interval it would be chance who passes.
    pub(super) fn opens_at(&self, pace: &GatePace, lane: Priority) -> i64 {
        let (more_urgent, others) = Priority::ALL.split_at(lane.rank());
        let waits = |other: &&Priority| pace.waiting[other.rank()];
        let before = more_urgent.iter().filter(waits).count();
        let is_owed = others.iter().filter(waits).any(|other| self.has_pass(*other));
        let left = if self.has_pass(lane) {
            0
        } else {
            [0, 1, 2, 2][before + usize::from(is_owed)]
        };
        let opens_at = |tat_us: i64, rate: &GateRate| tat_us - rate.lead_us + rate.interval_us * left;
        opens_at(self.tat_us, &pace.learned).min(opens_at(self.calm_tat_us, &pace.calm))
    }

    /// Lets a message pass.
    pub(super) fn pass(&mut self, now_us: i64, pace: &GatePace, lane: Priority) {
        self.tat_us = self.tat_us.max(now_us) + pace.learned.interval_us;
        let calm_us = self.calm_tat_us.max(now_us) + pace.calm.interval_us;
        // The messages of a second are all that it must know of.
        self.calm_tat_us = calm_us.min(now_us + pace.calm.lead_us + pace.calm.interval_us + SECOND_US);
        let credit = &mut self.credits[lane.rank()];
        *credit = (*credit - PASS).max(0);
        for other in &Priority::ALL[lane.rank() + 1..] {
            let credit = &mut self.credits[other.rank()];
            *credit = (*credit + PASS * other.weight() / lane.weight()).min(CREDIT_MAX);
        }
    }

    /// Forgets what is reserved beyond this time.
    pub(super) fn forget_beyond(&mut self, limit_us: i64) {
        self.tat_us = self.tat_us.min(limit_us);
        self.calm_tat_us = self.calm_tat_us.min(limit_us);
    }

    /// Moves its times back.
    pub(super) const fn shift(&mut self, ahead_us: i64) {
        self.tat_us -= ahead_us;
        self.calm_tat_us -= ahead_us;
    }

    /// True if all that passed had their time, so that no burst is used up.
    pub(super) fn is_idle(&self, now_us: i64) -> bool {
        self.tat_us.max(self.calm_tat_us) <= now_us
    }

    const fn has_pass(&self, lane: Priority) -> bool {
        self.credits[lane.rank()] >= PASS
    }
}

/// The rates that the gate keeps.
pub(super) struct GatePace {
    learned: GateRate,
    calm: GateRate,
    /// The lanes whose slots are ahead of the present.
    waiting: [bool; 3],
}

struct GateRate {
    interval_us: i64,
    /// The time by which messages may pass early.
    lead_us: i64,
}

impl GatePace {
    /// The rates at this share of a level.
    pub(super) fn of(level_us: i64, share: i64, waiting: [bool; 3]) -> Self {
        Self {
            learned: GateRate::of(level_us, share),
            calm: GateRate::of(level_us, share.min(SHARE_CALM)),
            waiting,
        }
    }
}

impl GateRate {
    /// The messages of a second and of a burst together are no more than the level, because the burst has only what the
    /// share leaves of it.
    fn of(level_us: i64, share: i64) -> Self {
        let interval_us = interval_of(level_us, share);
        let left_us = (WHOLE - share) * SECOND_US / share - GATE_JITTER_US;
        let lead_us = left_us.min(GATE_BURST_US);
        let burst_us = interval_us * GATE_BURST_MIN;
        let is_slow = level_us > FAST_INTERVAL_US;
        Self {
            interval_us,
            lead_us: if is_slow { lead_us.max(burst_us) } else { lead_us },
        }
    }
}

/// The time between two messages at this share of a level. Rounded up: it must not be exceeded.
pub(super) const fn interval_of(level_us: i64, share: i64) -> i64 {
    (level_us * WHOLE + share - 1) / share
}
