//! The suite of [`Queue`].
//!
//! It runs in real time, but never asserts that something was quick: only what came, how often, and that it did not
//! come early.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod due;
mod ending;
mod taking;

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::{Message, MessageKey, Status, TenantId, Timestamp};
use dakghar_core::ports::{Acceptance, Clock, Disposition, Job, JobKey, MessageStore, Queue, QueueEntry, Saved};

use crate::clock::WallClock;
use crate::samples::{With as _, outbound, saves};

pub use due::*;
pub use ending::*;
pub use taking::*;

/// A case fails when no job comes for so long.
const JOB_SECONDS_MAX: u64 = 60;

/// The port of the cases.
#[derive(Clone)]
pub struct QueueUnderTest {
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// The store behind a queue that reads the store itself; `None` for one that is told everything.
    pub messages: Option<Arc<dyn MessageStore>>,
}

/// Runs the suite of `Queue`: `queue_suite!(factory)`, where the factory gives `QueueUnderTest`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! queue_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, queue:
            the_queue_can_be_used
            a_due_message_is_taken
            nothing_is_taken_before_its_slot
            what_is_due_does_not_wait_for_what_is_not
            a_repeated_entry_is_one_job
            a_finished_message_can_come_again_under_its_next_drive
            what_cannot_be_read_is_left_alone
            a_dropped_job_does_not_stop_the_queue
            urgent_messages_go_first
            no_more_than_asked_for_is_taken
            a_waiting_taker_is_woken
            a_taken_job_can_be_finished_while_the_queue_closes
            a_closed_queue_still_takes_messages_in
            five_thousand_jobs_are_each_taken_once
            what_is_due_is_counted_by_priority_until_it_is_done_with_the_slot_that_waits
        }
    };
}

impl QueueUnderTest {
    /// A message of the default number for this slot.
    fn message(tenant: TenantId, slot_at: Timestamp) -> Message {
        outbound(tenant).with(|message| message.delivery.slot_at = Some(slot_at))
    }

    /// Lets the messages reach the queue: through the store if it reads that.
    async fn put(&self, messages: &[Message]) {
        if let Some(store) = &self.messages {
            for answer in store.accept(messages.to_vec()).await {
                assert_eq!(answer, Ok(Acceptance::Stored));
            }
        }
        self.enqueue(messages).await;
    }

    async fn enqueue(&self, messages: &[Message]) {
        let entries: Vec<_> = messages.iter().map(entry).collect();
        self.queue.enqueue(&entries).await.expect("the queue answers");
    }

    async fn take(&self, max: usize) -> Vec<Job> {
        let jobs = tokio::time::timeout(Duration::from_secs(JOB_SECONDS_MAX), self.queue.take(max)).await;
        let jobs = jobs.expect("a job comes in a minute").expect("the queue answers");
        assert!(jobs.len() <= max, "{} jobs instead of {max}", jobs.len());
        jobs
    }

    async fn take_one(&self) -> Job {
        loop {
            if let Some(job) = self.take(1).await.pop() {
                return job;
            }
        }
    }

    /// Ends the jobs as a worker does: first in the store, so that they are not due any more, then in the queue.
    async fn settle(&self, jobs: Vec<Job>) {
        if let Some(store) = &self.messages {
            let keys: Vec<_> = jobs.iter().map(|job| message_key(job.key)).collect();
            let loaded = store.load(&keys).await;
            let sent: Vec<_> = loaded
                .into_iter()
                .filter_map(|loaded| loaded.expect("the store answers"))
                .map(|message| {
                    message.with(|message| {
                        message.delivery.status = Status::Sent;
                        message.delivery.slot_at = None;
                    })
                })
                .collect();
            for answer in store.save(&saves(&sent)).await {
                assert_eq!(answer, Ok(Saved::Done));
            }
        }
        for job in jobs {
            job.finish(Disposition::Done);
        }
    }
}

const fn job_key(message: &Message) -> JobKey {
    JobKey::Send(message.key())
}

const fn message_key(JobKey::Send(key): JobKey) -> MessageKey {
    key
}

fn entry(message: &Message) -> QueueEntry {
    QueueEntry {
        key: job_key(message),
        phone_number_id: message.accepted.phone_number_id.clone(),
        slot_at: message.delivery.slot_at.expect("the message has a slot"),
        drive: message.delivery.drive,
        priority: message.accepted.priority,
        is_awaited: false,
    }
}

fn now() -> Timestamp {
    WallClock.now()
}

fn in_ms(ms: u64) -> Timestamp {
    now() + Duration::from_millis(ms)
}
