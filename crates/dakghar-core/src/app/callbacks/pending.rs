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
    /// True where conversations are not in order.
    ignores_lines: bool,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// The conversation, and whether it is replayed.
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

    /// The places of the feed to look through for entries of lines: from behind the first one to the second. `None` while
    /// something is left before every line.
    pub(super) fn lines_span(&self) -> Option<(Place, Place)> {
        self.rests.span(|id| self.apart(id) == 0)
    }

    /// Takes an entry that was looked up out of its line, to be noted by itself. Returns false if it is in none, if there is no
    /// room for it, or if its line is not looked through as far back as where it begins.
    pub(super) fn take_out(&mut self, conversation_id: ConversationId, place: Place, looked_from: Place) -> bool {
        let has_room = self.apart(&conversation_id) < WAITING_APART_MAX;
        has_room && self.rests.take_out(conversation_id, place, looked_from)
    }

    /// Takes note that the feed was looked through between these places: what lines have there is noted by itself by now, or
    /// is not wanted. Those that had no room for all of theirs stay as they are.
    pub(super) fn looked_through(&mut self, from: Place, to: Place) {
        let Self { rests, lines, .. } = self;
        let apart = |id: &ConversationId| lines.get(&(*id, false)).map_or(0, BTreeSet::len);
        rests.shorten(from, to, |id| apart(id) < WAITING_APART_MAX);
    }

    /// The entries of a conversation that are noted by themselves.
    fn apart(&self, conversation_id: &ConversationId) -> usize {
        self.lines.get(&(*conversation_id, false)).map_or(0, BTreeSet::len)
    }

    /// Takes note of an exception, new or changed.
    pub(super) fn note(&mut self, exception: &CallbackException, now: Timestamp) {
        let place = exception.placed.place;
        if exception.state == ExceptionState::Dead {
            self.remove(place, now);
            return;
        }
        self.forget_time(place);
        let waiting = Waiting {
            line: exception.conversation_id.map(|id| (id, exception.is_replay)),
            next_at: exception.state.next_at(),
            is_under_way: false,
            is_called_up: false,
            is_replay: exception.is_replay,
        };
        let before = self.all.insert(place, waiting);
        self.replayed += usize::from(waiting.is_replay);
        self.replayed -= usize::from(before.is_some_and(|before| before.is_replay));
        if let Some(line) = self.line_of(&waiting) {
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
        let Some(line) = self.line_of(&waiting) else { return };
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

    /// Has one that waits for its time tried now. One that is under way is tried once more if it fails. Returns true if its
    /// time is another one now.
    pub(super) fn call_up(&mut self, place: Place, now: Timestamp) -> bool {
        let Some(waiting) = self.all.get_mut(&place) else {
            return false;
        };
        waiting.is_called_up = waiting.is_under_way;
        let Some(at) = waiting.next_at.filter(|at| *at > now && !waiting.is_under_way) else {
            return false;
        };
        waiting.next_at = Some(now);
        // Where another is in its way, it waits for that one.
        if self.due.remove(&(at, place)) {
            self.due.insert((now, place));
        }
        true
    }

    /// True if one was called up while it was under way.
    pub(super) fn is_called_up(&self, place: Place) -> bool {
        self.all.get(&place).is_some_and(|waiting| waiting.is_called_up)
    }

    /// Takes note of whether conversations are to be in order. Where they are not, nothing waits for another one.
    pub(super) fn keep_order(&mut self, is_kept: bool, now: Timestamp) {
        self.ignores_lines = !is_kept;
        self.lines.clear();
        if is_kept {
            let lined: Vec<(Line, Place)> = (self.all.iter())
                .filter_map(|(place, waiting)| Some((waiting.line?, *place)))
                .collect();
            for (line, place) in &lined {
                self.lines.entry(*line).or_default().insert(*place);
                self.due.retain(|(_, due)| due != place);
            }
            for (line, _) in lined {
                self.call_first(&line, now);
            }
            return;
        }
        for (place, waiting) in &mut self.all {
            if waiting.line.is_some() && !waiting.is_under_way {
                let at = *waiting.next_at.get_or_insert(now);
                self.due.insert((at, *place));
            }
        }
    }

    /// The line that one stands in, where conversations are in order.
    fn line_of(&self, waiting: &Waiting) -> Option<Line> {
        waiting.line.filter(|_| !self.ignores_lines)
    }

    /// True if an entry of a conversation waits in its line.
    pub(super) fn waits_in_line(&self, conversation_id: &ConversationId, place: Place) -> bool {
        self.rests.covers(conversation_id, place)
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
mod tests;
