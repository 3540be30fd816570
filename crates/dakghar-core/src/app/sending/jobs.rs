//! The queue's side of a message: how it gets there, and the one place where a job ends.

use std::time::Duration;

use crate::app::commits::enqueue::{Enqueue, Enqueues};
use crate::domain::message::{DeadReason, Message, Status};
use crate::ports::{Disposition, Job};

/// Posts messages into the queue and ends jobs.
#[derive(Clone)]
pub(in crate::app) struct Jobs {
    enqueues: Enqueues,
    window: Option<Duration>,
}

/// Why a job is over.
pub(super) enum End<'a> {
    /// This is how the message is stored now.
    Stored(&'a Message),
    /// Another job or another process sees to the message, or it does not exist any more.
    Elsewhere,
    /// The message or its tenant cannot be read.
    Unreadable,
}

impl Jobs {
    /// Jobs of a queue with this window.
    pub(in crate::app) const fn new(enqueues: Enqueues, window: Option<Duration>) -> Self {
        Self { enqueues, window }
    }

    /// How far ahead of its slot a message is put into the queue; `None` when the queue reads the store itself.
    pub(super) const fn window(&self) -> Option<Duration> {
        self.window
    }

    /// Puts a stored message into the queue if its slot is near enough.
    pub(super) fn release(&self, message: &Message) {
        if message.delivery.status == Status::Queued && message.delivery.enqueued_at.is_some() {
            self.enqueues.post(Enqueue::of(message));
        }
    }

    /// Gives a message that was given up without a job one that ends as failed, so that the queue's tools show every
    /// dead letter. For people only: nothing is lost when it does not get there.
    pub(super) fn show_dead(&self, message: &Message) {
        if message.delivery.status == Status::Dead && self.window.is_some() {
            self.enqueues.post(Enqueue::of(message));
        }
    }

    /// Ends a job. Only what is durable may be told of here.
    #[expect(
        clippy::unused_self,
        reason = "jobs end here and nowhere else, whatever ending them will need"
    )]
    pub(super) fn end(&self, job: Job, end: &End<'_>) {
        job.finish(match end {
            End::Stored(message) => disposition(message),
            End::Elsewhere => Disposition::Done,
            End::Unreadable => Disposition::Unreadable,
        });
    }
}

/// How the queue should show the end of a job whose message is stored like this.
fn disposition(message: &Message) -> Disposition {
    match message.delivery.status {
        Status::Queued => Disposition::Superseded,
        Status::Dead => Disposition::Dead(message.delivery.dead_reason.map_or("dead", DeadReason::as_str)),
        Status::Failed => Disposition::Dead("failed"),
        Status::Expired => Disposition::Dead("expired"),
        _ => Disposition::Done,
    }
}
