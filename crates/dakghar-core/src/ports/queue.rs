//! When messages are sent: the schedule that wakes workers, and the pace of each number.
//!
//! Neither is the truth. Everything here can be lost and is rebuilt from the store.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_channel::oneshot;

use crate::domain::ids::{MessageKey, PhoneNumberId};
use crate::domain::message::Priority;
use crate::domain::pacing::Admission;
use crate::domain::time::Timestamp;

/// The queue did not do it, or nobody knows whether it did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is not available: {0}")]
pub struct QueueError(pub String);

/// A message that should reach a worker at its slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// The message and its owner. Nothing else about it is put into the queue.
    pub key: MessageKey,
    /// Which number it goes out from; chooses the shard.
    pub phone_number_id: PhoneNumberId,
    /// When it may be sent.
    pub slot_at: Timestamp,
    /// How many times it was put into the queue again.
    pub drive: u32,
    /// Which goes first among those that are due.
    pub priority: Priority,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The message is settled, or somebody else's concern: the job is over.
    Done,
    /// The message's next drive was put into the queue by itself; this job is over.
    Superseded,
    /// The message ended as a dead letter, for this fixed reason; the queue may show the job as failed.
    Dead(&'static str),
    /// The message cannot be read, and nobody can say how it ended; the queue may leave it alone for minutes.
    Unreadable,
}

/// A message that is due.
pub struct Job {
    /// The message and its owner.
    pub key: MessageKey,
    /// The drive under which it was queued.
    pub drive: u32,
    finish: Option<oneshot::Sender<Disposition>>,
}

impl Job {
    /// A job, and where its end will be told. A job that is dropped without an end tells that by closing.
    pub fn new(key: MessageKey, drive: u32) -> (Self, oneshot::Receiver<Disposition>) {
        let (finish, finished) = oneshot::channel();
        (
            Self {
                key,
                drive,
                finish: Some(finish),
            },
            finished,
        )
    }

    /// Ends the job.
    pub fn finish(mut self, disposition: Disposition) {
        if let Some(finish) = self.finish.take() {
            // The queue may have gone away meanwhile; the store knows how the message ended.
            let _ = finish.send(disposition);
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("key", &self.key)
            .field("drive", &self.drive)
            .finish_non_exhaustive()
    }
}

/// The schedule that wakes workers.
#[async_trait]
pub trait SendQueue: Send + Sync {
    /// How far ahead of its slot a message is taken. `None`: the queue reads the store itself, every message is in it.
    fn window(&self) -> Option<Duration>;

    /// Puts messages into the queue. Repeating an entry is harmless; after an error some may be in.
    async fn enqueue(&self, entries: &[QueueEntry]) -> Result<(), QueueError>;

    /// Waits until something is due and takes up to `max` jobs. Each must be finished or dropped.
    async fn take(&self, max: usize) -> Result<Vec<Job>, QueueError>;

    /// Whether the queue can be used now; the text says what is wrong.
    async fn ping(&self) -> Result<(), QueueError>;

    /// Waits until the queue may have lost messages and must be filled again from the store. Never, if it cannot.
    async fn lost(&self);

    /// Stops taking jobs; those taken can still be finished, and messages put in.
    async fn close(&self);
}

/// One slot asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotAsk {
    /// The number.
    pub phone_number_id: PhoneNumberId,
    /// The planned rate of the number in messages a second.
    pub per_second: f64,
    /// Which lane.
    pub priority: Priority,
    /// Not before this time.
    pub not_before: Timestamp,
}

/// The pace of every number, shared by all processes of an installation.
#[async_trait]
pub trait Pacer: Send + Sync {
    /// Reserves slots, in the order asked.
    async fn reserve(&self, asks: &[SlotAsk]) -> Result<Vec<Timestamp>, QueueError>;

    /// Gives back slots that were not needed. Best effort.
    async fn refund(&self, asks: &[SlotAsk]);

    /// Asks to call now, in the order given; `not_before` of an ask is the present time.
    async fn admit(&self, asks: &[SlotAsk]) -> Result<Vec<Admission>, QueueError>;

    /// Nothing of this number goes before `until`. Best effort.
    async fn pause_until(&self, phone_number_id: &PhoneNumberId, until: Timestamp);

    /// The number's rate was changed: slots reserved at the old one must not bind it longer than a minute.
    async fn rate_changed(&self, phone_number_id: &PhoneNumberId, now: Timestamp);
}
