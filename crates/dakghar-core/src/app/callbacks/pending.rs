//! The exceptions of an endpoint in short: which are due when, and which hold back their conversation. A conversation of which
//! much waits has a line beside them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::item::Line;
use super::rests::Rests;
use crate::domain::callback::{CallbackException, ExceptionState, WAITING_APART_MAX, WaitingLine};
use crate::domain::{ConversationId, Place, Timestamp};

/// Exceptions that are not dead.
#[derive(Debug, Default)]
pub(super) struct Pending {
    all: BTreeMap<Place, Waiting>,
    due: BTreeSet<(Timestamp, Place)>,
    lines: HashMap<Line, BTreeSet<Place>>,
    /// The number of them that a replay wants to be delivered.
    replayed: usize,
    rests: Rests,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    line: Option<Line>,
    /// `None` while it is being tried, or stands behind another one.
    next_at: Option<Timestamp>,
    is_under_way: bool,
    /// It was called up while it was under way: if that try fails, the next one follows at once.
    is_called_up: bool,
    is_replay: bool,
}

impl Pending {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The number of them that a replay wants to be delivered.
    pub(super) const fn replayed(&self) -> usize {
        self.replayed
    }

    /// The number of entries that wait together, behind those.
    pub(super) fn waiting_together(&self) -> u64 {
        self.rests.entries()
    }

    pub(super) fn has(&self, place: Place) -> bool {
        self.all.contains_key(&place)
    }

    /// True if a later entry of this line must wait.
    pub(super) fn holds_back(&self, line: &Line) -> bool {
        self.lines.contains_key(line) || (!line.1 && self.rests.has(&line.0))
    }

    /// Takes up the lines of which a save tells, as far as the endpoint's place: what is behind that is read again.
    pub(super) fn take_up(&mut self, lines: &[WaitingLine], place: Place) {
        self.rests.take_up(lines, place);
    }

    /// The lines as far as the endpoint's place, to be saved with it.
    pub(super) fn waiting_lines(&mut self, place: Place) -> Vec<WaitingLine> {
        self.rests.settle(place)
    }

    /// Has an entry that is held back wait with others. Returns false if it is to be an exception of its own.
    pub(super) fn join(&mut self, line: &Line, place: Place) -> bool {
        let (conversation_id, is_replay) = *line;
        if is_replay {
            return false;
        }
        // The first of them is the one that is tried.
        let apart = self.lines.get(line).map_or(0, BTreeSet::len);
        let may_begin = apart > WAITING_APART_MAX && !self.rests.is_full();
        let joins = may_begin || self.rests.has(&conversation_id);
        if joins {
            self.rests.add(conversation_id, place);
        }
        joins
    }

    /// A line before which nothing is left.
    pub(super) fn next_line(&self) -> Option<WaitingLine> {
        self.rests.find(|id| !self.lines.contains_key(&(*id, false)))
    }

    /// Takes note that of what waited in a line up to this place so many are noted by themselves, and the others are not
    /// wanted.
    pub(super) fn shorten(&mut self, conversation_id: ConversationId, to: Place, found: usize) {
        self.rests.shorten(conversation_id, to, found);
    }

    /// Takes note of an exception, new or changed.
    pub(super) fn note(&mut self, exception: &CallbackException, now: Timestamp) {
        let place = exception.placed.place;
        if exception.state == ExceptionState::Dead {
            self.remove(place, now);
            return;
        }
        self.forget_time(place);
        let is_called_up = self.all.get(&place).is_some_and(|before| before.is_called_up);
        let next_at = exception.state.next_at();
        let waiting = Waiting {
            line: exception.conversation_id.map(|id| (id, exception.is_replay)),
            next_at: next_at.map(|at| if is_called_up { at.min(now) } else { at }),
            is_under_way: false,
            is_called_up: false,
            is_replay: exception.is_replay,
        };
        let before = self.all.insert(place, waiting);
        self.replayed += usize::from(waiting.is_replay);
        self.replayed -= usize::from(before.is_some_and(|before| before.is_replay));
        if let Some(line) = waiting.line {
            self.lines.entry(line).or_default().insert(place);
            self.call_first(&line, now);
        } else {
            self.set_time(place, Some(waiting.next_at.unwrap_or(now)));
        }
    }

    /// Takes note that one is over: the next one of its conversation is due.
    pub(super) fn remove(&mut self, place: Place, now: Timestamp) {
        self.forget_time(place);
        let Some(waiting) = self.all.remove(&place) else { return };
        self.replayed -= usize::from(waiting.is_replay);
        let Some(line) = waiting.line else { return };
        if let Some(places) = self.lines.get_mut(&line) {
            places.remove(&place);
            if places.is_empty() {
                self.lines.remove(&line);
            } else {
                self.call_first(&line, now);
            }
        }
    }

    /// Takes the places of those that are due, the earliest due first. They are under way until noted or removed.
    pub(super) fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<Place> {
        let due = self.due.range(..=(now, Place::new(u64::MAX)));
        let places: Vec<_> = due.take(limit).map(|(_, place)| *place).collect();
        for place in &places {
            self.forget_time(*place);
            if let Some(waiting) = self.all.get_mut(place) {
                waiting.is_under_way = true;
            }
        }
        places
    }

    /// Puts one back that was taken and not tried.
    pub(super) fn put_back(&mut self, place: Place, at: Timestamp) {
        if let Some(waiting) = self.all.get_mut(&place) {
            waiting.is_under_way = false;
            self.set_time(place, Some(at));
        }
    }

    /// Has one that waits for its time tried now, and one that is under way once more if it fails.
    pub(super) fn call_up(&mut self, place: Place, now: Timestamp) {
        let Some(waiting) = self.all.get_mut(&place) else {
            return;
        };
        waiting.is_called_up = waiting.is_under_way;
        let at = waiting.next_at;
        if at.is_some_and(|at| at > now && self.due.contains(&(at, place))) {
            self.set_time(place, Some(now));
        }
    }

    /// When the next one is due.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The first of a conversation is the one that is tried.
    fn call_first(&mut self, line: &Line, now: Timestamp) {
        let mut places = self.lines.get(line).into_iter().flatten().copied();
        let (Some(first), second) = (places.next(), places.next()) else {
            return;
        };
        // It was the first until now.
        if let Some(second) = second {
            self.forget_time(second);
        }
        let Some(waiting) = self.all.get(&first).filter(|waiting| !waiting.is_under_way) else {
            return;
        };
        let at = waiting.next_at.unwrap_or(now);
        self.set_time(first, Some(at));
    }

    fn set_time(&mut self, place: Place, at: Option<Timestamp>) {
        self.forget_time(place);
        if let Some(waiting) = self.all.get_mut(&place) {
            waiting.next_at = at;
            self.due.extend(at.map(|at| (at, place)));
        }
    }

    fn forget_time(&mut self, place: Place) {
        if let Some(at) = self.all.get(&place).and_then(|waiting| waiting.next_at) {
            self.due.remove(&(at, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::domain::callback::WAITING_LINES_MAX;
    use crate::domain::feed::{EntryKind, FeedEntry, PlacedEntry, Subject};
    use crate::domain::{ConversationId, EndpointId, EventId, TenantId};

    const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

    fn at(seconds: u64) -> Timestamp {
        NOW + Duration::from_secs(seconds)
    }

    fn exception(place: u64, conversation: Option<u128>, state: ExceptionState) -> CallbackException {
        let entry = FeedEntry {
            tenant_id: TenantId::from_uuid(Uuid::from_u128(1)),
            kind: EntryKind::parse("message.received").expect("a kind"),
            subject: Subject::Event(EventId::from_uuid(Uuid::from_u128(2))),
            phone_number_id: None,
            at: NOW,
            reported_at: None,
        };
        CallbackException {
            endpoint_id: EndpointId::from_uuid(Uuid::from_u128(3)),
            placed: PlacedEntry {
                place: Place::new(place),
                entry,
            },
            conversation_id: conversation.map(|id| ConversationId::from_uuid(Uuid::from_u128(id))),
            state,
            attempts: 1,
            since: NOW,
            last: None,
            is_replay: false,
        }
    }

    fn retrying(place: u64, conversation: Option<u128>, seconds: u64) -> CallbackException {
        exception(place, conversation, ExceptionState::Retrying(at(seconds)))
    }

    fn take(pending: &mut Pending, seconds: u64) -> Vec<u64> {
        let places = pending.take_due(at(seconds), 10);
        places.into_iter().map(Place::number).collect()
    }

    #[test]
    fn those_that_are_due_are_taken_once_in_the_order_of_their_times() {
        let mut pending = Pending::default();
        for (place, seconds) in [(1, 30), (2, 10), (3, 20)] {
            pending.note(&retrying(place, None, seconds), NOW);
        }
        assert_eq!(pending.next_at(), Some(at(10)));
        assert_eq!(take(&mut pending, 20), [2, 3]);
        assert_eq!(take(&mut pending, 25), [] as [u64; 0]);
        pending.note(&retrying(2, None, 60), at(20));
        pending.remove(Place::new(3), at(20));
        assert_eq!((take(&mut pending, 60), pending.len()), (vec![1, 2], 2));
        pending.put_back(Place::new(1), at(70));
        assert_eq!((take(&mut pending, 69), take(&mut pending, 70)), (vec![], vec![1]));
    }

    #[test]
    fn only_the_first_of_a_conversation_is_tried() {
        let mut pending = Pending::default();
        pending.note(&exception(5, Some(1), ExceptionState::Behind), NOW);
        pending.note(&retrying(4, Some(1), 10), NOW);
        pending.note(&exception(6, Some(1), ExceptionState::Behind), NOW);
        pending.note(&retrying(7, Some(2), 1), NOW);
        let first = (ConversationId::from_uuid(Uuid::from_u128(1)), false);
        assert!(pending.holds_back(&first));
        assert_eq!(take(&mut pending, 100), [7, 4]);
        assert_eq!(take(&mut pending, 100), [] as [u64; 0], "the first is under way");
        pending.note(&retrying(4, Some(1), 200), at(100));
        assert_eq!(take(&mut pending, 150), [] as [u64; 0]);
        assert_eq!(take(&mut pending, 200), [4]);
        pending.remove(Place::new(4), at(200));
        assert_eq!(take(&mut pending, 200), [5]);
        pending.note(&exception(5, Some(1), ExceptionState::Dead), at(200));
        assert_eq!(take(&mut pending, 200), [6]);
        pending.remove(Place::new(6), at(200));
        assert!(!pending.holds_back(&first));
    }

    #[test]
    fn what_is_called_up_is_tried_at_once_unless_another_is_in_its_way() {
        let mut pending = Pending::default();
        pending.note(&retrying(1, None, 500), NOW);
        pending.note(&retrying(4, Some(1), 500), NOW);
        pending.note(&retrying(5, Some(1), 400), NOW);
        for place in [1, 5, 9] {
            pending.call_up(Place::new(place), at(10));
        }
        assert_eq!(take(&mut pending, 10), [1], "5 waits for 4");
        pending.call_up(Place::new(1), at(11));
        assert_eq!(take(&mut pending, 11), [] as [u64; 0], "it is under way");
        pending.note(&retrying(1, None, 1_800), at(12));
        assert_eq!(take(&mut pending, 12), [1], "that try had begun before");
        pending.note(&retrying(1, None, 1_800), at(13));
        pending.call_up(Place::new(4), at(13));
        assert_eq!(take(&mut pending, 1_799), [4], "once");
    }

    #[test]
    fn what_is_replayed_stands_in_a_line_of_its_own() {
        let mut pending = Pending::default();
        let replayed = CallbackException {
            is_replay: true,
            ..retrying(1, Some(1), 500)
        };
        pending.note(&replayed, NOW);
        pending.note(&retrying(4, Some(1), 20), NOW);
        pending.note(&replayed, NOW);
        assert_eq!((pending.len(), pending.replayed()), (2, 1));
        let line = ConversationId::from_uuid(Uuid::from_u128(1));
        assert!(pending.holds_back(&(line, true)) && pending.holds_back(&(line, false)));
        assert_eq!(take(&mut pending, 20), [4]);
        pending.remove(Place::new(4), at(20));
        assert!(pending.holds_back(&(line, true)) && !pending.holds_back(&(line, false)));
        pending.remove(Place::new(1), at(20));
        assert_eq!(pending.replayed(), 0);
    }

    #[test]
    fn what_comes_behind_so_many_waits_together_and_holds_its_conversation_back() {
        let mut pending = Pending::default();
        let conversation = |n: u128| ConversationId::from_uuid(Uuid::from_u128(n));
        let line = (conversation(1), false);
        pending.note(&retrying(1, Some(1), 10), NOW);
        for place in 2..40 {
            let joins = pending.join(&line, Place::new(place));
            assert_eq!(joins, place > 33, "{place}");
            if !joins {
                pending.note(&exception(place, Some(1), ExceptionState::Behind), NOW);
            }
        }
        assert_eq!((pending.len(), pending.next_line()), (33, None));
        assert!(
            !pending.join(&(conversation(1), true), Place::new(40)),
            "replays do not"
        );
        for place in 1..=33 {
            pending.remove(Place::new(place), NOW);
        }
        assert!(pending.holds_back(&line) && !pending.holds_back(&(conversation(1), true)));
        let rest = pending.next_line().expect("a line");
        assert_eq!((rest.after, rest.to, rest.entries), (Place::new(33), Place::new(39), 6));
        pending.shorten(conversation(1), Place::new(35), 2);
        let saved = pending.waiting_lines(Place::new(39));
        assert_eq!((saved[0].after, pending.waiting_together()), (Place::new(35), 4));

        // Behind its place an endpoint reads again.
        let mut other = Pending::default();
        other.take_up(&saved, Place::new(37));
        assert_eq!(other.waiting_lines(Place::new(39))[0].to, Place::new(37));
        let mut none = Pending::default();
        none.take_up(&saved, Place::new(35));
        assert_eq!(none.waiting_lines(Place::new(39)), []);
        pending.shorten(conversation(1), Place::new(39), 4);
        assert!(!pending.holds_back(&line));
    }

    #[test]
    fn so_many_conversations_wait_in_lines_and_no_more() {
        let mut pending = Pending::default();
        let mut place = 0;
        for n in 1..=WAITING_LINES_MAX as u128 + 1 {
            let line = (ConversationId::from_uuid(Uuid::from_u128(n)), false);
            for _ in 0..=WAITING_APART_MAX {
                place += 1;
                pending.note(&retrying(place, Some(n), 10), NOW);
            }
            assert_eq!(
                pending.join(&line, Place::new(place + 1)),
                n <= WAITING_LINES_MAX as u128
            );
        }
        assert_eq!(pending.waiting_lines(Place::new(place + 1)).len(), WAITING_LINES_MAX);
    }
}
