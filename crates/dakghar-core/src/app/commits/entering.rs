//! A message on its way into the store, and what follows from the store's answer.

use std::sync::Arc;

use super::enqueue::{Enqueue, Enqueues};
use crate::app::sending::Withdrawing;
use crate::app::waiting::WaitingPlace;
use crate::domain::Present;
use crate::domain::message::Message;
use crate::metrics::{Metrics, Stage, Traced};
use crate::ports::{Acceptance, Ports, SlotAsk, StoreError};

/// The store's answer about a message.
pub(in crate::app) type Stored = Result<Acceptance, StoreError>;

/// A message that goes into the store, with all that depends on whether it gets there.
pub(super) struct Entering {
    pub(super) message: Message,
    /// Its place among the messages of the tenant that wait, if the tenant has a limit.
    pub(super) place: Option<WaitingPlace>,
    /// The reservation of its slot, if it has one already.
    pub(super) reserved: Option<SlotAsk>,
    /// Its way into the queue, if it is released.
    pub(super) enqueued: Option<Enqueue>,
    /// Who takes it back if nobody can say that it is stored.
    pub(super) withdrawing: Arc<Withdrawing>,
}

impl Entering {
    /// Does what follows from the answer. Returns the reservation of a slot that it does not use.
    fn settle(self, metrics: &Metrics, enqueue: &Enqueues, answer: &Stored, stored_at: Present) -> Option<SlotAsk> {
        let Self {
            message,
            place,
            reserved,
            enqueued,
            withdrawing,
        } = self;
        // A failed write may have happened.
        if let (Ok(Acceptance::Stored) | Err(_), Some(mut place)) = (answer, place) {
            place.is_taken();
        }
        match answer {
            Ok(Acceptance::Stored) => {
                count(metrics, &message, stored_at);
                if let Some(enqueued) = enqueued {
                    enqueue.post(enqueued);
                }
                return None;
            }
            Ok(Acceptance::Replay { .. }) => {}
            // Its client is told of an error, so it must not be sent. One with an idempotency key stays: the client finds it
            // when it asks again.
            Err(error) => {
                if message.accepted.idempotency.is_none() {
                    withdrawing.note(message.key(), error);
                }
            }
        }
        reserved
    }
}

/// Does what follows from the store's answers: messages that are stored go into the queue, slots that are not used are given
/// back, and what may be stored although its client is told of an error is taken back.
pub(super) async fn settle(ports: &Ports, enqueue: &Enqueues, entering: Vec<Entering>, answers: &[Stored]) {
    let stored_at = ports.clock.present();
    let unused: Vec<SlotAsk> = entering
        .into_iter()
        .zip(answers)
        .filter_map(|(entering, answer)| entering.settle(&ports.metrics, enqueue, answer, stored_at))
        .collect();
    if !unused.is_empty() {
        ports.pacer.refund(&unused).await;
    }
}

/// Counts an accepted message.
fn count(metrics: &Metrics, message: &Message, stored_at: Present) {
    let accepted = &message.accepted;
    metrics.accepted.inc();
    metrics
        .tenants
        .count(&accepted.tenant_id, 1, |of| _ = of.accepted.inc());
    let traced = Traced {
        span: accepted.trace,
        at: stored_at.wall,
    };
    let took = stored_at.now.since(accepted.created_at);
    metrics.stages.of(Stage::Stored).observe_in(traced, took);
}
