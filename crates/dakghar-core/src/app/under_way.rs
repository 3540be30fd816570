//! Records that this process is at work on. Several rounds go on at a time, so that a call of Meta's that hangs keeps no
//! other record waiting, and here they keep out of each other's way.

use std::collections::HashSet;
use std::hash::Hash;

use parking_lot::Mutex;

/// The ids of records of one kind. There are no more than the rounds take.
pub(super) struct UnderWay<Id: Clone + Eq + Hash>(Mutex<HashSet<Id>>);

/// The right to work on a record, until it is dropped.
pub(super) struct Turn<'a, Id: Clone + Eq + Hash> {
    of: &'a UnderWay<Id>,
    id: Id,
}

impl<Id: Clone + Eq + Hash> Default for UnderWay<Id> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Id: Clone + Eq + Hash> UnderWay<Id> {
    /// Begins to work on a record, unless somebody does. It may have changed since it was read, so it is saved first.
    pub fn begin(&self, id: Id) -> Option<Turn<'_, Id>> {
        let is_free = self.0.lock().insert(id.clone());
        is_free.then(|| Turn { of: self, id })
    }
}

impl<Id: Clone + Eq + Hash> Turn<'_, Id> {
    /// True if it is about this record.
    pub fn is_about(&self, id: &Id) -> bool {
        self.id == *id
    }
}

impl<Id: Clone + Eq + Hash> Drop for Turn<'_, Id> {
    fn drop(&mut self) {
        self.of.0.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_worked_on_once_at_a_time() {
        let under_way = UnderWay::default();
        let turn = under_way.begin(1);
        assert!(
            turn.as_ref()
                .is_some_and(|turn| turn.is_about(&1) && !turn.is_about(&2))
        );
        assert!(under_way.begin(1).is_none());
        assert!(under_way.begin(2).is_some());
        drop(turn);
        assert!(under_way.begin(1).is_some());
    }
}
