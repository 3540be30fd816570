//! Decides which rule, if any, hits a call.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::{Fault, FaultRule, Match, Rate, RuleId, RuleView};
use crate::dice::Dice;

/// What rules can match on, once the body is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CallFacts<'a> {
    pub(crate) phone_number_id: &'a str,
    /// A call that is no send.
    pub(crate) call: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
    pub(crate) to_digits: Option<&'a str>,
    pub(crate) text: Option<&'a str>,
    pub(crate) biz_opaque: Option<&'a str>,
    pub(crate) message_type: &'a str,
}

/// The rules in the order in which they were added.
#[derive(Debug)]
pub(crate) struct RuleEngine {
    rules: Mutex<Rules>,
    /// Lets a call without any rule pass without the lock.
    is_empty: AtomicBool,
    dice: Dice,
}

#[derive(Debug, Default)]
struct Rules {
    next_id: u64,
    list: Vec<RuleView>,
}

impl RuleEngine {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self {
            rules: Mutex::default(),
            is_empty: AtomicBool::new(true),
            dice: Dice::seeded(seed),
        }
    }

    /// Adds a rule behind the others. The caller has checked [`FaultRule::flaw`].
    pub(crate) fn add(&self, rule: FaultRule) -> RuleId {
        let mut rules = self.rules.lock();
        rules.next_id += 1;
        let id = RuleId(rules.next_id);
        rules.list.push(RuleView {
            id,
            matched: 0,
            hits: 0,
            rule,
        });
        self.is_empty.store(false, Ordering::Release);
        id
    }

    /// Removes one rule; false if there is none of this id.
    pub(crate) fn remove(&self, id: RuleId) -> bool {
        let mut rules = self.rules.lock();
        let before = rules.list.len();
        rules.list.retain(|view| view.id != id);
        self.is_empty.store(rules.list.is_empty(), Ordering::Release);
        rules.list.len() < before
    }

    pub(crate) fn clear(&self) {
        let mut rules = self.rules.lock();
        rules.list.clear();
        self.is_empty.store(true, Ordering::Release);
    }

    pub(crate) fn list(&self) -> Vec<RuleView> {
        self.rules.lock().list.clone()
    }

    /// Whether the connection is to be reset before the body is read.
    pub(crate) fn resets_before_read(&self, phone_number_id: &str) -> bool {
        let facts = CallFacts {
            phone_number_id,
            ..CallFacts::default()
        };
        self.hit(|rule| {
            rule.fault == Fault::ResetBeforeRead
                && rule.when.call.is_none()
                && matches_number(&rule.when, facts.phone_number_id)
        })
        .is_some()
    }

    /// The fault of the first rule that hits this call.
    pub(crate) fn decide(&self, facts: &CallFacts<'_>) -> Option<Fault> {
        self.hit(|rule| rule.fault != Fault::ResetBeforeRead && matches(&rule.when, facts))
    }

    fn hit(&self, is_match: impl Fn(&FaultRule) -> bool) -> Option<Fault> {
        if self.is_empty.load(Ordering::Acquire) {
            return None;
        }
        let mut rules = self.rules.lock();
        rules
            .list
            .iter_mut()
            .filter(|view| view.rule.times.is_none_or(|times| view.hits < times))
            .filter(|view| is_match(&view.rule))
            .find_map(|view| {
                view.matched += 1;
                let is_hit = match view.rule.rate {
                    Rate::Always => true,
                    Rate::Probability(probability) => self.dice.roll(probability),
                    Rate::EveryNth(nth) => view.matched.is_multiple_of(nth),
                    Rate::First(calls) => view.matched <= calls,
                };
                is_hit.then(|| {
                    view.hits += 1;
                    view.rule.fault.clone()
                })
            })
    }
}

fn matches_number(when: &Match, phone_number_id: &str) -> bool {
    when.phone_number_id.as_deref().is_none_or(|id| id == phone_number_id)
}

fn matches(when: &Match, facts: &CallFacts<'_>) -> bool {
    let matches_to = || match when.to.as_deref() {
        None => true,
        Some(to) if facts.to == Some(to) => true,
        Some(to) => facts.to_digits.is_some() && crate::number::phone_digits(to).as_deref() == facts.to_digits,
    };
    let contains = |part: &Option<String>, whole: Option<&str>| match part {
        None => true,
        Some(part) => whole.is_some_and(|whole| whole.contains(part.as_str())),
    };
    let starts = |prefix: &Option<String>, whole: Option<&str>| match prefix {
        None => true,
        Some(prefix) => whole.is_some_and(|whole| whole.starts_with(prefix.as_str())),
    };
    matches_number(when, facts.phone_number_id)
        && when.call.as_deref() == facts.call
        && when
            .message_type
            .as_deref()
            .is_none_or(|kind| kind == facts.message_type)
        && contains(&when.text_contains, facts.text)
        && starts(&when.biz_opaque_prefix, facts.biz_opaque)
        && matches_to()
}
