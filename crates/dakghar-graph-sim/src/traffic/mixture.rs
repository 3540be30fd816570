//! A random mixture of all kinds for several numbers, with Meta's habits.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::maker::{Maker, SentMessage};
use super::packing::Packing;
use super::part::Part;
use crate::number::Number;

/// Most updates that Meta puts in one post.
const UPDATES_MAX: usize = 1_000;
/// Most bytes that Meta puts in one post.
const BODY_BYTES_MAX: usize = 3_000_000;
/// Most bodies of one mixture.
const BODIES_MAX: usize = 100_000;
/// Updates of which one may come again in another body.
const REMEMBERED: usize = 64;
/// Bytes that the envelope of an update may need, beside the update itself.
const ENVELOPE_BYTES: usize = 400;
/// Bytes of a large body, on average.
const LARGE_BYTES: f64 = 1_500_000.0;
/// Bytes of a usual update with its envelope, on average.
const UPDATE_BYTES: f64 = 600.0;
/// Days over which Meta repeats.
const DAYS: u64 = 7;

/// What is mixed, and how. The seed, the numbers and the time together give the bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mixture {
    /// The seed of every decision.
    pub seed: u64,
    /// Bodies that are made, 1 to 100000. Repetitions come on top.
    pub bodies: usize,
    /// The numbers they are about; none for all that are known.
    pub phone_number_ids: Vec<String>,
    /// The names of the kinds that are mixed; none for all.
    pub kinds: Vec<String>,
    /// Updates in a usual body at most, 1 to 1000.
    pub updates_max: usize,
    /// How likely a body is as large as Meta makes one: 1,000 updates or 3 MB, whichever comes first.
    pub large: f64,
    /// How likely a body is about several numbers instead of one.
    pub mixed: f64,
    /// How likely an update shares the entry and the change of one before it, instead of having its own.
    pub joined: f64,
    /// How likely a body comes again unchanged, though it was accepted.
    pub repeats: f64,
    /// How likely an update comes again in a later body, among others than before.
    pub regrouped: f64,
    /// How likely a body comes later than those after it, and its updates in another order.
    pub disorder: f64,
    /// How likely an update has a field that nobody knows.
    pub unknown: f64,
    /// Time between two bodies, in milliseconds.
    pub interval_ms: u64,
    /// The length of one of the seven days over which bodies come again, in milliseconds.
    pub day_ms: u64,
    /// The present that the bodies tell of, in Unix seconds; absent for now.
    pub now_seconds: Option<i64>,
}

impl Default for Mixture {
    fn default() -> Self {
        Self {
            seed: 0,
            bodies: 100,
            phone_number_ids: Vec::new(),
            kinds: Vec::new(),
            updates_max: 12,
            large: 0.0,
            mixed: 0.5,
            joined: 0.7,
            repeats: 0.1,
            regrouped: 0.1,
            disorder: 0.2,
            unknown: 0.1,
            interval_ms: 0,
            day_ms: 100,
            now_seconds: None,
        }
    }
}

impl Mixture {
    /// Why it could not be made, if so.
    pub(crate) fn flaw(&self) -> Option<String> {
        let shares = [
            ("large", self.large),
            ("mixed", self.mixed),
            ("joined", self.joined),
            ("repeats", self.repeats),
            ("regrouped", self.regrouped),
            ("disorder", self.disorder),
            ("unknown", self.unknown),
        ];
        if let Some((name, _)) = shares.iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return Some(format!("{name} must be between 0 and 1"));
        }
        if !(1..=UPDATES_MAX).contains(&self.updates_max) {
            return Some("updates_max must be between 1 and 1000".to_owned());
        }
        if !(1..=BODIES_MAX).contains(&self.bodies) {
            return Some("bodies must be between 1 and 100000".to_owned());
        }
        let unknown = self.kinds.iter().find(|name| Kind::named(name).is_none())?;
        Some(format!("no kind is named {unknown}"))
    }

    /// About how many bytes the bodies have together.
    pub(crate) fn expected_bytes(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "both are far below the precision of a float")]
        let (bodies, updates) = (self.bodies as f64, self.updates_max as f64 / 2.0);
        bodies * (1.0 + self.repeats) * (self.large * LARGE_BYTES + (1.0 - self.large) * updates * UPDATE_BYTES)
    }

    /// The bodies, in the order in which they are posted. Statuses and replies refer to what was `sent`.
    ///
    /// # Panics
    /// There are no numbers, or a setting is out of its range.
    pub fn bodies(&self, numbers: Vec<Number>, sent: Vec<SentMessage>, now_seconds: i64) -> Traffic {
        assert!(!numbers.is_empty(), "a mixture needs numbers");
        if let Some(flaw) = self.flaw() {
            panic!("invalid mixture: {flaw}");
        }
        let now_seconds = self.now_seconds.unwrap_or(now_seconds);
        let mut maker = Maker::seeded(self.seed, now_seconds, sent);
        maker.set_unknown(self.unknown);
        let mut kinds = Kind::all();
        kinds.retain(|kind| self.kinds.is_empty() || self.kinds.iter().any(|name| name == kind.name));
        Traffic {
            rng: StdRng::seed_from_u64(self.seed.wrapping_add(1)),
            now_seconds,
            numbers: numbers.into_iter().map(Arc::new).collect(),
            maker,
            kinds,
            deck: Vec::new(),
            rest: VecDeque::new(),
            remembered: VecDeque::new(),
            made: 0,
            seq: 0,
            later: BinaryHeap::new(),
            mixture: self.clone(),
        }
    }
}

/// A body and when it is posted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Planned {
    /// Milliseconds after the first one.
    pub at_ms: u64,
    seq: u64,
    /// The bytes that are posted.
    pub body: Bytes,
    /// Updates in it.
    pub updates: usize,
}

type Update = (Arc<Number>, Part);

/// The bodies of a mixture, made as they are asked for.
pub struct Traffic {
    mixture: Mixture,
    rng: StdRng,
    now_seconds: i64,
    numbers: Vec<Arc<Number>>,
    maker: Maker,
    kinds: Vec<Kind>,
    /// Kinds that were not drawn yet, so that each comes as often as the others.
    deck: Vec<Kind>,
    /// What belongs behind an update that was posted, as the waves of a history do.
    rest: VecDeque<Update>,
    remembered: VecDeque<Update>,
    made: usize,
    seq: u64,
    later: BinaryHeap<Reverse<Planned>>,
}

impl Traffic {
    fn fresh(&mut self) -> (Vec<u8>, usize) {
        let mixture = self.mixture.clone();
        let is_large = self.rng.random_bool(mixture.large);
        self.maker.set_wordy(is_large && self.rng.random_bool(0.5));
        let wanted = if is_large {
            UPDATES_MAX
        } else {
            self.rng.random_range(1..=mixture.updates_max)
        };
        let one = (!self.rng.random_bool(mixture.mixed)).then(|| self.number());
        let mut updates: Vec<Update> = Vec::with_capacity(wanted);
        let mut bytes = 0;
        while updates.len() < wanted {
            let update = self.update(one.as_ref());
            bytes += ENVELOPE_BYTES + update.1.size();
            if bytes > BODY_BYTES_MAX {
                self.rest.push_front(update);
                break;
            }
            updates.push(update);
        }
        if self.rng.random_bool(mixture.disorder) {
            updates.shuffle(&mut self.rng);
        }
        let mut packing = Packing::at(self.now_seconds);
        for (number, part) in updates {
            let (shares_entry, shares_change) = (
                self.rng.random_bool(mixture.joined),
                self.rng.random_bool(mixture.joined),
            );
            packing.add(&number, part, shares_entry, shares_change);
        }
        let updates = packing.updates();
        (packing.into_body(), updates)
    }

    fn number(&mut self) -> Arc<Number> {
        Arc::clone(self.numbers.choose(&mut self.rng).expect("a mixture has numbers"))
    }

    /// The next update: one again, what belongs behind another, or a new one.
    fn update(&mut self, of: Option<&Arc<Number>>) -> Update {
        if self.rng.random_bool(self.mixture.regrouped)
            && let Some(again) = self.remembered.get(self.rng.random_range(0..REMEMBERED))
        {
            return again.clone();
        }
        if let Some(behind) = self.rest.pop_front() {
            return self.remember(behind);
        }
        let number = of.map_or_else(|| self.number(), Arc::clone);
        self.maker.turn_to(Arc::clone(&number));
        let mut parts = self.draw().make(&mut self.maker).into_iter();
        let first = parts.next().expect("a kind makes something");
        self.rest.extend(parts.map(|part| (Arc::clone(&number), part)));
        self.remember((number, first))
    }

    fn remember(&mut self, update: Update) -> Update {
        if self.remembered.len() == REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back(update.clone());
        update
    }

    fn draw(&mut self) -> Kind {
        if self.deck.is_empty() {
            self.deck.clone_from(&self.kinds);
            self.deck.shuffle(&mut self.rng);
        }
        self.deck.pop().expect("a mixture has kinds")
    }

    /// Makes a body, and plans when it comes and when it comes again.
    fn plan_one(&mut self) {
        let (body, updates) = self.fresh();
        let (interval_ms, day_ms) = (self.mixture.interval_ms, self.mixture.day_ms);
        let mut at_ms = self.made as u64 * interval_ms;
        self.made += 1;
        if self.rng.random_bool(self.mixture.disorder) {
            at_ms += self.rng.random_range(0..=10 * interval_ms);
        }
        let body = Bytes::from(body);
        self.plan(at_ms, body.clone(), updates);
        if self.rng.random_bool(self.mixture.repeats) {
            let again_ms = at_ms + self.rng.random_range(0..=DAYS * day_ms);
            self.plan(again_ms, body, updates);
        }
    }

    fn plan(&mut self, at_ms: u64, body: Bytes, updates: usize) {
        self.seq += 1;
        self.later.push(Reverse(Planned {
            at_ms,
            seq: self.seq,
            body,
            updates,
        }));
    }
}

impl Iterator for Traffic {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        while self.made < self.mixture.bodies {
            // Whatever is made from now on comes at this time or later.
            let reached_ms = self.made as u64 * self.mixture.interval_ms;
            if self.later.peek().is_some_and(|Reverse(next)| next.at_ms < reached_ms) {
                break;
            }
            if self.mixture.interval_ms == 0 && self.later.peek().is_some_and(|Reverse(next)| next.at_ms == 0) {
                break;
            }
            self.plan_one();
        }
        self.later.pop().map(|Reverse(next)| next)
    }
}

impl std::fmt::Debug for Traffic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Traffic")
            .field("made", &self.made)
            .finish_non_exhaustive()
    }
}
