//! Messages that are due are taken, each in its turn.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::message::Priority;
use dakghar_core::ports::JobKey;
use tokio::sync::Mutex;

use super::{JOB_SECONDS_MAX, QueueUnderTest, in_ms, job_key, now};
use crate::samples::{With as _, phone, tenant_id};

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
    // The job must come, be the taker waiting already or not.
    tokio::task::yield_now().await;
    let message = QueueUnderTest::message(tenant_id(), now());
    port.put(std::slice::from_ref(&message)).await;
    let job = waiting.await.expect("no panic");
    assert_eq!(job.key, job_key(&message));
    port.settle(vec![job]).await;
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
