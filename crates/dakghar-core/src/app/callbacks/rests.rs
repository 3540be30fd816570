//! Entries that wait behind the exceptions of their conversations without being some of them: a line for each of so many.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::callback::{WAITING_LINES_MAX, WaitingLine};
use crate::domain::{ConversationId, Place};

/// The lines of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Rests(BTreeMap<ConversationId, Rest>);

#[derive(Debug)]
struct Rest {
    after: Place,
    to: Place,
    /// Entries up to the endpoint's place, as it was when it was saved last.
    settled: u64,
    /// Those behind it, in the order of their places. A process that takes over reads them again.
    fresh: VecDeque<Place>,
}

impl Rest {
    fn entries(&self) -> u64 {
        self.settled + self.fresh.len() as u64
    }

    /// Takes out those up to this place that are not settled.
    fn take_fresh(&mut self, to: Place) -> u64 {
        let taken = self.fresh.partition_point(|place| *place <= to);
        self.fresh.drain(..taken);
        taken as u64
    }

    /// Begins behind this place from now on, with so many entries less.
    fn begin_at(&mut self, after: Place, taken: u64) {
        self.after = after;
        let settled = self.settled + self.take_fresh(after);
        self.settled = settled.saturating_sub(taken);
    }

    fn line(&self, conversation_id: ConversationId, to: Place, entries: u64) -> WaitingLine {
        WaitingLine {
            conversation_id,
            after: self.after,
            to,
            entries,
        }
        .within_span()
    }
}

impl Rests {
    pub(super) fn has(&self, conversation_id: &ConversationId) -> bool {
        self.0.contains_key(conversation_id)
    }

    /// True if an entry of a conversation is in its line.
    pub(super) fn covers(&self, conversation_id: &ConversationId, place: Place) -> bool {
        let rest = self.0.get(conversation_id);
        rest.is_some_and(|rest| rest.after < place && place <= rest.to)
    }

    /// True if no further conversation may have a line.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= WAITING_LINES_MAX
    }

    /// The number of entries in all lines.
    pub(super) fn entries(&self) -> u64 {
        self.0.values().map(Rest::entries).sum()
    }

    /// Takes up the lines of which a save tells, as far as the endpoint's place: what is behind that is read again.
    pub(super) fn take_up(&mut self, lines: &[WaitingLine], place: Place) {
        for line in lines {
            let line = WaitingLine {
                to: line.to.min(place),
                ..*line
            };
            if line.after < line.to {
                let rest = Rest {
                    after: line.after,
                    to: line.to,
                    settled: line.within_span().entries,
                    fresh: VecDeque::new(),
                };
                self.0.insert(line.conversation_id, rest);
            }
        }
    }

    /// Returns the lines as far as the endpoint's place, to be saved with it.
    pub(super) fn settle(&mut self, place: Place) -> Vec<WaitingLine> {
        let line = |(conversation_id, rest): (&ConversationId, &mut Rest)| {
            rest.settled += rest.take_fresh(place);
            let to = rest.to.min(place);
            (rest.after < to).then(|| rest.line(*conversation_id, to, rest.settled))
        };
        self.0.iter_mut().filter_map(line).collect()
    }

    /// Adds an entry to the line of its conversation, which begins with it where there is none.
    pub(super) fn add(&mut self, conversation_id: ConversationId, place: Place) {
        let rest = self.0.entry(conversation_id).or_insert_with(|| Rest {
            after: place.before(),
            to: place,
            settled: 0,
            fresh: VecDeque::new(),
        });
        rest.to = rest.to.max(place);
        rest.fresh.push_back(place);
    }

    /// Where the earliest line begins of which this is true, and where the last of all ends.
    pub(super) fn span(&self, mut is_meant: impl FnMut(&ConversationId) -> bool) -> Option<(Place, Place)> {
        let meant = self.0.iter().filter(|(id, _)| is_meant(id));
        let begin = meant.map(|(_, rest)| rest.after).min()?;
        let end = self.0.values().map(|rest| rest.to).max()?;
        Some((begin, end))
    }

    /// Takes an entry out of a line that begins behind `from`, or there.
    pub(super) fn take_out(&mut self, conversation_id: ConversationId, place: Place, from: Place) -> bool {
        let Some(rest) = self.0.get_mut(&conversation_id) else {
            return false;
        };
        let is_in = rest.after >= from && rest.after < place && place <= rest.to;
        if is_in {
            rest.begin_at(place, 1);
            self.remove_if_over(&conversation_id);
        }
        is_in
    }

    /// Has lines of which this is true, and which begin between these places, begin at the second one. What they have before
    /// is not wanted any more.
    pub(super) fn shorten(&mut self, from: Place, to: Place, mut is_meant: impl FnMut(&ConversationId) -> bool) {
        for (id, rest) in &mut self.0 {
            if rest.after >= from && rest.after < to && is_meant(id) {
                rest.begin_at(to, 0);
            }
        }
        self.0.retain(|_, rest| rest.after < rest.to);
    }

    fn remove_if_over(&mut self, conversation_id: &ConversationId) {
        if self.0.get(conversation_id).is_some_and(|rest| rest.after >= rest.to) {
            self.0.remove(conversation_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ONE: ConversationId = ConversationId::from_uuid(Uuid::from_u128(1));

    fn of(places: impl IntoIterator<Item = u64>) -> Rests {
        let mut rests = Rests::default();
        for place in places {
            rests.add(ONE, Place::new(place));
        }
        rests
    }

    fn shown(lines: &[WaitingLine]) -> Vec<(u64, u64, u64)> {
        let shown = |line: &WaitingLine| (line.after.number(), line.to.number(), line.entries);
        lines.iter().map(shown).collect()
    }

    #[test]
    fn lines_are_counted_as_far_as_the_place_with_which_they_are_saved() {
        let mut rests = of([5, 7, 9, 20]);
        assert_eq!(rests.entries(), 4);
        assert_eq!(shown(&rests.settle(Place::new(4))), []);
        assert_eq!(shown(&rests.settle(Place::new(8))), [(4, 8, 2)]);
        let saved = rests.settle(Place::new(15));
        assert_eq!(shown(&saved), [(4, 15, 3)]);
        assert_eq!(rests.entries(), 4);

        // Whoever takes over reads what is behind the place again, and counts it once.
        let mut other = Rests::default();
        other.take_up(&saved, Place::new(15));
        other.add(ONE, Place::new(20));
        assert_eq!(shown(&other.settle(Place::new(20))), [(4, 20, 4)]);
    }

    #[test]
    fn what_was_looked_up_is_not_counted_any_more() {
        let mut rests = of([5, 7, 9, 20]);
        rests.settle(Place::new(7));
        for place in [5, 7, 9] {
            assert!(rests.take_out(ONE, Place::new(place), Place::new(4)));
        }
        assert_eq!(
            (rests.entries(), shown(&rests.settle(Place::new(99)))),
            (1, vec![(9, 20, 1)])
        );
        assert!(rests.take_out(ONE, Place::new(20), Place::new(4)));
        assert_eq!((rests.entries(), rests.has(&ONE)), (0, false));
    }

    #[test]
    fn what_is_not_wanted_any_more_is_counted_until_its_line_is_shorter_than_that() {
        let mut rests = of(1..=100);
        rests.settle(Place::new(100));
        rests.shorten(Place::new(0), Place::new(50), |_| true);
        assert_eq!(shown(&rests.settle(Place::new(100))), [(50, 100, 50)]);
    }

    #[test]
    fn a_line_that_was_not_looked_through_from_its_beginning_keeps_what_it_has() {
        let mut rests = of([5, 7, 9, 20]);
        assert!(!rests.take_out(ONE, Place::new(9), Place::new(6)));
        rests.shorten(Place::new(6), Place::new(10), |_| true);
        assert_eq!(shown(&rests.settle(Place::new(20))), [(4, 20, 4)]);
    }

    #[test]
    fn of_what_was_not_counted_the_span_is_told() {
        let mut rests = Rests::default();
        let line = WaitingLine {
            conversation_id: ONE,
            after: Place::new(3),
            to: Place::new(90),
            entries: u64::MAX,
        };
        rests.take_up(&[line], Place::new(13));
        assert_eq!(
            (rests.entries(), shown(&rests.settle(Place::new(13)))),
            (10, vec![(3, 13, 10)])
        );
    }
}
