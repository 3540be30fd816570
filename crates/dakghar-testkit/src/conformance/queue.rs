//! The suite of [`Queue`].
//!
//! It runs in real time, but never asserts that something was quick: only what came, how often, and that it did not
//! come early.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::message::Priority;
use dakghar_core::domain::{Message, MessageKey, Status, TenantId, Timestamp};
use dakghar_core::ports::{Acceptance, Clock, Disposition, Job, JobKey, MessageStore, Queue, QueueEntry, Save, Saved};
use tokio::sync::Mutex;

use crate::clock::WallClock;
use crate::samples::{With as _, outbound, phone, saves, tenant_id};

/// A case fails when no job comes for so long.
const JOB_SECONDS_MAX: u64 = 60;

/// What the cases are run against.
#[derive(Clone)]
pub struct QueueUnderTest {
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// The store behind a queue that reads the store itself; `None` for one that is told everything.
    pub messages: Option<Arc<dyn MessageStore>>,
}

/// Runs the suite of `Queue`: `queue_suite!(factory)`, where the factory is an async function without
/// arguments that gives `(conformance::QueueUnderTest, guard)` or an `Option` of that. See [`conformance`](crate::conformance).
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
        key: job_key(&message),
        phone_number_id: message.accepted.phone_number_id.clone(),
        slot_at: message.delivery.slot_at.expect("the message has a slot"),
        drive: message.delivery.drive,
        priority: message.accepted.priority,
    }
}

fn now() -> Timestamp {
    WallClock.now()
}

fn in_ms(ms: u64) -> Timestamp {
    now() + Duration::from_millis(ms)
}

pub async fn the_queue_can_be_used(port: QueueUnderTest) {
    assert_eq!(port.queue.ping().await, Ok(()));
    assert_eq!(port.queue.enqueue(&[]).await, Ok(()));
}

pub async fn a_due_message_is_taken(port: QueueUnderTest) {
    let message = QueueUnderTest::message(tenant_id(), now()).with(|message| message.delivery.drive = 3);
    port.put(std::slice::from_ref(&message)).await;
    let job = port.take_one().await;
    assert_eq!((job.key, job.drive), (job_key(&message), 3));
    port.settle(vec![job]).await;
}

pub async fn nothing_is_taken_before_its_slot(port: QueueUnderTest) {
    let tenant = tenant_id();
    let messages: Vec<_> = [900, 300, 600, 1_200]
        .map(|ms| QueueUnderTest::message(tenant, in_ms(ms)))
        .to_vec();
    port.put(&messages).await;
    let slots: HashMap<_, _> = messages
        .iter()
        .map(|m| (job_key(m), m.delivery.slot_at.expect("set")))
        .collect();
    let mut order = Vec::new();
    for _ in &messages {
        let job = port.take_one().await;
        let (slot, now) = (slots[&job.key], now());
        // A claim tolerates two milliseconds.
        assert!(now + Duration::from_millis(2) >= slot, "{now} is before {slot}");
        order.push(slot);
        port.settle(vec![job]).await;
    }
    assert!(order.is_sorted(), "{order:?}");
}

pub async fn what_is_due_does_not_wait_for_what_is_not(port: QueueUnderTest) {
    let tenant = tenant_id();
    let later: Vec<_> = (0..200)
        .map(|_| QueueUnderTest::message(tenant, in_ms(3_600_000)))
        .collect();
    port.put(&later).await;
    let due = QueueUnderTest::message(tenant, now());
    port.put(std::slice::from_ref(&due)).await;
    let job = port.take_one().await;
    assert_eq!(job.key, job_key(&due));
    port.settle(vec![job]).await;
}

pub async fn a_repeated_entry_is_one_job(port: QueueUnderTest) {
    let tenant = tenant_id();
    let message = QueueUnderTest::message(tenant, in_ms(200));
    port.put(std::slice::from_ref(&message)).await;
    port.enqueue(&[message.clone(), message.clone()]).await;
    // Comes after every copy of the first.
    let last = QueueUnderTest::message(tenant, in_ms(700));
    port.put(std::slice::from_ref(&last)).await;

    let mut taken = Vec::new();
    while taken.last() != Some(&job_key(&last)) {
        let job = port.take_one().await;
        taken.push(job.key);
        port.settle(vec![job]).await;
    }
    assert_eq!(taken, [job_key(&message), job_key(&last)]);
}

pub async fn a_finished_message_can_come_again_under_its_next_drive(port: QueueUnderTest) {
    let mut message = QueueUnderTest::message(tenant_id(), now());
    port.put(std::slice::from_ref(&message)).await;
    for (drive, end) in [Disposition::Superseded, Disposition::Dead("poison"), Disposition::Done]
        .into_iter()
        .enumerate()
    {
        let job = port.take_one().await;
        assert_eq!((job.key, job.drive as usize), (job_key(&message), drive));
        message.delivery.drive += 1;
        message.delivery.slot_at = Some(now());
        if let Some(store) = &port.messages {
            assert_eq!(store.save(&[Save::from(&message)]).await, [Ok(Saved::Done)]);
            message.delivery.version += 1;
        }
        // The next drive is put in before the job ends, as a worker does.
        port.enqueue(std::slice::from_ref(&message)).await;
        job.finish(end);
    }
    let job = port.take_one().await;
    assert_eq!((job.key, job.drive), (job_key(&message), 3));
    port.settle(vec![job]).await;
}

pub async fn what_cannot_be_read_is_left_alone(port: QueueUnderTest) {
    let tenant = tenant_id();
    let unreadable = QueueUnderTest::message(tenant, now());
    port.put(std::slice::from_ref(&unreadable)).await;
    port.take_one().await.finish(Disposition::Unreadable);
    let next = QueueUnderTest::message(tenant, in_ms(700));
    port.put(std::slice::from_ref(&next)).await;
    let job = port.take_one().await;
    assert_eq!(job.key, job_key(&next));
    port.settle(vec![job]).await;
}

pub async fn a_dropped_job_does_not_stop_the_queue(port: QueueUnderTest) {
    let tenant = tenant_id();
    let messages: Vec<_> = (0..5).map(|_| QueueUnderTest::message(tenant, now())).collect();
    port.put(&messages).await;
    for _ in &messages {
        drop(port.take_one().await);
    }
    let next = QueueUnderTest::message(tenant, now());
    port.put(std::slice::from_ref(&next)).await;
    // Those that were dropped may come again or not.
    loop {
        let job = port.take_one().await;
        let is_next = job.key == job_key(&next);
        port.settle(vec![job]).await;
        if is_next {
            break;
        }
    }
}

pub async fn urgent_messages_go_first(port: QueueUnderTest) {
    const EACH: usize = 20;
    let tenant = tenant_id();
    let slot = in_ms(1_000);
    let messages: Vec<_> = (0..EACH * 3)
        .map(|index| {
            QueueUnderTest::message(tenant, slot).with(|message| {
                message.accepted.priority = [Priority::Low, Priority::Normal, Priority::High][index % 3];
            })
        })
        .collect();
    port.put(&messages).await;
    let priorities: HashMap<JobKey, Priority> = messages.iter().map(|m| (job_key(m), m.accepted.priority)).collect();

    // A queue may fetch ahead, so a single one can be out of order; the lot of them cannot.
    let mut positions: HashMap<Priority, usize> = HashMap::new();
    for position in 0..messages.len() {
        let job = port.take_one().await;
        *positions.entry(priorities[&job.key]).or_default() += position;
        port.settle(vec![job]).await;
    }
    let of = |priority| positions[&priority];
    assert!(of(Priority::High) < of(Priority::Normal), "{positions:?}");
    assert!(of(Priority::Normal) < of(Priority::Low), "{positions:?}");
}

pub async fn no_more_than_asked_for_is_taken(port: QueueUnderTest) {
    let tenant = tenant_id();
    let messages: Vec<_> = (0..10).map(|_| QueueUnderTest::message(tenant, now())).collect();
    port.put(&messages).await;
    let mut taken = HashSet::new();
    while taken.len() < 10 {
        let jobs = port.take(3).await;
        taken.extend(jobs.iter().map(|job| job.key));
        port.settle(jobs).await;
    }
    assert_eq!(taken, messages.iter().map(job_key).collect());
}

pub async fn a_waiting_taker_is_woken(port: QueueUnderTest) {
    let waiting = {
        let port = port.clone();
        tokio::spawn(async move { port.take_one().await })
    };
    // Whether the taker waits already makes no difference to what must come.
    tokio::task::yield_now().await;
    let message = QueueUnderTest::message(tenant_id(), now());
    port.put(std::slice::from_ref(&message)).await;
    let job = waiting.await.expect("no panic");
    assert_eq!(job.key, job_key(&message));
    port.settle(vec![job]).await;
}

pub async fn a_taken_job_can_be_finished_while_the_queue_closes(port: QueueUnderTest) {
    port.put(&[QueueUnderTest::message(tenant_id(), now())]).await;
    let job = port.take_one().await;
    let closing = {
        let queue = port.queue.clone();
        tokio::spawn(async move { queue.close().await })
    };
    tokio::task::yield_now().await;
    port.settle(vec![job]).await;
    let closed = tokio::time::timeout(Duration::from_secs(JOB_SECONDS_MAX), closing).await;
    closed.expect("the queue closes in a minute").expect("no panic");
    // What is accepted or tried again while the process ends is for another one to take.
    port.enqueue(&[QueueUnderTest::message(tenant_id(), now())]).await;
}

pub async fn a_closed_queue_still_takes_messages_in(port: QueueUnderTest) {
    port.queue.close().await;
    // `put` demands that the queue takes it.
    port.put(&[QueueUnderTest::message(tenant_id(), now())]).await;
}

pub async fn five_thousand_jobs_are_each_taken_once(port: QueueUnderTest) {
    const JOBS: usize = 5_000;
    let tenant = tenant_id();
    let messages: Vec<_> = (0..JOBS)
        .map(|index| {
            QueueUnderTest::message(tenant, now())
                .with(|message| message.accepted.phone_number_id = phone(&(index % 7).to_string()))
        })
        .collect();
    let taken = Arc::new(Mutex::new(Vec::with_capacity(JOBS)));
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let (port, taken) = (port.clone(), taken.clone());
            tokio::spawn(async move {
                loop {
                    let jobs = port.take(64).await;
                    taken.lock().await.extend(jobs.iter().map(|job| job.key));
                    port.settle(jobs).await;
                }
            })
        })
        .collect();
    for batch in messages.chunks(500) {
        port.put(batch).await;
    }
    let all_taken = async {
        while taken.lock().await.len() < JOBS {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let limit = Duration::from_secs(2 * JOB_SECONDS_MAX);
    let in_time = tokio::time::timeout(limit, all_taken).await;
    for taker in takers {
        taker.abort();
    }
    let taken = taken.lock().await;
    assert!(in_time.is_ok(), "only {} jobs came", taken.len());
    let distinct: HashSet<JobKey> = taken.iter().copied().collect();
    assert_eq!(distinct, messages.iter().map(job_key).collect());
    assert_eq!(taken.len(), JOBS, "a job came twice");
}
