//! The data keys that are kept, bounded in number, by the time they came.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;

use crate::ports::{DataKey, KeyContext};

/// The most that are kept, of about 200 bytes each: 13 MB.
pub const KEPT_MAX: usize = 65_536;

/// Names a wrapped data key together with its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id([u8; 32]);

impl Id {
    pub(super) fn of(wrapped: &[u8], context: KeyContext<'_>) -> Self {
        let owner = context.owner.to_string();
        let mut digest = digest::Context::new(&digest::SHA256);
        digest.update(&(owner.len() as u64).to_be_bytes());
        digest.update(owner.as_bytes());
        digest.update(wrapped);
        let digest = digest.finish();
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

/// What is known of a wrapped data key. Behind a pointer, so that a table that grows leaves no copies behind.
pub(super) type Known = Result<Arc<DataKey>, &'static str>;

/// What was unwrapped, and what could not be.
#[derive(Default)]
pub(super) struct Memory {
    known: HashMap<Id, (Duration, Known)>,
    by_age: BTreeSet<(Duration, Id)>,
}

impl Memory {
    /// Returns what is known, and for how long at `now`.
    pub(super) fn find(&self, id: &Id, now: Duration) -> Option<(&Known, Duration)> {
        let (at, known) = self.known.get(id)?;
        Some((known, now.saturating_sub(*at)))
    }

    /// Keeps it. Where there is no room, the oldest goes.
    pub(super) fn keep(&mut self, id: Id, known: Known, now: Duration) {
        self.forget(&id);
        self.known.insert(id, (now, known));
        self.by_age.insert((now, id));
        while self.known.len() > KEPT_MAX {
            let Some((_, oldest)) = self.by_age.pop_first() else {
                break;
            };
            self.known.remove(&oldest);
        }
    }

    /// Forgets one.
    pub(super) fn forget(&mut self, id: &Id) {
        if let Some((at, _)) = self.known.remove(id) {
            self.by_age.remove(&(at, *id));
        }
    }

    /// True if one is older than `age`.
    pub(super) fn has_older(&self, age: Duration, now: Duration) -> bool {
        let oldest = self.by_age.first();
        oldest.is_some_and(|(at, _)| now.saturating_sub(*at) >= age)
    }

    /// Forgets those that are older than `age`.
    pub(super) fn forget_older(&mut self, age: Duration, now: Duration) {
        while self.has_older(age, now) {
            let Some((_, oldest)) = self.by_age.pop_first() else {
                return;
            };
            self.known.remove(&oldest);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}
