//! The schedule that wakes workers.
//!
//! The queue is not the source of truth. Everything in it can be lost, and is filled in again from the store.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_channel::oneshot;

use crate::domain::ids::{MessageKey, PhoneNumberId};
use crate::domain::message::Message;
use crate::domain::pacing::Priority;
use crate::domain::time::Timestamp;

/// The queue failed; the work may or may not be in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is not available: {0}")]
pub struct QueueError(pub String);

/// The kinds of work that go through a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Sending a message.
    Send,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::Send];

    /// Returns the name under which a queue keeps jobs of this kind.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
        }
    }

    /// Returns the present version, from 1, of the stored form of such a job. A job without kind and version is a
    /// `send` of version 1.
    pub const fn version(self) -> u32 {
        match self {
            Self::Send => 1,
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The work of a job: its kind, and the record in the store that it is about. A queue keeps nothing else of the
/// record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobKey {
    /// Send this message.
    Send(MessageKey),
}

impl JobKey {
    /// Returns the kind of work.
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Send(_) => JobKind::Send,
        }
    }
}

/// Work that should reach a worker at its slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// The work.
    pub key: JobKey,
    /// The number it is for. It chooses the shard.
    pub phone_number_id: PhoneNumberId,
    /// The time from which it may be done.
    pub slot_at: Timestamp,
    /// The number of times it was put into the queue again.
    pub drive: u32,
    /// Its order among the entries that are due.
    pub priority: Priority,
    /// True if a client waits for what Meta answers. An entry that is made again from the store does not say so any more.
    pub is_awaited: bool,
}

impl QueueEntry {
    /// Returns a message's place in time, without its content.
    pub fn of(message: &Message) -> Self {
        let delivery = &message.delivery;
        Self {
            key: JobKey::Send(message.key()),
            phone_number_id: message.accepted.phone_number_id.clone(),
            slot_at: delivery.slot_at.unwrap_or(message.accepted.created_at),
            drive: delivery.drive,
            priority: message.accepted.priority,
            is_awaited: false,
        }
    }
}

/// The end of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The work is settled, or another job or process handles it.
    Done,
    /// The next drive of the work was put into the queue separately.
    Superseded,
    /// The work ended as a dead letter, for this fixed reason; the queue may show the job as failed.
    Dead(&'static str),
    /// The record cannot be read, so its end is unknown. The queue may leave the job alone for minutes.
    Unreadable,
}

/// Work that is due.
pub struct Job {
    /// The work.
    pub key: JobKey,
    /// The drive under which it was queued.
    pub drive: u32,
    /// True if a client waits for what Meta answers, as far as the queue knows.
    pub is_awaited: bool,
    finish: Option<oneshot::Sender<Disposition>>,
}

impl Job {
    /// Makes a job, and the receiver of its end. If it is dropped unfinished, the receiver sees the channel close.
    pub fn new(key: JobKey, drive: u32) -> (Self, oneshot::Receiver<Disposition>) {
        let (finish, finished) = oneshot::channel();
        (
            Self {
                key,
                drive,
                is_awaited: false,
                finish: Some(finish),
            },
            finished,
        )
    }

    /// Ends the job.
    pub fn finish(mut self, disposition: Disposition) {
        if let Some(finish) = self.finish.take() {
            // The queue may have gone away meanwhile; the store knows how the work ended.
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

/// The work of one priority that is due and that no worker has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueWork {
    /// The priority.
    pub priority: Priority,
    /// The number of entries. A queue may stop counting at [`DUE_COUNTED_MAX`].
    pub count: u64,
    /// The slot of the entry that has waited longest, by the clock that gives slots; `None` if nothing is due.
    pub oldest_slot_at: Option<Timestamp>,
}

/// The most entries of a priority that must be counted.
pub const DUE_COUNTED_MAX: u32 = 100_000;

/// The schedule that wakes workers.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Returns the time before its slot at which an entry is taken. `None`: the queue reads the store itself, so every
    /// message is in it.
    fn window(&self) -> Option<Duration>;

    /// Puts work into the queue. Repeating an entry is harmless. After an error some may be in.
    async fn enqueue(&self, entries: &[QueueEntry]) -> Result<(), QueueError>;

    /// Waits until something is due and takes up to `max` jobs. Each must be finished or dropped.
    async fn take(&self, max: usize) -> Result<Vec<Job>, QueueError>;

    /// Returns what is due, for each priority once, whichever process would take it. Whoever asks seldom gets an answer
    /// that is some seconds old at most.
    async fn due_work(&self) -> Result<Vec<DueWork>, QueueError>;

    /// Checks that the queue can be used now. The error text says what is wrong.
    async fn ping(&self) -> Result<(), QueueError>;

    /// Waits until the queue may have lost entries and must be filled again from the store. Never returns if it cannot
    /// lose any.
    async fn lost(&self);

    /// Stops taking jobs. Those taken can still be finished, and entries put in.
    async fn close(&self);
}
