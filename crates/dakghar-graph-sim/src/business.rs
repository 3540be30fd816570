//! The belongings of numbers beside messages, as long as the simulator runs.

use std::collections::{BTreeSet, HashMap};

use parking_lot::Mutex;
use serde_json::{Map, Value};

/// Numbers of which something is remembered.
const NUMBERS_MAX: usize = 10_000;
/// Media that one number has.
const MEDIA_MAX: usize = 1_000;

/// Profiles and blocked people, by number.
#[derive(Debug, Default)]
pub(crate) struct Businesses(Mutex<HashMap<String, Business>>);

/// The belongings of one number.
#[derive(Debug, Default)]
pub(crate) struct Business {
    pub(crate) profile: Map<String, Value>,
    pub(crate) blocked: BTreeSet<String>,
    pub(crate) media: BTreeSet<String>,
    uploads: u64,
}

impl Business {
    /// Gives something that was uploaded an id. The oldest ids are forgotten.
    pub(crate) fn new_media(&mut self, number: &str) -> String {
        self.uploads += 1;
        let start: String = number.chars().take(8).collect();
        let media = format!("9{start}{:08}", self.uploads);
        if self.media.len() >= MEDIA_MAX {
            self.media.pop_first();
        }
        self.media.insert(media.clone());
        media
    }
}

impl Businesses {
    /// Looks at what a number has, and changes it.
    pub(crate) fn of<T>(&self, number: &str, change: impl FnOnce(&mut Business) -> T) -> T {
        let mut all = self.0.lock();
        if all.len() >= NUMBERS_MAX && !all.contains_key(number) {
            all.clear();
        }
        change(all.entry(number.to_owned()).or_default())
    }
}
