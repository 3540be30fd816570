//! Entries that were read and are not delivered yet.

use std::collections::BTreeMap;

use crate::domain::feed::Place;

/// Entries of a feed from a place on, each waiting, under way or done. They may be done in any order; the place moves
/// past those that are done and have no other before them.
#[derive(Clone, Debug)]
pub struct Window<T> {
    slots: BTreeMap<Place, Slot<T>>,
    read_to: Place,
    waiting: usize,
}

#[derive(Clone, Debug)]
enum Slot<T> {
    Waiting(T),
    UnderWay,
    Done,
}

impl<T> Window<T> {
    /// Begins behind a place.
    pub const fn new(after: Place) -> Self {
        Self {
            slots: BTreeMap::new(),
            read_to: after,
            waiting: 0,
        }
    }

    /// The place up to which it was read.
    pub const fn read_to(&self) -> Place {
        self.read_to
    }

    /// The place up to which everything is done.
    pub fn done_to(&self) -> Place {
        self.slots.keys().next().map_or(self.read_to, |first| first.before())
    }

    /// How many wait.
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many are waiting, under way, or done behind one that is not.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True if everything that was read is done.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Adds an entry that was read.
    pub fn add(&mut self, place: Place, entry: T) {
        self.slots.insert(place, Slot::Waiting(entry));
        self.waiting += 1;
        self.read_to = self.read_to.max(place);
    }

    /// Notes that nothing up to this place is wanted that was not added.
    pub fn pass_over(&mut self, to: Place) {
        self.read_to = self.read_to.max(to);
    }

    /// Takes the earliest waiting one that `may_go`.
    pub fn take(&mut self, mut may_go: impl FnMut(&T) -> bool) -> Option<(Place, T)> {
        if self.waiting == 0 {
            return None;
        }
        let found = self.slots.iter_mut().find(|(_, slot)| match slot {
            Slot::Waiting(entry) => may_go(entry),
            Slot::UnderWay | Slot::Done => false,
        });
        let (place, slot) = found?;
        let Slot::Waiting(entry) = std::mem::replace(slot, Slot::UnderWay) else {
            return None;
        };
        self.waiting -= 1;
        Some((*place, entry))
    }

    /// True if one of which this is true waits.
    pub fn has_waiting(&self, mut is_meant: impl FnMut(&T) -> bool) -> bool {
        self.slots
            .values()
            .any(|slot| matches!(slot, Slot::Waiting(entry) if is_meant(entry)))
    }

    /// True if this place was read, and what stands there is done or not wanted.
    pub fn is_done(&self, place: Place) -> bool {
        place <= self.read_to && self.slots.get(&place).is_none_or(|slot| matches!(slot, Slot::Done))
    }

    /// Those that wait, the earliest first.
    pub fn waiting_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.values_mut().filter_map(|slot| match slot {
            Slot::Waiting(entry) => Some(entry),
            Slot::UnderWay | Slot::Done => None,
        })
    }

    /// Puts one back that was taken: it waits again.
    pub fn give_back(&mut self, place: Place, entry: T) {
        if let Some(slot) = self.slots.get_mut(&place) {
            *slot = Slot::Waiting(entry);
            self.waiting += 1;
        }
    }

    /// Notes that one that was taken is done.
    pub fn done(&mut self, place: Place) {
        if let Some(slot) = self.slots.get_mut(&place) {
            *slot = Slot::Done;
        }
        while let Some(first) = self.slots.first_entry()
            && matches!(first.get(), Slot::Done)
        {
            first.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(entries: std::ops::RangeInclusive<u64>) -> Window<u64> {
        let mut window = Window::new(Place::new(entries.start() - 1));
        for number in entries {
            window.add(Place::new(number), number);
        }
        window
    }

    #[test]
    fn what_was_taken_out_and_what_was_not_read_is_not_done() {
        let mut window = window(1..=4);
        assert_eq!((take(&mut window), take(&mut window)), (1, 2));
        window.done(Place::new(2));
        window.pass_over(Place::new(6));
        let done: Vec<u64> = (0..=7).filter(|n| window.is_done(Place::new(*n))).collect();
        assert_eq!(done, [0, 2, 5, 6]);
        window.done(Place::new(1));
        assert!(window.is_done(Place::new(1)));
    }

    fn take(window: &mut Window<u64>) -> u64 {
        window.take(|_| true).expect("one waits").1
    }

    #[test]
    fn the_place_moves_past_what_is_done_and_never_past_what_is_not() {
        let mut window = window(5..=8);
        assert_eq!([take(&mut window), take(&mut window), take(&mut window)], [5, 6, 7]);
        for (done, place) in [(6, 4), (7, 4), (5, 7)] {
            window.done(Place::new(done));
            assert_eq!(window.done_to(), Place::new(place));
        }
        assert_eq!((window.len(), window.waiting()), (1, 1));
        assert_eq!(take(&mut window), 8);
        window.done(Place::new(8));
        assert!(window.is_empty());
        assert_eq!(window.done_to(), Place::new(8));
    }

    #[test]
    fn what_is_not_wanted_counts_as_done_once_what_is_before_it_is() {
        let mut window = window(1..=1);
        window.pass_over(Place::new(9));
        assert_eq!((window.read_to(), window.done_to()), (Place::new(9), Place::START));
        take(&mut window);
        window.done(Place::new(1));
        assert_eq!(window.done_to(), Place::new(9));
    }

    #[test]
    fn what_may_not_go_stays_and_others_get_past_it() {
        let mut window = window(1..=4);
        let odd = |window: &mut Window<u64>| window.take(|number| number % 2 == 1).map(|(_, number)| number);
        assert_eq!(
            [odd(&mut window), odd(&mut window), odd(&mut window)],
            [Some(1), Some(3), None]
        );
        assert!(window.has_waiting(|number| number % 2 == 0) && !window.has_waiting(|number| number % 2 == 1));
        assert_eq!((take(&mut window), take(&mut window)), (2, 4));
        window.give_back(Place::new(3), 3);
        window.done(Place::new(1));
        window.done(Place::new(2));
        assert_eq!((window.done_to(), take(&mut window)), (Place::new(2), 3));
        assert!(window.take(|_| true).is_none());
    }
}
