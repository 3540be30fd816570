//! The schedule that wakes workers.
//!
//! It is not the truth. Everything in it can be lost and is filled in again from the store.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_channel::oneshot;

use crate::domain::ids::{MessageKey, PhoneNumberId};
use crate::domain::pacing::Priority;
use crate::domain::time::Timestamp;

/// The queue did not do it, or nobody knows whether it did.
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

    /// The name under which a queue keeps jobs of this kind.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
        }
    }

    /// The present version of what a queue keeps of such a job, from 1. A job without kind and version is a `send` of
    /// version 1.
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

/// The work of a job: its kind, and the record in the store that it is about. A queue keeps nothing else of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobKey {
    /// Send this message.
    Send(MessageKey),
}

impl JobKey {
    /// The kind of work.
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
    /// The number it is for; chooses the shard.
    pub phone_number_id: PhoneNumberId,
    /// When it may be done.
    pub slot_at: Timestamp,
    /// How many times it was put into the queue again.
    pub drive: u32,
    /// Which goes first among those that are due.
    pub priority: Priority,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The work is settled, or somebody else's concern: the job is over.
    Done,
    /// The next drive of the work was put into the queue by itself; this job is over.
    Superseded,
    /// The work ended as a dead letter, for this fixed reason; the queue may show the job as failed.
    Dead(&'static str),
    /// The record cannot be read, and nobody can say how it ended; the queue may leave it alone for minutes.
    Unreadable,
}

/// Work that is due.
pub struct Job {
    /// The work.
    pub key: JobKey,
    /// The drive under which it was queued.
    pub drive: u32,
    finish: Option<oneshot::Sender<Disposition>>,
}

impl Job {
    /// A job, and the receiver of its end. If it is dropped unfinished, the receiver sees the channel close.
    pub fn new(key: JobKey, drive: u32) -> (Self, oneshot::Receiver<Disposition>) {
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

/// The schedule that wakes workers.
#[async_trait]
pub trait Queue: Send + Sync {
    /// How far ahead of its slot an entry is taken. `None`: the queue reads the store itself, so every message is in it.
    fn window(&self) -> Option<Duration>;

    /// Puts work into the queue. Repeating an entry is harmless; after an error some may be in.
    async fn enqueue(&self, entries: &[QueueEntry]) -> Result<(), QueueError>;

    /// Waits until something is due and takes up to `max` jobs. Each must be finished or dropped.
    async fn take(&self, max: usize) -> Result<Vec<Job>, QueueError>;

    /// Whether the queue can be used now; the text says what is wrong.
    async fn ping(&self) -> Result<(), QueueError>;

    /// Waits until the queue may have lost entries and must be filled again from the store. Never, if it cannot.
    async fn lost(&self);

    /// Stops taking jobs; those taken can still be finished, and entries put in.
    async fn close(&self);
}
