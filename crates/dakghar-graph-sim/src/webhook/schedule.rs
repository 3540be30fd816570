//! What is to be posted and when: one heap for all updates and all repetitions. No IO.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::event::Event;

/// A post that was not answered with 200.
#[derive(Debug)]
pub(super) struct Repetition {
    pub(super) body: Bytes,
    /// Updates in the body.
    pub(super) events: usize,
    /// How often it was posted so far.
    pub(super) posts: u32,
    /// The waits between these posts, together.
    pub(super) waited: Duration,
}

#[derive(Debug)]
pub(super) enum Item {
    Event(Event),
    Repeat(Repetition),
}

/// The next thing to do.
#[derive(Debug)]
pub(super) enum Next {
    Post(Vec<Event>),
    Repeat(Repetition),
    WaitUntil(Instant),
    Nothing,
}

#[derive(Debug)]
struct Due {
    at: Instant,
    seq: u64,
    item: Item,
}

// Reversed, since the heap gives the greatest first and we want the earliest.
impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

/// Items by time, and by arrival where times are equal.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    heap: BinaryHeap<Due>,
    seq: u64,
}

impl Schedule {
    /// Adds an item; true if it is now the earliest one, so that a sleeper must look again.
    pub(super) fn push(&mut self, at: Instant, item: Item) -> bool {
        self.seq += 1;
        let is_earliest = self.heap.peek().is_none_or(|head| at < head.at);
        self.heap.push(Due {
            at,
            seq: self.seq,
            item,
        });
        is_earliest
    }

    /// Takes what is due: one repetition, or up to `batch_max` updates.
    pub(super) fn next(&mut self, now: Instant, batch_max: usize) -> Next {
        let mut batch = Vec::new();
        while batch.len() < batch_max {
            let Some(head) = self.heap.peek() else {
                break;
            };
            let is_stop = head.at > now || (!batch.is_empty() && matches!(head.item, Item::Repeat(_)));
            if is_stop {
                break;
            }
            match self.heap.pop().map(|due| due.item) {
                Some(Item::Repeat(repetition)) => return Next::Repeat(repetition),
                Some(Item::Event(event)) => batch.push(event),
                None => break,
            }
        }
        if !batch.is_empty() {
            return Next::Post(batch);
        }
        self.heap.peek().map_or(Next::Nothing, |head| Next::WaitUntil(head.at))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::clock;
    use crate::number::Number;

    fn event(id: &str) -> Item {
        Item::Event(Event::Inbound {
            number: Arc::new(Number::derived("1")),
            contact: None,
            message: json!(id),
        })
    }

    fn ids(next: Next) -> Vec<String> {
        let Next::Post(events) = next else {
            panic!("nothing to post: {next:?}");
        };
        let id_of = |event: Event| match event {
            Event::Inbound { message, .. } => message.as_str().unwrap().to_owned(),
            Event::Status { .. } => unreachable!("only inbound messages are pushed"),
        };
        events.into_iter().map(id_of).collect()
    }

    #[test]
    fn gives_what_is_due_in_order_of_time_then_arrival() {
        let start = clock::now();
        let ms = |count| start + Duration::from_millis(count);
        let mut schedule = Schedule::default();
        assert!(schedule.push(ms(20), event("late")));
        assert!(schedule.push(ms(10), event("a")));
        assert!(!schedule.push(ms(10), event("b")));
        assert!(matches!(schedule.next(start, 10), Next::WaitUntil(at) if at == ms(10)));
        assert_eq!(ids(schedule.next(ms(15), 10)), ["a", "b"]);
        assert_eq!(ids(schedule.next(ms(25), 10)), ["late"]);
        assert!(matches!(schedule.next(ms(25), 10), Next::Nothing));
    }

    #[test]
    fn keeps_a_batch_within_its_size_and_apart_from_repetitions() {
        let start = clock::now();
        let mut schedule = Schedule::default();
        schedule.push(start, event("a"));
        schedule.push(start, event("b"));
        schedule.push(
            start,
            Item::Repeat(Repetition {
                body: Bytes::new(),
                events: 1,
                posts: 1,
                waited: Duration::ZERO,
            }),
        );
        schedule.push(start, event("c"));
        assert_eq!(ids(schedule.next(start, 1)), ["a"]);
        assert_eq!(ids(schedule.next(start, 10)), ["b"]);
        assert!(matches!(schedule.next(start, 10), Next::Repeat(_)));
        assert_eq!(ids(schedule.next(start, 10)), ["c"]);
    }
}
