//! Makes a plan that breaks a promise as small as it can be while it still breaks the same one.

use super::plan::Plan;
use super::run::run;
use crate::world::random::Random;
use crate::world::wire::Rates;

/// Orders of events that are tried with a smaller plan: leaving something out changes the order of everything after it.
const SEEDS_TRIED: usize = 20;
/// Runs in total.
const RUNS_MAX: usize = 2_000;

/// A smaller plan that breaks `promise`.
pub fn shrink(plan: &Plan, promise: &str) -> Plan {
    let mut shrinker = Shrinker {
        smallest: plan.clone(),
        promise,
        random: Random::new(plan.seed),
        runs: 0,
    };
    while shrinker.round() && shrinker.runs < RUNS_MAX {}
    shrinker.smallest
}

struct Shrinker<'a> {
    smallest: Plan,
    promise: &'a str,
    random: Random,
    runs: usize,
}

impl Shrinker<'_> {
    /// Tries everything once. Returns whether anything could be left out.
    fn round(&mut self) -> bool {
        let before = self.smallest.clone();
        self.leave_out_acts();
        self.calm();
        self.narrow();
        self.simplify();
        self.smallest != before
    }

    /// Takes the smaller plan if it breaks the promise under some seed.
    fn adopt(&mut self, mut plan: Plan) -> bool {
        if plan == self.smallest {
            return false;
        }
        for attempt in 0..SEEDS_TRIED {
            if self.runs >= RUNS_MAX {
                return false;
            }
            if attempt > 0 {
                plan.seed = self.random.next();
            }
            self.runs += 1;
            let outcome = run(&plan, false);
            if outcome.broken.is_some_and(|broken| broken.promise == self.promise) {
                plan.weather.until = plan.weather.until.min(outcome.faults);
                self.smallest = plan;
                return true;
            }
        }
        false
    }

    /// Half of the acts, a quarter, and so on down to single ones.
    fn leave_out_acts(&mut self) {
        let mut size = self.smallest.acts.len() / 2;
        while size > 0 {
            let mut from = 0;
            while from < self.smallest.acts.len() {
                let mut plan = self.smallest.clone();
                let until = (from + size).min(plan.acts.len());
                plan.acts.drain(from..until);
                if !self.adopt(plan) {
                    from += size;
                }
            }
            size /= 2;
        }
    }

    /// Each kind of fault that comes by chance.
    fn calm(&mut self) {
        for change in CALMER {
            let mut plan = self.smallest.clone();
            change(&mut plan);
            self.adopt(plan);
        }
    }

    /// Fewer faults, from both ends.
    fn narrow(&mut self) {
        loop {
            let mut plan = self.smallest.clone();
            let (from, until) = (plan.weather.from, plan.weather.until);
            plan.weather.until = from + (until.saturating_sub(from)) / 2;
            if until == from || !self.adopt(plan) {
                break;
            }
        }
        loop {
            let mut plan = self.smallest.clone();
            let (from, until) = (plan.weather.from, plan.weather.until);
            plan.weather.from = until - (until.saturating_sub(from)) / 2;
            if plan.weather.from == from || !self.adopt(plan) {
                break;
            }
        }
    }

    fn simplify(&mut self) {
        for change in SIMPLER {
            let mut plan = self.smallest.clone();
            change(&mut plan);
            self.adopt(plan);
        }
    }
}

type Change = fn(&mut Plan);

const CALMER: &[Change] = &[
    |plan| plan.weather.store = Rates::default(),
    |plan| plan.weather.queue = Rates::default(),
    |plan| plan.weather.store.fails_before = 0,
    |plan| plan.weather.store.fails_after = 0,
    |plan| plan.weather.store.fails_partly = 0,
    |plan| plan.weather.store.hangs = 0,
    |plan| plan.weather.store.crashes = 0,
    |plan| plan.weather.store.freezes = 0,
    |plan| plan.weather.store.slow = 0,
    |plan| plan.weather.store.takes_time = 0,
    |plan| plan.weather.queue.fails_before = 0,
    |plan| plan.weather.queue.fails_after = 0,
    |plan| plan.weather.queue.fails_partly = 0,
    |plan| plan.weather.queue.hangs = 0,
    |plan| plan.weather.queue.crashes = 0,
    |plan| plan.weather.queue.freezes = 0,
    |plan| plan.weather.queue.slow = 0,
    |plan| plan.weather.queue.takes_time = 0,
    |plan| plan.temper.accepts_silently = 0,
    |plan| plan.temper.silent = 0,
    |plan| plan.temper.unreachable = 0,
    |plan| plan.temper.refuses = 0,
    |plan| plan.temper.turned_away = 0,
    |plan| plan.temper.slow = 0,
    |plan| plan.temper.freezes = 0,
    |plan| plan.temper.reports = false,
    |plan| plan.temper.reports_late = 0,
    |plan| plan.temper.reports_twice = 0,
    |plan| plan.hurry = 0,
];

const SIMPLER: &[Change] = &[
    |plan| plan.processes = 1,
    |plan| plan.processes = plan.processes.min(2),
    |plan| plan.commits_max = 1,
    |plan| plan.calls_max = 64,
    |plan| plan.attempts_max = 5,
];
