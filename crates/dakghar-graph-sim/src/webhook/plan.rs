//! Which statuses follow an accepted message, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::StatusKind;
use crate::dice::Dice;

/// Longest extra wait of a duplicate behind its original.
const DUPLICATE_LAG_MS_MAX: u64 = 50;
/// Most updates that Meta puts in one post.
const BATCH_MAX: usize = 1000;

/// The plan for every accepted message, unless a fault says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusPlan {
    /// Whether any status follows.
    pub enabled: bool,
    /// When `sent` is posted, counted from acceptance; null for never.
    pub sent_ms: Option<u64>,
    /// When `delivered` is posted; null for never.
    pub delivered_ms: Option<u64>,
    /// When `read` is posted; null for never.
    pub read_ms: Option<u64>,
    /// How likely each status comes twice, `0.0..=1.0`. The second one comes up to 50 ms later.
    pub duplicate_probability: f64,
    /// Whether the statuses of a message, and those in one post, come in random order.
    pub shuffle: bool,
    /// Most statuses in one post, 1 to 1000.
    pub batch_max: usize,
}

impl Default for StatusPlan {
    fn default() -> Self {
        Self {
            enabled: true,
            sent_ms: Some(20),
            delivered_ms: Some(60),
            read_ms: Some(200),
            duplicate_probability: 0.0,
            shuffle: false,
            batch_max: 100,
        }
    }
}

impl StatusPlan {
    /// A plan without any status.
    pub fn none() -> Self {
        Self {
            enabled: false,
            ..Self::default()
        }
    }

    /// A plan in which every status comes as soon as possible.
    pub fn immediate() -> Self {
        Self {
            sent_ms: Some(0),
            delivered_ms: Some(0),
            read_ms: Some(0),
            ..Self::default()
        }
    }

    /// Why the plan could not be followed, if so.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        if !(0.0..=1.0).contains(&self.duplicate_probability) {
            return Some("duplicate_probability must be between 0 and 1");
        }
        if !(1..=BATCH_MAX).contains(&self.batch_max) {
            return Some("batch_max must be between 1 and 1000");
        }
        None
    }

    /// When each status is posted (from acceptance) and the delay its timestamp shows.
    pub(super) fn steps(&self, dice: &Dice) -> Vec<Step> {
        let planned = [
            (StatusKind::Sent, self.sent_ms),
            (StatusKind::Delivered, self.delivered_ms),
            (StatusKind::Read, self.read_ms),
        ];
        let mut steps: Vec<Step> = planned
            .into_iter()
            .filter_map(|(kind, delay_ms)| {
                let delay = Duration::from_millis(delay_ms?);
                Some(Step {
                    kind,
                    happens_after: delay,
                    posted_after: delay,
                })
            })
            .collect();
        if self.shuffle {
            let mut delays: Vec<Duration> = steps.iter().map(|step| step.posted_after).collect();
            dice.shuffle(&mut delays);
            for (step, delay) in steps.iter_mut().zip(delays) {
                step.posted_after = delay;
            }
        }
        for at in 0..steps.len() {
            if dice.roll(self.duplicate_probability) {
                let lag = Duration::from_millis(dice.up_to(DUPLICATE_LAG_MS_MAX));
                let mut again = steps[at].clone();
                again.posted_after += lag;
                steps.push(again);
            }
        }
        steps
    }
}

/// One status of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) kind: StatusKind,
    pub(super) happens_after: Duration,
    pub(super) posted_after: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(steps: &[Step]) -> Vec<StatusKind> {
        steps.iter().map(|step| step.kind).collect()
    }

    #[test]
    fn follows_the_plan_in_order() {
        let steps = StatusPlan::default().steps(&Dice::seeded(1));
        let expected = [StatusKind::Sent, StatusKind::Delivered, StatusKind::Read];
        assert_eq!(kinds(&steps), expected);
        let only_sent = StatusPlan {
            delivered_ms: None,
            read_ms: None,
            ..StatusPlan::default()
        };
        assert_eq!(kinds(&only_sent.steps(&Dice::seeded(1))), [StatusKind::Sent]);
    }

    #[test]
    fn duplicates_every_status_when_certain() {
        let plan = StatusPlan {
            duplicate_probability: 1.0,
            ..StatusPlan::default()
        };
        assert_eq!(plan.steps(&Dice::seeded(1)).len(), 6);
    }

    #[test]
    fn shuffling_moves_the_post_but_not_the_time_it_tells() {
        let plan = StatusPlan {
            shuffle: true,
            ..StatusPlan::default()
        };
        let dice = Dice::seeded(3);
        let is_moved = |steps: &[Step]| steps.iter().any(|s| s.happens_after != s.posted_after);
        assert!((0..20).any(|_| is_moved(&plan.steps(&dice))));
        for step in plan.steps(&dice) {
            let expected_ms = match step.kind {
                StatusKind::Sent => 20,
                StatusKind::Delivered => 60,
                _ => 200,
            };
            assert_eq!(step.happens_after, Duration::from_millis(expected_ms));
        }
    }
}
