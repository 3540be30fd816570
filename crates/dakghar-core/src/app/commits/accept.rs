//! Accepted messages: slots for those whose number has a backlog, one write, and the way into the queue.

use std::sync::Arc;

use super::backlogs::Backlogs;
use super::enqueue::{Enqueue, Enqueues};
use crate::app::waiting::WaitingPlace;
use crate::domain::message::{Message, Status};
use crate::domain::{PhoneNumber, Present, TenantId, Timestamp, TraceContext};
use crate::group_commit::GroupCommit;
use crate::metrics::{Metrics, Stage, Traced};
use crate::ports::{Acceptance, Ports, SlotAsk, StoreError};

/// Accepted messages on their way into the store.
pub(in crate::app) type Accepts = GroupCommit<AcceptCommit, Result<Acceptance, StoreError>>;

/// A message on its way into the store.
pub(in crate::app) struct AcceptCommit {
    message: Message,
    level: f64,
    /// Its place among the messages of the tenant that wait, if the tenant has a limit.
    place: Option<WaitingPlace>,
    /// True if a client waits for what Meta answers.
    pub(in crate::app) is_awaited: bool,
}

impl AcceptCommit {
    /// A new message of this number.
    pub(in crate::app) fn new(message: Message, number: &PhoneNumber, place: Option<WaitingPlace>) -> Self {
        Self {
            message,
            level: number.level(),
            place,
            is_awaited: false,
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

/// Commits accepted messages.
///
/// The commit itself puts them into the queue, not the request that waits for it. A client that hangs up therefore does
/// not leave its message to the timer.
pub(super) async fn commit(
    ports: Ports,
    backlogs: Arc<Backlogs>,
    enqueue: Enqueues,
    batch: Vec<AcceptCommit>,
) -> Vec<Result<Acceptance, StoreError>> {
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

    let mut messages = Vec::with_capacity(batch.len());
    let mut released = Vec::with_capacity(batch.len());
    let mut places = Vec::with_capacity(batch.len());
    let mut measured = Vec::with_capacity(batch.len());
    for (
        AcceptCommit {
            mut message,
            place,
            is_awaited,
            ..
        },
        slot,
    ) in batch.into_iter().zip(&slots)
    {
        let slot_at = match slot {
            Slot::Now(_) => reserved.next(),
            Slot::Own | Slot::Later(_) => message.delivery.slot_at,
        };
        let is_released =
            message.delivery.status == Status::Queued && message.schedule(present, slot_at.unwrap_or(now), window);
        measured.push((
            message.accepted.tenant_id,
            message.accepted.created_at,
            message.accepted.trace,
        ));
        released.push(is_released.then(|| Enqueue::reserving(&message, slot.ask_later(), is_awaited)));
        messages.push(message);
        places.push(place);
    }
    let answers = ports.messages.accept(messages).await;

    take(places, &answers);
    let mut unused = Vec::new();
    let stored_at = ports.clock.present();
    for (((answer, enqueued), slot), measured) in answers.iter().zip(released).zip(&slots).zip(measured) {
        if *answer != Ok(Acceptance::Stored) {
            unused.extend(slot.ask_now());
            continue;
        }
        count(&ports.metrics, measured, stored_at);
        if let Some(enqueued) = enqueued {
            enqueue.post(enqueued);
        }
    }
    if !unused.is_empty() {
        ports.pacer.refund(&unused).await;
    }
    answers
}

/// Takes the places of what was stored.
fn take(places: Vec<Option<WaitingPlace>>, answers: &[Result<Acceptance, StoreError>]) {
    for (answer, place) in answers.iter().zip(places) {
        // A failed write may have happened.
        if let (Ok(Acceptance::Stored) | Err(_), Some(mut place)) = (answer, place) {
            place.is_taken();
        }
    }
}

/// Counts an accepted message: its tenant, the time of its acceptance, and the span of that.
fn count(
    metrics: &Metrics,
    (tenant_id, created_at, span): (TenantId, Timestamp, Option<TraceContext>),
    stored_at: Present,
) {
    metrics.accepted.inc();
    metrics.tenants.count(&tenant_id, 1, |of| _ = of.accepted.inc());
    let traced = Traced {
        span,
        at: stored_at.wall,
    };
    let took = stored_at.now.since(created_at);
    metrics.stages.of(Stage::Stored).observe_in(traced, took);
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
