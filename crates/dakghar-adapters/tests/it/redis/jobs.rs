//! The fate of messages while Redis is well.

use std::sync::Arc;
use std::time::Duration;

use dakghar_adapters::redis::{BullmqConfig, BullmqQueue, QUEUE_NAME, RedisConfig, Role};
use dakghar_core::domain::Timestamp;
use dakghar_core::domain::message::Priority;
use dakghar_core::ports::{Clock as _, Disposition, DueWork, JobKey, Queue, QueueEntry};
use dakghar_testkit::servers::Redis;
use dakghar_testkit::{TestClock, require_services};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use crate::meta::log_lines::LogLines;

use super::{
    config, connect, enqueue_patiently, entry, eventually, finish_one, key, now, phone, start, start_with, take,
};

fn redis_key(suffix: &str) -> String {
    format!("bull:{QUEUE_NAME}:{suffix}")
}

async fn is_in(connection: &mut MultiplexedConnection, set: &str, id: &str) -> bool {
    connection
        .zscore::<_, _, Option<f64>>(redis_key(set), id)
        .await
        .unwrap()
        .is_some()
}

#[tokio::test]
async fn a_job_whose_client_waits_says_so_to_who_takes_it() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let queue = start(&redis.url()).await;
    for is_awaited in [true, false] {
        let added = QueueEntry {
            is_awaited,
            ..entry(if is_awaited { 1 } else { 2 })
        };
        queue.enqueue(std::slice::from_ref(&added)).await.unwrap();
        let job = take(&queue, 1).await.remove(0);
        assert_eq!((job.key, job.is_awaited), (added.key, is_awaited));
        job.finish(Disposition::Done);
    }
}

#[tokio::test]
async fn a_job_carries_ids_only_and_ends_as_completed() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let queue = start(&redis.url()).await;
    let mut connection = connect(&redis.url()).await;
    let sent = QueueEntry { drive: 2, ..entry(1) };
    queue.enqueue(std::slice::from_ref(&sent)).await.unwrap();

    let JobKey::Send(message) = sent.key;
    let id = format!("{}.2", message.message_id);
    let data: String = connection.hget(redis_key(&id), "data").await.unwrap();
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    let expected = serde_json::json!({
        "tenantId": message.tenant_id.to_string(), "messageId": message.message_id.to_string()
    });
    assert_eq!(data, expected);
    assert_eq!(
        connection.hget::<_, _, String>(redis_key(&id), "name").await.unwrap(),
        "send"
    );

    let job = take(&queue, 1).await.remove(0);
    assert_eq!((job.key, job.drive), (sent.key, 2));
    job.finish(Disposition::Done);
    eventually("completed", async || is_in(&mut connection, "completed", &id).await).await;
    assert_eq!(
        connection
            .hget::<_, _, String>(redis_key(&id), "returnvalue")
            .await
            .unwrap(),
        "null"
    );
}

#[tokio::test]
async fn a_dead_letter_shows_as_failed_with_its_reason_and_is_not_repeated() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let queue = start(&redis.url()).await;
    let mut connection = connect(&redis.url()).await;
    queue.enqueue(&[entry(1)]).await.unwrap();
    take(&queue, 1)
        .await
        .remove(0)
        .finish(Disposition::Dead("attempts_exhausted"));

    let JobKey::Send(message) = key(1);
    let id = message.message_id.to_string();
    eventually("failed", async || is_in(&mut connection, "failed", &id).await).await;
    let reason: String = connection.hget(redis_key(&id), "failedReason").await.unwrap();
    assert_eq!(reason, "attempts_exhausted");
    queue.enqueue(&[entry(2)]).await.unwrap();
    assert_eq!(finish_one(&queue).await, key(2));
}

#[tokio::test]
async fn a_message_is_not_taken_before_its_slot() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let queue = start(&redis.url()).await;
    let slot_at = now() + Duration::from_millis(1500);
    queue
        .enqueue(&[QueueEntry { slot_at, ..entry(1) }, entry(2)])
        .await
        .unwrap();
    assert_eq!(finish_one(&queue).await, key(2));
    assert_eq!(finish_one(&queue).await, key(1));
    assert!(now() >= slot_at);
}

#[tokio::test]
async fn repeating_an_entry_is_harmless_and_a_new_drive_is_a_new_job() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let queue = start(&redis.url()).await;
    queue.enqueue(&[entry(1), entry(1)]).await.unwrap();
    queue.enqueue(&[entry(1)]).await.unwrap();
    assert_eq!(finish_one(&queue).await, key(1));
    // Finished, but still kept: the same id again is ignored, the next drive is not.
    queue
        .enqueue(&[entry(1), QueueEntry { drive: 1, ..entry(1) }, entry(2)])
        .await
        .unwrap();
    let mut seen: Vec<_> = take(&queue, 2).await.iter().map(|job| (job.key, job.drive)).collect();
    seen.sort();
    assert_eq!(seen, [(key(1), 1), (key(2), 0)]);
}

#[tokio::test]
async fn urgent_messages_go_first_and_broadcasts_last() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let mut producing = config(&redis.url(), 1, 1);
    producing.role = Role::Produce;
    let producer = start_with(producing).await;
    let with = |number, priority| QueueEntry {
        priority,
        ..entry(number)
    };
    let slot_at = now() + Duration::from_millis(200);
    let later = |entry| QueueEntry { slot_at, ..entry };
    producer
        .enqueue(&[
            with(1, Priority::Low),
            with(2, Priority::Normal),
            with(3, Priority::High),
            later(with(4, Priority::Low)),
            later(with(5, Priority::Normal)),
            later(with(6, Priority::High)),
        ])
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;

    let consumer = start_with(config(&redis.url(), 1, 1)).await;
    let mut order = Vec::new();
    for _ in 0..6 {
        order.push(finish_one(&consumer).await);
    }
    assert_eq!(order, [3, 6, 2, 5, 1, 4].map(key));
}

#[tokio::test]
async fn takes_what_is_there_without_waiting_for_more() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let queue = start(&redis.url()).await;
    let entries: Vec<_> = (1..=20).map(entry).collect();
    queue.enqueue(&entries).await.unwrap();
    let jobs = take(&queue, 8).await;
    assert_eq!(jobs.len(), 8, "as many as may be in flight");
    let more = tokio::time::timeout(Duration::from_millis(300), queue.take(100)).await;
    assert!(more.is_err(), "not more at the same time than configured");
    for job in jobs {
        job.finish(Disposition::Done);
    }
    for _ in 0..12 {
        finish_one(&queue).await;
    }
}

#[tokio::test]
async fn a_consumer_that_panics_leaves_nothing_behind() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let queue = start_with(config(&redis.url(), 1, 1)).await;
    let mut connection = connect(&redis.url()).await;
    for number in 1..=3 {
        queue.enqueue(&[entry(number)]).await.unwrap();
        let job = take(&queue, 1).await.remove(0);
        let consumer = tokio::spawn(async move { panic!("while working on {job:?}") });
        assert!(consumer.await.is_err());
    }
    queue.enqueue(&[entry(4)]).await.unwrap();
    assert_eq!(finish_one(&queue).await, key(4));
    eventually("nothing active", async || {
        connection.llen::<_, u64>(redis_key("active")).await.unwrap() == 0
    })
    .await;
}

/// The queue, past our own code.
async fn bullmq_queue(url: &str) -> bullmq::Queue {
    let connection = bullmq::options::RedisConnectionOptions::new().url(url);
    let options = bullmq::QueueOptions::new().connection(connection);
    bullmq::Queue::with_options(QUEUE_NAME, options).await.unwrap()
}

#[tokio::test]
async fn a_job_without_its_message_is_passed_over() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let queue = start_with(config(&redis.url(), 1, 1)).await;
    let mut connection = connect(&redis.url()).await;
    // The rest of a job whose data Redis evicted, and one that somebody added by hand.
    let _: () = connection.lpush(redis_key("wait"), "msg_evicted").await.unwrap();
    let by_hand = bullmq_queue(&redis.url()).await;
    by_hand
        .add("send", serde_json::json!({"hello": "world"}))
        .await
        .unwrap();
    queue.enqueue(&[entry(1)]).await.unwrap();
    assert_eq!(finish_one(&queue).await, key(1));
}

#[tokio::test]
async fn a_job_of_a_later_release_is_passed_over_and_logged_once() {
    require_services!(Redis);
    let log = LogLines::listen();
    let redis = Redis::shared().await;
    let queue = start_with(config(&redis.url(), 1, 1)).await;
    let later = bullmq_queue(&redis.url()).await;
    for version in [1, 2, 1] {
        let data = serde_json::json!({"kind": "callback", "v": version, "eventId": "evt_1"});
        later.add("callback", data).await.unwrap();
    }
    queue.enqueue(&[entry(1)]).await.unwrap();
    assert_eq!(finish_one(&queue).await, key(1));

    let mut connection = connect(&redis.url()).await;
    eventually("all four completed", async || {
        connection.zcard::<_, u64>(redis_key("completed")).await.unwrap() == 4
    })
    .await;
    let lines = log.lines();
    let said: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("a kind that this release"))
        .collect();
    assert!(said.len() == 1 && said[0].contains("callback"), "{said:?}");
}

#[tokio::test]
async fn closing_gives_back_what_nobody_took_and_waits_for_the_rest() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let first = start_with(config(&redis.url(), 1, 4)).await;
    let entries: Vec<_> = (1..=4).map(entry).collect();
    first.enqueue(&entries).await.unwrap();
    let taken = take(&first, 1).await.remove(0);
    let mut connection = connect(&redis.url()).await;
    eventually("all fetched", async || {
        connection.llen::<_, u64>(redis_key("active")).await.unwrap() == 4
    })
    .await;

    let taken_key = taken.key;
    let ((), ()) = tokio::join!(first.close(), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        taken.finish(Disposition::Done);
    });
    assert!(first.take(1).await.is_err());
    first.enqueue(&[entry(5)]).await.unwrap();

    let second = start_with(config(&redis.url(), 1, 4)).await;
    let mut rest = vec![taken_key];
    for _ in 0..4 {
        rest.push(finish_one(&second).await);
    }
    rest.sort();
    assert_eq!(rest, [1, 2, 3, 4, 5].map(key));
    eventually("nothing is left", async || {
        connection.llen::<_, u64>(redis_key("active")).await.unwrap() == 0
    })
    .await;
}

#[tokio::test]
async fn a_producer_takes_nothing() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let mut producing = config(&redis.url(), 1, 1);
    producing.role = Role::Produce;
    let producer = start_with(producing).await;
    producer.enqueue(&[entry(1)]).await.unwrap();
    assert!(producer.take(1).await.is_err());
    let consumer = start(&redis.url()).await;
    assert_eq!(finish_one(&consumer).await, key(1));
}

#[tokio::test]
async fn keeps_the_last_thousand_finished_jobs() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let queue = start_with(config(&redis.url(), 1, 64)).await;
    let mut connection = connect(&redis.url()).await;
    let entries: Vec<_> = (1..=1200).map(entry).collect();
    enqueue_patiently(&queue, &entries).await;
    let mut finished = 0;
    while finished < 1200 {
        for job in queue.take(64).await.unwrap() {
            job.finish(Disposition::Done);
            finished += 1;
        }
    }
    eventually("the last thousand", async || {
        connection.llen::<_, u64>(redis_key("active")).await.unwrap() == 0
            && connection.zcard::<_, u64>(redis_key("completed")).await.unwrap() == 1000
    })
    .await;
}

#[tokio::test]
async fn a_wrong_address_or_password_is_named_in_plain_words() {
    require_services!(Redis);
    let nobody: BullmqQueue = start("redis://127.0.0.1:1").await;
    let error = nobody.ping().await.unwrap_err().to_string();
    assert!(error.contains("nothing listens there"), "{error}");
    assert!(nobody.enqueue(&[entry(1)]).await.is_err());

    let redis = Redis::start().await;
    redis.require_password("right").await;
    let url = format!("redis://:wrong@127.0.0.1:{}", redis.port());
    let error = start(&url).await.ping().await.unwrap_err().to_string();
    assert!(error.contains("refuses the user name or password"), "{error}");
    assert!(!error.contains("wrong"), "{error}");
    let url = format!("redis://:right@127.0.0.1:{}", redis.port());
    let queue = start(&url).await;
    queue.ping().await.unwrap();
    assert_eq!(
        RedisConfig::from_url(&url).unwrap().to_string(),
        format!("redis://127.0.0.1:{}", redis.port())
    );
}

/// An API process whose machine's clock is wrong, beside workers that are right.
#[tokio::test]
async fn a_delay_ends_by_the_clock_of_its_slot_where_others_take_the_job_out() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let mut config = config(&redis.url(), 1, 1);
    config.role = Role::Produce;
    // To the store's clock, this machine is an hour ahead.
    let store = Arc::new(TestClock::new(now() - Duration::from_hours(1)));
    let queue = BullmqQueue::start(config, store.clone()).await.unwrap();
    let slot_at = store.now() + Duration::from_secs(30);
    let later = QueueEntry { slot_at, ..entry(1) };
    queue.enqueue(std::slice::from_ref(&later)).await.unwrap();

    let JobKey::Send(message) = later.key;
    let connection = connect(&redis.url()).await;
    let id = message.message_id.to_string();
    // BullMQ's scores are milliseconds times this.
    let due_at = async |at: Timestamp| -> usize {
        let score = at.as_millis() * 4_096;
        connection.clone().zcount(redis_key("delayed"), 0, score).await.unwrap()
    };
    assert!(is_in(&mut connection.clone(), "delayed", &id).await);
    assert_eq!(due_at(slot_at - Duration::from_secs(1)).await, 0);
    assert_eq!(due_at(slot_at + Duration::from_secs(1)).await, 1);
}

#[tokio::test]
async fn what_is_due_is_counted_by_priority_also_where_nobody_works() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let producer = start_with(BullmqConfig {
        role: Role::Produce,
        ..config(&redis.url(), 2, 8)
    })
    .await;
    let began = now();
    let soon = began + Duration::from_millis(300);
    let of = |number: u128, priority, slot_at: Timestamp| QueueEntry {
        priority,
        slot_at,
        // Of several numbers, so that both shards have some.
        phone_number_id: phone(u64::try_from(number).unwrap()),
        ..entry(number)
    };
    let far = began + Duration::from_mins(30);
    let mut entries = vec![
        of(1, Priority::High, began),
        of(2, Priority::Normal, soon),
        of(3, Priority::Normal, far),
    ];
    entries.extend((4..10).map(|number| of(number, Priority::Low, began)));
    enqueue_patiently(&producer, &entries).await;
    let counts = |work: &[DueWork]| work.iter().map(|due| (due.priority, due.count)).collect::<Vec<_>>();
    let expected = [(Priority::High, 1), (Priority::Normal, 1), (Priority::Low, 6)];
    eventually("all of it is counted", async || {
        producer.due_work().await.is_ok_and(|work| counts(&work) == expected)
    })
    .await;
    let work = producer.due_work().await.unwrap();
    let oldest: Vec<Timestamp> = work
        .iter()
        .map(|due| due.oldest_slot_at.expect("something is due"))
        .collect();
    assert!(oldest[0] >= began && oldest[2] >= began, "{oldest:?}");
    assert!(
        oldest[1] >= soon && oldest[1] < far,
        "its slot, and not when it was put in: {oldest:?}"
    );

    // BullMQ forgets the delay of what it starts; the slot is still known.
    let consumer = start_with(config(&redis.url(), 2, 1)).await;
    let mut taken = 0;
    while taken < 8 {
        let jobs = take(&consumer, 1).await;
        taken += jobs.len();
        for job in jobs {
            job.finish(Disposition::Done);
        }
    }
    let nothing = [(Priority::High, 0), (Priority::Normal, 0), (Priority::Low, 0)];
    eventually("nothing is due", async || {
        producer.due_work().await.is_ok_and(|work| counts(&work) == nothing)
    })
    .await;
    let work = producer.due_work().await.unwrap();
    assert!(work.iter().all(|due| due.oldest_slot_at.is_none()), "{work:?}");
}
