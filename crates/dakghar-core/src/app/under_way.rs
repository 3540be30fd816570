//! Records that this process is at work on. Several rounds go on at a time, so that a call of Meta's that hangs keeps no
//! other record waiting, and here they keep out of each other's way.

use std::collections::HashSet;
use std::hash::Hash;

use parking_lot::Mutex;

/// The ids of records of one kind. There are no more than the rounds take.
pub(super) struct UnderWay<Id: Copy + Eq + Hash>(Mutex<HashSet<Id>>);

/// The right to work on a record, until it is dropped.
pub(super) struct Turn<'a, Id: Copy + Eq + Hash> {
    of: &'a UnderWay<Id>,
    id: Id,
}

impl<Id: Copy + Eq + Hash> Default for UnderWay<Id> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Id: Copy + Eq + Hash> UnderWay<Id> {
    /// Begins to work on a record, unless somebody does. It may have changed since it was read, so it is saved first.
    pub fn begin(&self, id: Id) -> Option<Turn<'_, Id>> {
        self.0.lock().insert(id).then(|| Turn { of: self, id })
    }
}

impl<Id: Copy + Eq + Hash> Drop for Turn<'_, Id> {
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
        assert!(turn.is_some());
        assert!(under_way.begin(1).is_none());
        assert!(under_way.begin(2).is_some());
        drop(turn);
        assert!(under_way.begin(1).is_some());
    }
}
