//! The line of messages from a number to one person, once Meta has said 131056: too many in a short time.
//!
//! Meta lets a number send one message in six seconds to a person, and more in a burst that it wants back. Who is refused
//! goes first when its wait is over, and every other message to that person goes behind it, one in six seconds, until none
//! is left. Messages to other people do not notice.

use std::collections::HashMap;
use std::time::Duration;

use super::ids::{ConversationId, MessageId};
use super::pacing::SLOT_TOLERANCE;
use super::time::Timestamp;

/// The time between two messages to one person. Source: Meta's pair rate limit.
pub const PAIR_INTERVAL: Duration = Duration::from_secs(6);
/// Messages whose order is kept in one line. Those behind them come back together, and line up then.
pub const PAIR_LINE_MAX: usize = 128;
/// Lines of one number. The people beyond them are each tried again as anything else.
pub const PAIR_LINES_MAX: usize = 1_000;
/// The time after its turn at which a message is not waited for any more: it was cancelled, it expired, or it was lost.
pub const PAIR_STALLED_AFTER: Duration = Duration::from_secs(30);
/// The time after which a line is over to which nobody came back.
pub const PAIR_FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
/// The furthest time at which a line may open. What is beyond was said by a clock that was ahead.
pub const PAIR_AHEAD_MAX: Duration = Duration::from_hours(1);

/// The line to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairLine {
    opens_at: Timestamp,
    waiting: Vec<InLine>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InLine {
    id: MessageId,
    /// When it comes back.
    due_at: Timestamp,
}

impl PairLine {
    /// A line that opens at this time for the first message.
    pub const fn new(opens_at: Timestamp) -> Self {
        Self {
            opens_at,
            waiting: Vec::new(),
        }
    }

    /// Puts a message in front, behind those alone that were accepted before it: calls that ran side by side are refused
    /// in any order. The line opens when it comes back.
    pub fn put_first(&mut self, id: MessageId, at: Timestamp) {
        self.waiting.retain(|waiting| waiting.id != id);
        let older = self.waiting.iter().take_while(|waiting| waiting.id < id).count();
        self.waiting.insert(older, InLine { id, due_at: at });
        self.waiting.truncate(PAIR_LINE_MAX);
        self.opens_at = at;
    }

    /// Asks to go now. Returns `None` if it is the message's turn, which takes it out of the line; otherwise when to come
    /// back.
    pub fn turn(&mut self, id: MessageId, now: Timestamp) -> Option<Timestamp> {
        self.opens_at = self.opens_at.min(now + PAIR_AHEAD_MAX);
        while let Some(first) = self.waiting.first()
            && first.id != id
            && first.due_at.min(now + PAIR_AHEAD_MAX) + PAIR_STALLED_AFTER <= now
        {
            self.waiting.remove(0);
        }
        let place = match self.waiting.iter().position(|waiting| waiting.id == id) {
            Some(place) => place,
            None if self.waiting.len() >= PAIR_LINE_MAX => return Some(self.time_of(PAIR_LINE_MAX, now)),
            None => {
                self.waiting.push(InLine { id, due_at: now });
                self.waiting.len() - 1
            }
        };
        if place == 0 && self.opens_at <= now + SLOT_TOLERANCE {
            self.waiting.remove(0);
            self.opens_at = now + PAIR_INTERVAL;
            return None;
        }
        let due_at = self.time_of(place, now);
        self.waiting[place].due_at = due_at;
        Some(due_at)
    }

    fn time_of(&self, place: usize, now: Timestamp) -> Timestamp {
        let behind = u32::try_from(place).unwrap_or(u32::MAX);
        self.opens_at.max(now) + PAIR_INTERVAL.saturating_mul(behind)
    }

    /// True if nobody waits and the next message may go at once.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let is_gone = |waiting: &InLine| waiting.due_at + PAIR_FORGOTTEN_AFTER <= now;
        self.opens_at <= now && self.waiting.iter().all(is_gone)
    }
}

/// The lines of one number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinesOfNumber(HashMap<ConversationId, PairLine>);

impl LinesOfNumber {
    /// Forgets the lines that are over.
    pub fn sweep(&mut self, now: Timestamp) {
        self.0.retain(|_, line| !line.is_over(now));
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`PairLine::turn`]. Where there is no line, everything may go.
    pub fn turn(&mut self, pair: ConversationId, id: MessageId, now: Timestamp) -> Option<Timestamp> {
        let line = self.0.get_mut(&pair)?;
        if line.is_over(now) {
            self.0.remove(&pair);
            return None;
        }
        line.turn(id, now)
    }

    /// As [`PairLine::put_first`], in a new line if there is none.
    pub fn put_first(&mut self, pair: ConversationId, id: MessageId, until: Timestamp, now: Timestamp) {
        if !self.0.contains_key(&pair) && self.0.len() >= PAIR_LINES_MAX {
            self.sweep(now);
            if self.0.len() >= PAIR_LINES_MAX {
                return;
            }
        }
        let line = self.0.entry(pair).or_insert_with(|| PairLine::new(until));
        line.put_first(id, until);
    }

    /// As [`PairLine::put_first`], if there is a line.
    pub fn put_back(&mut self, pair: ConversationId, id: MessageId, until: Timestamp) {
        if let Some(line) = self.0.get_mut(&pair) {
            line.put_first(id, until);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn at(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    fn id(n: u8) -> MessageId {
        MessageId::from_uuid(Uuid::from_u128(n.into()))
    }

    #[test]
    fn who_was_refused_goes_first_and_the_others_behind_it_each_in_six_seconds() {
        let mut line = PairLine::new(START);
        line.put_first(id(1), at(6));
        assert_eq!(line.turn(id(2), at(1)), Some(at(12)));
        assert_eq!(line.turn(id(3), at(2)), Some(at(18)));
        assert_eq!(line.turn(id(1), at(6)), None);
        // A newcomer does not pass those who wait.
        assert_eq!(line.turn(id(4), at(7)), Some(at(24)));
        assert_eq!(line.turn(id(2), at(12)), None);
        assert_eq!(line.turn(id(3), at(18)), None);
        assert_eq!(line.turn(id(4), at(24)), None);
        assert!(!line.is_over(at(25)));
        assert!(line.is_over(at(30)));
    }

    #[test]
    fn one_that_is_refused_again_keeps_its_place_in_front() {
        let mut line = PairLine::new(START);
        line.put_first(id(1), at(6));
        assert_eq!(line.turn(id(2), at(1)), Some(at(12)));
        assert_eq!(line.turn(id(1), at(6)), None);
        line.put_first(id(1), at(30));
        assert_eq!(line.turn(id(2), at(12)), Some(at(36)));
        assert_eq!(line.turn(id(1), at(30)), None);
        assert_eq!(line.turn(id(2), at(36)), None);
    }

    #[test]
    fn those_refused_together_go_in_the_order_in_which_they_were_accepted() {
        for refused in [[2, 1], [1, 2]] {
            let mut line = PairLine::new(START);
            line.put_first(id(refused[0]), at(6));
            assert_eq!(line.turn(id(3), at(0)), Some(at(12)));
            line.put_first(id(refused[1]), at(7));
            assert_eq!(line.turn(id(2), at(7)), Some(at(13)), "{refused:?}");
            assert_eq!(line.turn(id(1), at(7)), None);
            assert_eq!(line.turn(id(2), at(13)), None);
            assert_eq!(line.turn(id(3), at(19)), None);
        }
    }

    #[test]
    fn one_that_does_not_come_is_not_waited_for_for_ever() {
        let mut line = PairLine::new(START);
        line.put_first(id(1), at(6));
        assert_eq!(line.turn(id(2), at(1)), Some(at(12)));
        assert_eq!(line.turn(id(2), at(12)), Some(at(18)), "the first may be late");
        assert_eq!(line.turn(id(2), at(36)), None, "the first is gone");
    }

    #[test]
    fn a_line_has_an_end_in_length_and_in_time() {
        let mut line = PairLine::new(START);
        line.put_first(id(0), at(6));
        for n in 1..=u8::MAX {
            let back = line.turn(id(n), at(0)).expect("one is in front");
            assert!(back <= at(6 + 6 * PAIR_LINE_MAX as u64));
        }
        assert_eq!(line.waiting.len(), PAIR_LINE_MAX);
        // A clock that was a day ahead.
        line.put_first(id(0), at(86_400));
        assert_eq!(line.turn(id(0), at(1)), Some(at(1) + PAIR_AHEAD_MAX));
    }
}
