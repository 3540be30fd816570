//! Inserts of messages that the store did not confirm: a primary failed over, or MongoDB is away for a moment. They are
//! repeated under the same ids before anybody is told of an error.
//!
//! An id has one message. So whatever became of the earlier inserts, also of one that takes effect only now, the message is
//! there once, and a repetition that finds it there is a success. Nobody has been told of it meanwhile: it is in no queue, and
//! its timer comes a minute after its slot. The repetition belongs to no request, so a client that hangs up changes
//! nothing.
//!
//! The process may die
//!
//! - between an insert and its repetition, or while it waits to repeat: the message is stored or not, and the client has no
//!   answer, as after a death between an insert and its answer. What is stored is sent when its timer comes; a retry under
//!   the same key finds it;
//! - between a repetition and the answer, or between a repetition and the queue: the same;
//! - between the last repetition and the withdrawal: a client may have had an error for a message that is sent when its timer
//!   comes. It is the same gap as that of a withdrawal under way.
//!
//! A tenant that is removed meanwhile gets no message sent: what is stored for it then is found by the pass over what removals
//! left behind, as after every insert that takes its time.
//!
//! What waits is bounded in messages and in bytes. Beyond that a message is not repeated.

use std::sync::Arc;
use std::time::Duration;

use futures_channel::{mpsc, oneshot};
use futures_util::future::{Either, select};
use futures_util::{FutureExt as _, StreamExt as _};
use parking_lot::Mutex;

use super::enqueue::Enqueues;
use super::entering::{Entering, Stored, settle};
use crate::domain::Message;
use crate::domain::page::Paged as _;
use crate::group_commit::BoxFuture;
use crate::metrics::{InsertRepeated, Metrics};
use crate::ports::{Ports, StoreError, StoreHealth};

/// The most messages whose insert waits to be repeated.
const REPEATED_MAX: usize = 2_000;
/// The most bytes of them.
const REPEATED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The waits before the repetitions.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// The time that all of it may take, from the first missing answer on.
const TIME_MAX: Duration = Duration::from_secs(5);

/// The way to the repetition of inserts. Cheap to clone.
#[derive(Clone)]
pub(super) struct Repeats {
    // Each batch in it has places in the room.
    entrance: mpsc::UnboundedSender<Vec<Unconfirmed>>,
    room: Arc<Room>,
    store: Arc<dyn StoreHealth>,
    metrics: Arc<Metrics>,
}

/// A message whose insert is to be repeated.
pub(super) struct Unconfirmed {
    entering: Entering,
    /// Why the last insert was not confirmed.
    why: StoreError,
    answer: oneshot::Sender<Stored>,
    place: Place,
}

impl Unconfirmed {
    /// Returns with it what tells the store's last word on it.
    pub(super) fn new(entering: Entering, why: StoreError, place: Place) -> (Self, oneshot::Receiver<Stored>) {
        let (answer, answered) = oneshot::channel();
        let unconfirmed = Self {
            entering,
            why,
            answer,
            place,
        };
        (unconfirmed, answered)
    }
}

impl Repeats {
    /// The future repeats, and ends after every entrance is dropped and everything was answered.
    pub(super) fn new(ports: &Ports, enqueue: &Enqueues) -> (Self, BoxFuture<()>) {
        #[expect(clippy::disallowed_methods, reason = "the room is counted at the entrance")]
        let (entrance, arrivals) = mpsc::unbounded();
        let repeats = Self {
            entrance,
            room: Arc::default(),
            store: ports.store_health.clone(),
            metrics: ports.metrics.clone(),
        };
        let (ports, enqueue) = (ports.clone(), enqueue.clone());
        let repeating = arrivals.for_each_concurrent(REPEATED_MAX, move |unconfirmed: Vec<Unconfirmed>| {
            repeat(ports.clone(), enqueue.clone(), unconfirmed)
        });
        (repeats, repeating.boxed())
    }

    /// Takes a place for a message whose insert is to be repeated after this answer. `None` if the answer is clear, or nothing
    /// more can be repeated.
    pub(super) fn room_for(&self, message: &Message, answer: &Stored) -> Option<Place> {
        if !matches!(answer, Err(StoreError::Unavailable(_))) {
            return None;
        }
        // A store that has stopped for good confirms nothing any more.
        let place = match self.store.stopped() {
            None => Room::enter(&self.room, message.bytes()),
            Some(_) => None,
        };
        if place.is_none() {
            self.metrics.inserts_repeated.of(InsertRepeated::NotRepeated).inc();
        }
        place
    }

    /// Begins to repeat the inserts of these messages, in one commit.
    pub(super) fn begin(&self, unconfirmed: Vec<Unconfirmed>) {
        if !unconfirmed.is_empty() {
            // It fails when the process is stopping. Who waits is told so.
            let _ = self.entrance.unbounded_send(unconfirmed);
        }
    }
}

/// Repeats the insert of these messages until the store has confirmed each, or the time is over.
async fn repeat(ports: Ports, enqueue: Enqueues, mut unconfirmed: Vec<Unconfirmed>) {
    let began_at = ports.clock.uptime();
    let left = || TIME_MAX.saturating_sub(ports.clock.uptime().saturating_sub(began_at));
    for pause in PAUSES {
        if left() <= pause || ports.store_health.stopped().is_some() {
            break;
        }
        ports.sleeper.sleep(pause).await;
        let left = left();
        // The machine may have been suspended.
        if left.is_zero() {
            break;
        }
        let messages = unconfirmed
            .iter()
            .map(|unconfirmed| unconfirmed.entering.message.clone());
        let inserting = ports.messages.accept(messages.collect());
        // What is given up here may take effect all the same, like every insert without an answer.
        let Either::Left((answers, _)) = select(inserting, ports.sleeper.sleep(left)).await else {
            break;
        };
        let mut known = Vec::with_capacity(unconfirmed.len());
        for (mut repeated, answer) in std::mem::take(&mut unconfirmed).into_iter().zip(answers) {
            match answer {
                Err(why @ StoreError::Unavailable(_)) => {
                    repeated.why = why;
                    unconfirmed.push(repeated);
                }
                answer => known.push((repeated, answer)),
            }
        }
        end(&ports, &enqueue, known).await;
        if unconfirmed.is_empty() {
            return;
        }
    }
    let given_up = unconfirmed.into_iter().map(|unconfirmed| {
        let why = unconfirmed.why.clone();
        (unconfirmed, Err(why))
    });
    end(&ports, &enqueue, given_up.collect()).await;
}

/// Does what follows from the last answers about these messages, and tells who waits for them.
async fn end(ports: &Ports, enqueue: &Enqueues, ended: Vec<(Unconfirmed, Stored)>) {
    let mut entering = Vec::with_capacity(ended.len());
    let mut answers = Vec::with_capacity(ended.len());
    let mut waiting = Vec::with_capacity(ended.len());
    for (unconfirmed, answer) in ended {
        let result = match &answer {
            Ok(_) => InsertRepeated::Stored,
            Err(StoreError::Unavailable(_)) => InsertRepeated::Unconfirmed,
            Err(_) => InsertRepeated::Refused,
        };
        ports.metrics.inserts_repeated.of(result).inc();
        entering.push(unconfirmed.entering);
        answers.push(answer);
        waiting.push((unconfirmed.answer, unconfirmed.place));
    }
    settle(ports, enqueue, entering, &answers).await;
    for ((waiting, place), answer) in waiting.into_iter().zip(answers) {
        drop(place);
        // The client may have gone away.
        let _ = waiting.send(answer);
    }
}

/// The room for what waits.
#[derive(Default)]
struct Room(Mutex<Taken>);

/// What waits in a room.
#[derive(Default)]
struct Taken {
    messages: usize,
    bytes: usize,
}

/// A place in a room, until it is dropped.
pub(super) struct Place {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    /// Takes a place for one message, if there is one.
    fn enter(room: &Arc<Self>, bytes: usize) -> Option<Place> {
        let mut taken = room.0.lock();
        if taken.messages >= REPEATED_MAX || taken.bytes.saturating_add(bytes) > REPEATED_BYTES_MAX {
            return None;
        }
        taken.messages += 1;
        taken.bytes += bytes;
        drop(taken);
        Some(Place {
            room: room.clone(),
            bytes,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.0.lock();
        taken.messages -= 1;
        taken.bytes -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_repetition_is_bounded_in_messages_and_in_bytes() {
        let room = Arc::<Room>::default();
        let places: Vec<Place> = (0..REPEATED_MAX).filter_map(|_| Room::enter(&room, 1)).collect();
        assert_eq!(places.len(), REPEATED_MAX);
        assert!(Room::enter(&room, 1).is_none(), "as many as may wait");
        drop(places);

        let large = Room::enter(&room, REPEATED_BYTES_MAX - 1).expect("all places are free again");
        let small = Room::enter(&room, 1).expect("a byte");
        assert!(Room::enter(&room, 1).is_none(), "as many bytes as may wait");
        drop(small);
        assert!(Room::enter(&room, 2).is_none());
        drop(large);
        assert!(Room::enter(&room, 2).is_some());
    }
}
