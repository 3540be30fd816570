//! Accepted messages: slots for those whose number has a backlog, one write, and the way into the queue.

use std::sync::Arc;

use futures_channel::oneshot;
use futures_util::future::join_all;

use super::backlogs::Backlogs;
use super::enqueue::{Enqueue, Enqueues};
use super::entering::{Entering, Stored, settle};
use super::repeating::{Repeats, Unconfirmed};
use crate::app::sending::Withdrawing;
use crate::app::waiting::WaitingPlace;
use crate::domain::message::{Message, Status};
use crate::domain::{PhoneNumber, Timestamp};
use crate::group_commit::{GroupCommit, Rejected};
use crate::ports::{Ports, SlotAsk};

/// Accepted messages on their way into the store. Cheap to clone.
#[derive(Clone)]
pub(in crate::app) struct Accepts(pub(super) GroupCommit<AcceptCommit, Answer>);

impl Accepts {
    /// Stores a message in the next commit, and waits for the store's last word on it.
    pub(in crate::app) async fn submit(&self, commit: AcceptCommit) -> Result<Stored, Rejected> {
        self.0.submit(commit).await?.last_word().await
    }

    /// Stores all of these messages in one commit, and waits for the store's last words on them, in order. Either all of them
    /// are added or none.
    pub(in crate::app) async fn submit_all(
        &self,
        commits: Vec<AcceptCommit>,
    ) -> Result<Vec<Result<Stored, Rejected>>, Rejected> {
        let answers = self.0.submit_all(commits).await?;
        let last_words = answers
            .into_iter()
            .map(|answer| async move { answer?.last_word().await });
        Ok(join_all(last_words).await)
    }
}

/// What a commit says of a message.
pub(super) enum Answer {
    /// The store said so.
    Known(Stored),
    /// The store said nothing clear, and its insert is repeated.
    Repeated(oneshot::Receiver<Stored>),
}

impl Answer {
    async fn last_word(self) -> Result<Stored, Rejected> {
        match self {
            Self::Known(stored) => Ok(stored),
            Self::Repeated(answer) => answer.await.map_err(|_| Rejected::Closed),
        }
    }
}

/// A message on its way into the store.
pub(in crate::app) struct AcceptCommit {
    message: Message,
    level: f64,
    /// Its place among the messages of the tenant that wait, if the tenant has a limit.
    place: Option<WaitingPlace>,
    withdrawing: Arc<Withdrawing>,
}

impl AcceptCommit {
    /// A new message of this number, which is taken back if nobody can say that it is stored.
    pub(in crate::app) fn new(
        message: Message,
        number: &PhoneNumber,
        place: Option<WaitingPlace>,
        withdrawing: Arc<Withdrawing>,
    ) -> Self {
        Self {
            message,
            level: number.level(),
            place,
            withdrawing,
        }
    }

    pub(super) const fn message(&self) -> &Message {
        &self.message
    }

    /// The reservation of its slot, if it needs one.
    fn slot_ask(&self, now: Timestamp) -> Option<SlotAsk> {
        let Message { accepted, delivery } = &self.message;
        // A message for later must not reserve the number's whole time until then. The gate paces it when it is due.
        (delivery.status == Status::Queued && delivery.slot_at.is_none()).then(|| SlotAsk {
            phone_number_id: accepted.phone_number_id.clone(),
            level: self.level,
            priority: accepted.priority,
            not_before: now,
        })
    }
}

/// The moment at which a message gets its slot.
enum Slot {
    /// It has a slot, or needs none.
    Own,
    /// Before it is stored: its number is behind, so the store holds the message back until its slot.
    Now(SlotAsk),
    /// On the way into the queue.
    Later(SlotAsk),
}

/// Commits accepted messages. What the store does not confirm is repeated beside the commits, so that nobody else waits for
/// it.
///
/// The commit itself puts them into the queue, not the request that waits for it. A client that hangs up therefore does
/// not leave its message to the timer.
pub(super) async fn commit(
    ports: Ports,
    backlogs: Arc<Backlogs>,
    enqueue: Enqueues,
    repeats: Repeats,
    batch: Vec<AcceptCommit>,
) -> Vec<Answer> {
    let all = schedule(&ports, &backlogs, batch).await;
    let messages = all.iter().map(|entering| entering.message.clone()).collect();
    let stored = ports.messages.accept(messages).await;

    let mut answers = Vec::with_capacity(all.len());
    let mut known = Vec::with_capacity(all.len());
    let mut of_known = Vec::with_capacity(all.len());
    let mut unconfirmed = Vec::new();
    for (entering, stored) in all.into_iter().zip(stored) {
        match (repeats.room_for(&entering.message, &stored), stored) {
            (Some(place), Err(why)) => {
                let (repeated, answer) = Unconfirmed::new(entering, why, place);
                unconfirmed.push(repeated);
                answers.push(Answer::Repeated(answer));
            }
            (_, stored) => {
                known.push(entering);
                of_known.push(stored.clone());
                answers.push(Answer::Known(stored));
            }
        }
    }
    repeats.begin(unconfirmed);
    settle(&ports, &enqueue, known, &of_known).await;
    answers
}

/// Gives each message its slot, or the moment at which it gets one.
async fn schedule(ports: &Ports, backlogs: &Backlogs, batch: Vec<AcceptCommit>) -> Vec<Entering> {
    let present = ports.clock.present();
    let now = present.now;
    let window = ports.queue.window();
    let slot_of = |commit: &AcceptCommit| match commit.slot_ask(now) {
        None => Slot::Own,
        // A queue that reads the store itself knows only the stored slot.
        Some(ask) if window.is_none() || backlogs.is_behind(&ask.phone_number_id, now) => Slot::Now(ask),
        Some(ask) => Slot::Later(ask),
    };
    let slots: Vec<Slot> = batch.iter().map(slot_of).collect();
    let asks: Vec<SlotAsk> = slots.iter().filter_map(Slot::ask_now).collect();
    let mut reserved = backlogs.reserve(&*ports.pacer, &asks, now).await.into_iter();

    let entering = |(commit, slot): (AcceptCommit, Slot)| {
        let AcceptCommit {
            mut message,
            place,
            withdrawing,
            ..
        } = commit;
        let slot_at = match slot {
            Slot::Now(_) => reserved.next(),
            Slot::Own | Slot::Later(_) => message.delivery.slot_at,
        };
        let is_released =
            message.delivery.status == Status::Queued && message.schedule(present, slot_at.unwrap_or(now), window);
        Entering {
            place,
            reserved: slot.ask_now(),
            enqueued: is_released.then(|| Enqueue::reserving(&message, slot.ask_later())),
            message,
            withdrawing,
        }
    };
    batch.into_iter().zip(slots).map(entering).collect()
}

impl Slot {
    fn ask_now(&self) -> Option<SlotAsk> {
        match self {
            Self::Now(ask) => Some(ask.clone()),
            Self::Own | Self::Later(_) => None,
        }
    }

    fn ask_later(&self) -> Option<SlotAsk> {
        match self {
            Self::Later(ask) => Some(ask.clone()),
            Self::Own | Self::Now(_) => None,
        }
    }
}
