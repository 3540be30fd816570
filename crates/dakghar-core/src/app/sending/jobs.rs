//! The queue's side of a message: the way in, and the one place where a job ends.

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

/// The reason a job is over.
pub(super) enum End<'a> {
    /// The message as it is stored now.
    Stored(&'a Message),
    /// Another job or process handles the message, or it does not exist any more.
    Elsewhere,
    /// The message or its tenant cannot be read.
    Unreadable,
}

impl Jobs {
    /// Makes the jobs of a queue with this window.
    pub(in crate::app) const fn new(enqueues: Enqueues, window: Option<Duration>) -> Self {
        Self { enqueues, window }
    }

    /// Returns the time before its slot at which a message is put into the queue; `None` if the queue reads the store
    /// itself.
    pub(super) const fn window(&self) -> Option<Duration> {
        self.window
    }

    /// Puts a stored message into the queue if its slot is near enough.
    pub(super) fn release(&self, message: &Message) {
        if message.delivery.status == Status::Queued && message.delivery.enqueued_at.is_some() {
            self.enqueues.post(Enqueue::of(message));
        }
    }

    /// Adds a job that ends as failed for a dead letter that has no job, so that the queue's tools show every dead
    /// letter. This is for people only: nothing is lost if the job does not get there.
    pub(super) fn show_dead(&self, message: &Message) {
        if message.delivery.status == Status::Dead && self.window.is_some() {
            self.enqueues.post(Enqueue::of(message));
        }
    }

    /// Ends a job. The end may tell only what is durable.
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

/// Returns the end that the queue shows for a job whose message is stored like this.
fn disposition(message: &Message) -> Disposition {
    match message.delivery.status {
        Status::Queued => Disposition::Superseded,
        Status::Dead => Disposition::Dead(message.delivery.dead_reason.map_or("dead", DeadReason::as_str)),
        Status::Failed => Disposition::Dead("failed"),
        Status::Expired => Disposition::Dead("expired"),
        _ => Disposition::Done,
    }
}
