//! What only a queue that is the table itself must show: fairness with a backlog, other processes, restarts.

use dakghar_testkit::samples::{With as _, saves};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use dakghar_adapters::sqlite::{SqliteOptions, SqliteQueue, SqliteStore};
use dakghar_core::domain::message::Priority;
use dakghar_core::domain::{Message, MessageKey, PhoneNumberId, Status, TenantId};
use dakghar_core::ports::{Disposition, DueWork, Job, JobKey, MessageStore, Queue};
use dakghar_testkit::TestClock;
use dakghar_testkit::samples::{at, outbound, phone, tenant_id};

use super::open;

const NOW_MS: u64 = 100_000_000;

fn queue(store: &Arc<SqliteStore>) -> SqliteQueue {
    SqliteQueue::new(store.clone(), Arc::new(TestClock::new(at(NOW_MS))))
}

fn due_since(ms: u64, number: &PhoneNumberId, priority: Priority) -> Message {
    outbound(tenant_id()).with(|message| {
        message.accepted.phone_number_id = number.clone();
        message.accepted.priority = priority;
        message.delivery.slot_at = Some(at(NOW_MS - ms));
    })
}

async fn accept(store: &SqliteStore, messages: &[Message]) {
    for batch in messages.chunks(1000) {
        for answer in store.accept(batch.to_vec()).await {
            answer.expect("accepted");
        }
    }
}

async fn take(queue: &SqliteQueue, max: usize) -> Vec<Job> {
    tokio::time::timeout(Duration::from_secs(60), queue.take(max))
        .await
        .expect("something is due")
        .expect("the queue answers")
}

const fn message_key(job: &Job) -> MessageKey {
    let JobKey::Send(key) = job.key;
    key
}

fn keys(jobs: &[Job]) -> HashSet<MessageKey> {
    jobs.iter().map(message_key).collect()
}

#[tokio::test]
async fn messages_without_a_slot_are_due() {
    let (store, _dir) = open();
    let message = outbound(tenant_id());
    accept(&store, std::slice::from_ref(&message)).await;
    let jobs = take(&queue(&store), 10).await;
    assert_eq!(keys(&jobs), HashSet::from([message.key()]));
}

#[tokio::test]
async fn a_backlog_of_one_number_does_not_hide_another_number() {
    let (store, _dir) = open();
    let (busy, quiet, older) = (phone("1"), phone("2"), phone("3"));
    let backlog: Vec<_> = (0..20_000)
        .map(|index| due_since(50_000 - index, &busy, Priority::Normal))
        .collect();
    accept(&store, &backlog).await;
    // One just became due; one is somewhere in the middle of the backlog.
    let newest = due_since(0, &quiet, Priority::Normal);
    let buried = due_since(40_000, &older, Priority::Normal);
    accept(&store, &[newest.clone(), buried.clone()]).await;

    let queue = queue(&store);
    let first = take(&queue, 16).await;
    assert!(
        keys(&first).contains(&newest.key()),
        "the newest waits behind the backlog"
    );
    let mut taken = keys(&first);
    // The whole backlog is walked in stretches of a few thousand.
    for _ in 0..8 {
        let jobs = take(&queue, 16).await;
        taken.extend(jobs.iter().map(message_key));
    }
    assert!(taken.contains(&buried.key()), "the buried one was not found");
    // The oldest of the busy number go first.
    let oldest: HashSet<_> = backlog.iter().take(100).map(Message::key).collect();
    assert!(taken.intersection(&oldest).count() >= 90);
}

#[tokio::test]
async fn every_priority_gets_its_turn() {
    let (store, _dir) = open();
    let mut messages = Vec::new();
    for (index, priority) in Priority::ALL.into_iter().cycle().take(3_000).enumerate() {
        let index = u64::try_from(index).expect("small");
        messages.push(due_since(5_000 - index, &phone(&(index % 5).to_string()), priority));
    }
    accept(&store, &messages).await;
    let priorities: HashMap<_, _> = messages.iter().map(|m| (m.key(), m.accepted.priority)).collect();
    let jobs = take(&queue(&store), 26).await;
    let count = |priority| {
        jobs.iter()
            .filter(|job| priorities[&message_key(job)] == priority)
            .count()
    };
    assert_eq!([Priority::High, Priority::Normal, Priority::Low].map(count), [16, 8, 2]);
}

#[tokio::test]
async fn what_is_out_is_not_taken_again_until_it_is_dropped() {
    let (store, _dir) = open();
    let messages: Vec<_> = (0..600)
        .map(|index| due_since(1000 - index, &phone("1"), Priority::Normal))
        .collect();
    accept(&store, &messages).await;
    let queue = queue(&store);
    let mut out = Vec::new();
    while out.len() < 600 {
        out.extend(take(&queue, 7).await);
    }
    assert_eq!(keys(&out), messages.iter().map(Message::key).collect());
    let nothing = tokio::time::timeout(Duration::from_millis(700), queue.take(7)).await;
    assert!(nothing.is_err(), "everything is out: {nothing:?}");

    drop(out.pop());
    let again = take(&queue, 7).await;
    assert_eq!(again.len(), 1);
}

#[tokio::test]
async fn messages_of_another_process_are_seen() {
    let (store, dir) = open();
    let queue = queue(&store);
    let command = SqliteStore::open(
        dir.path(),
        &SqliteOptions {
            lock_exclusive: false,
            ..SqliteOptions::default()
        },
    )
    .expect("opens");
    let message = due_since(0, &phone("1"), Priority::Normal);
    let (jobs, ()) = tokio::join!(take(&queue, 1), accept(&command, std::slice::from_ref(&message)));
    assert_eq!(keys(&jobs), HashSet::from([message.key()]));
}

#[tokio::test]
async fn a_settled_message_is_gone_and_a_later_slot_is_waited_for() {
    let (store, _dir) = open();
    let clock = Arc::new(TestClock::new(at(NOW_MS)));
    let queue = SqliteQueue::new(store.clone(), clock.clone());
    let mut messages = [0, 0].map(|ms| due_since(ms, &phone("1"), Priority::Normal));
    accept(&store, &messages).await;
    let jobs = take(&queue, 10).await;
    assert_eq!(jobs.len(), 2);
    messages[0].delivery.status = Status::Sent;
    messages[1].delivery.slot_at = Some(at(NOW_MS + 60_000));
    messages[1].delivery.drive = 1;
    for answer in store.save(&saves(&messages)).await {
        answer.expect("saved");
    }
    for job in jobs {
        job.finish(Disposition::Superseded);
    }
    let early = tokio::time::timeout(Duration::from_millis(700), queue.take(10)).await;
    assert!(early.is_err(), "{early:?}");
    clock.advance(Duration::from_secs(60));
    let jobs = take(&queue, 10).await;
    assert_eq!(jobs.len(), 1);
    assert_eq!((message_key(&jobs[0]), jobs[0].drive), (messages[1].key(), 1));
}

#[tokio::test]
async fn a_closed_queue_lets_every_taker_go() {
    let (store, _dir) = open();
    let queue = Arc::new(queue(&store));
    let takers: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.take(1).await.map(|jobs| jobs.len()) })
        })
        .collect();
    tokio::task::yield_now().await;
    queue.close().await;
    for taker in takers {
        assert_eq!(taker.await.expect("no panic"), Ok(0));
    }
}

#[tokio::test]
async fn numbers_with_a_tenant_each_are_all_served_in_one_take() {
    let (store, _dir) = open();
    let tenants: Vec<TenantId> = (0..40).map(|_| tenant_id()).collect();
    let mut messages = Vec::new();
    for (index, tenant) in tenants.iter().enumerate() {
        for step in 0..5 {
            messages.push(
                due_since(900 - step, &phone(&(100 + index).to_string()), Priority::Normal)
                    .with(|message| message.accepted.tenant_id = *tenant),
            );
        }
    }
    accept(&store, &messages).await;
    let jobs = take(&queue(&store), 40).await;
    let served: HashSet<TenantId> = jobs.iter().map(|job| message_key(job).tenant_id).collect();
    assert_eq!(served.len(), 40);
}

#[tokio::test]
async fn what_is_due_is_counted_by_priority_with_the_slot_of_the_oldest() {
    let (store, _dir) = open();
    let number = phone("1");
    let later = due_since(0, &number, Priority::Low).with(|message| message.delivery.slot_at = Some(at(NOW_MS + 1)));
    let due = [
        due_since(700, &number, Priority::High),
        due_since(30, &number, Priority::Normal),
        due_since(9_000, &number, Priority::Normal),
    ];
    accept(&store, &due).await;
    accept(&store, &[later]).await;
    let queue = queue(&store);
    let of = |priority, count, oldest_ms: Option<u64>| DueWork {
        priority,
        count,
        oldest_slot_at: oldest_ms.map(|ms| at(NOW_MS - ms)),
    };
    let expected = [
        of(Priority::High, 1, Some(700)),
        of(Priority::Normal, 2, Some(9_000)),
        of(Priority::Low, 0, None),
    ];
    assert_eq!(queue.due_work().await.expect("counted"), expected);
    let jobs = take(&queue, 10).await;
    assert_eq!(
        queue.due_work().await.expect("counted"),
        expected,
        "what a worker has and has not claimed waits as well"
    );
    drop(jobs);
}
