//! A number with its messages and a Meta that counts, second by second.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::*;

const START: i64 = 1_760_000_000_000;
/// From the gate to Meta, and from Meta's answer to the pacer.
const WAY_MS: i64 = 60;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    lane: Priority,
    accepted_ms: i64,
    refusals: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// It comes in and gets its slot.
    Accepted,
    /// Its slot is due.
    Due,
    /// Its call is at Meta.
    Arrives,
    /// Meta's refusal is known.
    Refused,
}

/// A message that Meta accepted.
struct Sent {
    at_ms: i64,
    lane: Priority,
    waited_ms: i64,
}

struct Number {
    pace: Pace,
    level: f64,
    /// What Meta allows in any second.
    real: usize,
    /// From when until when Meta refuses everything.
    storm: (i64, i64),
    /// With a number that keeps the order of those at the same time.
    steps: BinaryHeap<Reverse<(i64, u64, Step, Item)>>,
    count: u64,
    last_second: VecDeque<i64>,
    sent: Vec<Sent>,
    refused: Vec<i64>,
}

impl Number {
    fn new(level: u32) -> Self {
        Self {
            pace: Pace::default(),
            level: f64::from(level),
            real: level as usize,
            storm: (0, 0),
            steps: BinaryHeap::new(),
            count: 0,
            last_second: VecDeque::new(),
            sent: Vec::new(),
            refused: Vec::new(),
        }
    }

    fn push(&mut self, at_ms: i64, step: Step, item: Item) {
        self.count += 1;
        self.steps.push(Reverse((at_ms, self.count, step, item)));
    }

    /// Accepts messages at this time.
    fn accept(&mut self, accepted_ms: i64, lane: Priority, count: u32) {
        let item = Item {
            lane,
            accepted_ms,
            refusals: 0,
        };
        for _ in 0..count {
            self.push(accepted_ms, Step::Accepted, item);
        }
    }

    /// Accepts so many in each second, at even distances.
    fn offer(&mut self, from_ms: i64, until_ms: i64, per_second: i64, lane: Priority) {
        for n in 0..(until_ms - from_ms) * per_second / 1000 {
            self.accept(from_ms + n * 1000 / per_second, lane, 1);
        }
    }

    fn run_until(&mut self, end_ms: i64) {
        while self.steps.peek().is_some_and(|Reverse((at_ms, ..))| *at_ms < end_ms) {
            let Reverse((at_ms, _, step, item)) = self.steps.pop().expect("it was there");
            self.take(at_ms, step, item);
        }
    }

    fn take(&mut self, at_ms: i64, step: Step, item: Item) {
        let now = Timestamp::from_millis(START + at_ms);
        let ms = |at: Timestamp| at.as_millis() - START;
        match step {
            Step::Accepted => {
                let slot = self.pace.reserve(now, self.level, item.lane);
                self.push(ms(slot), Step::Due, item);
            }
            Step::Due => match self.pace.admit(now, self.level, item.lane) {
                Admission::Go => self.push(at_ms + WAY_MS, Step::Arrives, item),
                Admission::Later(at) => self.push(ms(at), Step::Due, item),
            },
            Step::Arrives if self.meta_accepts(at_ms) => self.sent.push(Sent {
                at_ms,
                lane: item.lane,
                waited_ms: at_ms - item.accepted_ms,
            }),
            Step::Arrives => {
                self.refused.push(at_ms);
                self.push(at_ms + WAY_MS, Step::Refused, item);
            }
            Step::Refused => {
                let longest = i64::try_from(PAUSE_MAX.as_millis()).expect("seconds");
                let until = at_ms + (1000 << item.refusals.min(10)).min(longest) * 3 / 4;
                self.pace.pause_until(now, Timestamp::from_millis(START + until));
                let refusals = item.refusals + 1;
                self.push(until, Step::Due, Item { refusals, ..item });
            }
        }
    }

    fn meta_accepts(&mut self, at_ms: i64) -> bool {
        while self.last_second.front().is_some_and(|first| *first <= at_ms - 1000) {
            self.last_second.pop_front();
        }
        let is_storm = self.storm.0 <= at_ms && at_ms < self.storm.1;
        let accepts = !is_storm && self.last_second.len() < self.real;
        if accepts {
            self.last_second.push_back(at_ms);
        }
        accepts
    }

    /// The messages of a lane that Meta accepted in a time.
    fn sent_in(&self, lane: Priority, from_ms: i64, until_ms: i64) -> usize {
        let sent = self.sent.iter().filter(|sent| sent.lane == lane);
        sent.filter(|sent| (from_ms..until_ms).contains(&sent.at_ms)).count()
    }
}

#[test]
fn lanes_do_not_starve_while_all_wait() {
    let mut number = Number::new(30);
    number.accept(0, Priority::High, 700);
    number.accept(0, Priority::Normal, 200);
    number.accept(0, Priority::Low, 200);
    number.run_until(120_000);
    assert_eq!(number.sent.len(), 1_100, "{:?}", number.refused);
    let last_high = number.sent.iter().rev().find(|sent| sent.lane == Priority::High);
    let all_wait_until = last_high.expect("all went").at_ms;
    assert!(all_wait_until > 20_000, "{all_wait_until}");
    for from in (0..all_wait_until - 5_000).step_by(1_000) {
        let [high, normal, low] = Priority::ALL.map(|lane| number.sent_in(lane, from, from + 5_000));
        let all = high + normal + low;
        let text = format!("{high}, {normal}, {low} from {from}");
        assert!(high > normal && normal >= low, "{text}");
        assert!(normal * 10 >= all && low * 50 >= all, "{text}");
    }
}

#[test]
fn a_backlog_of_a_million_keeps_no_other_lane_back() {
    let mut number = Number::new(80);
    number.accept(0, Priority::Normal, 1_000_000);
    number.run_until(30_000);
    number.offer(30_000, 60_000, 8, Priority::Low);
    number.offer(40_000, 60_000, 20, Priority::High);
    number.run_until(60_000);
    let slowest = |lane| {
        let sent = number.sent.iter().filter(|sent| sent.lane == lane);
        sent.map(|sent| sent.waited_ms).max()
    };
    assert!(slowest(Priority::High) < Some(1_000), "{:?}", slowest(Priority::High));
    assert_eq!(number.sent_in(Priority::High, 40_500, 59_500), 19 * 20);
    let low = number.sent_in(Priority::Low, 30_000, 60_000);
    assert!((100..=240).contains(&low), "{low} of 240");
    assert_eq!(number.refused.len(), 0);
    let all: usize = Priority::ALL
        .map(|lane| number.sent_in(lane, 45_000, 60_000))
        .iter()
        .sum();
    assert!(all >= 15 * 76 * 95 / 100, "{all} of all lanes");
}

#[test]
fn a_number_at_its_level_is_never_refused() {
    for (level, offered) in [(80, 76), (20, 19), (1_000, 950)] {
        let mut number = Number::new(level);
        number.offer(0, 300_000, offered, Priority::Normal);
        number.run_until(300_000);
        assert_eq!(number.refused.len(), 0);
        let slowest = |from: i64, until: i64| {
            let sent = number.sent.iter().filter(|sent| (from..until).contains(&sent.at_ms));
            sent.map(|sent| sent.waited_ms).max().expect("some")
        };
        let (first, last) = (slowest(35_000, 65_000), slowest(270_000, 300_000));
        assert!(last <= first + 200, "{first} and {last} ms");
        let late = number.sent_in(Priority::Normal, 35_000, 295_000);
        let expected = usize::try_from(260 * offered * 99 / 100).expect("positive");
        assert!(late >= expected, "{late} of {expected}");
    }
}

#[test]
fn after_a_storm_a_number_has_its_former_pace_within_a_minute() {
    for storm_ms in [3_000, 20_000, 160_000] {
        let mut number = Number::new(80);
        number.offer(0, 400_000, 90, Priority::Normal);
        let end = 60_000 + storm_ms;
        number.storm = (60_000, end);
        number.run_until(400_000);
        let former = number.sent_in(Priority::Normal, 50_000, 60_000);
        let after = number.sent_in(Priority::Normal, end + 50_000, end + 60_000);
        assert!(after * 10 >= former * 9, "{after} of {former} after {storm_ms}");
        let refused = number.refused.iter().filter(|at| **at >= end).count();
        assert_eq!(refused, 0);
    }
}

#[test]
fn a_level_that_is_set_too_high_costs_few_refusals() {
    for (level, real) in [(80, 20), (80, 40), (80, 72), (1_000, 250), (1_000, 800)] {
        let mut number = Number::new(level);
        number.real = real;
        number.accept(0, Priority::Normal, 300 * level);
        number.run_until(240_000);
        let refused = number.refused.iter().filter(|at| **at > 60_000).count();
        let sent = number.sent_in(Priority::Normal, 60_000, 240_000);
        let parts = format!("{refused} refused, {sent} sent of {} at {level}", real * 180);
        assert!(refused * 50 < sent + refused, "{parts}");
        assert!(sent * 10 > real * 180 * 6, "{parts}");
    }
}
