//! Seeded randomness shared by concurrent callers.

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// One seeded generator. The sequence of draws is fixed by the seed; which caller gets which draw
/// depends on the order in which concurrent callers arrive.
#[derive(Debug)]
pub(crate) struct Dice(Mutex<StdRng>);

impl Dice {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// True with the given probability; no draw is made for 0 and 1.
    pub(crate) fn roll(&self, probability: f64) -> bool {
        if probability <= 0.0 {
            return false;
        }
        probability >= 1.0 || self.0.lock().random_bool(probability)
    }

    /// A number in `0..=max`.
    pub(crate) fn up_to(&self, max: u64) -> u64 {
        self.0.lock().random_range(0..=max)
    }

    pub(crate) fn shuffle<T>(&self, items: &mut [T]) {
        if items.len() > 1 {
            items.shuffle(&mut *self.0.lock());
        }
    }
}
