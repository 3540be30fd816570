//! The fate of messages when Redis is not well. Every test ends with a message that went through.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use dakghar_adapters::redis::{BullmqConfig, BullmqQueue, RedisConfig, Role};
use dakghar_core::ports::{Disposition, JobKey, Queue, QueueEntry};
use dakghar_testkit::require_services;
use dakghar_testkit::servers::Redis;
use redis::AsyncCommands;

use super::proxy::Proxy;
use super::{connect, enqueue_patiently, entry, eventually, expect_loss, finish_one, key, now, start_with, take};

/// With the patience of the product: these tests are about what happens after it.
fn config(url: &str, shards: u16, in_flight_max: usize) -> BullmqConfig {
    BullmqConfig {
        redis: RedisConfig::from_url(url).unwrap(),
        ..super::config(url, shards, in_flight_max)
    }
}

async fn start(url: &str) -> BullmqQueue {
    start_with(config(url, 1, 8)).await
}

async fn loses_nothing_within(queue: &impl Queue, time: Duration) {
    assert!(
        tokio::time::timeout(time, queue.lost()).await.is_err(),
        "a loss was reported"
    );
}

/// Finishes jobs until so many messages were seen; one that comes twice counts once.
async fn finish_all(queue: &BullmqQueue, messages: usize) -> Vec<JobKey> {
    let mut seen = BTreeSet::new();
    while seen.len() < messages {
        seen.insert(finish_one(queue).await);
    }
    seen.into_iter().collect()
}

#[tokio::test]
async fn deleted_data_is_noticed_and_the_queue_goes_on() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let queue = start(&redis.url()).await;
    // The server was empty, which might have been a loss.
    expect_loss(&queue).await;
    loses_nothing_within(&queue, Duration::from_secs(3)).await;

    queue.enqueue(&[entry(1)]).await.unwrap();
    let in_hand = take(&queue, 1).await.remove(0);
    for round in 2..5 {
        let _: () = redis::cmd("FLUSHALL")
            .query_async(&mut connect(&redis.url()).await)
            .await
            .unwrap();
        expect_loss(&queue).await;
        queue.enqueue(&[entry(round)]).await.unwrap();
        assert_eq!(finish_one(&queue).await, key(round));
    }
    // Its data is gone; ending it must do no harm.
    in_hand.finish(Disposition::Done);
    queue.enqueue(&[entry(9)]).await.unwrap();
    assert_eq!(finish_one(&queue).await, key(9));
}

#[tokio::test]
async fn a_second_process_with_the_same_redis_sees_no_loss_but_notices_one() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let first = start(&redis.url()).await;
    expect_loss(&first).await;
    let second = start(&redis.url()).await;
    loses_nothing_within(&second, Duration::from_secs(2)).await;
    let _: () = redis::cmd("FLUSHALL")
        .query_async(&mut connect(&redis.url()).await)
        .await
        .unwrap();
    expect_loss(&first).await;
    expect_loss(&second).await;
}

#[tokio::test]
async fn a_killed_redis_that_kept_nothing_is_filled_again() {
    require_services!(Redis);
    let mut redis = Redis::start().await;
    let queue = start(&redis.url()).await;
    expect_loss(&queue).await;
    queue.enqueue(&[entry(1), entry(2)]).await.unwrap();
    redis.kill();
    eventually("adding fails", async || queue.enqueue(&[entry(3)]).await.is_err()).await;
    eventually("the outage is known", async || queue.ping().await.is_err()).await;
    let before = Instant::now();
    assert!(queue.enqueue(&[entry(3)]).await.is_err());
    println!("adding without Redis fails after {:?}", before.elapsed());

    redis.restart().await;
    let restarted = Instant::now();
    expect_loss(&queue).await;
    println!("a restart was noticed after {:?}", restarted.elapsed());
    let entries = [1, 2, 3].map(entry);
    // The connections may be those from before the end, and fail once more; who fills the queue tries again.
    eventually("they can be added", async || queue.enqueue(&entries).await.is_ok()).await;
    // One or two were in hand before the end of Redis and are there once more: the store tells them apart.
    let mut seen = BTreeSet::new();
    eventually("all of them", async || {
        seen.insert(finish_one(&queue).await);
        seen.len() == 3
    })
    .await;
    println!("all went through {:?} after the restart", restarted.elapsed());
}

#[tokio::test]
async fn a_restart_that_kept_everything_is_a_possible_loss_all_the_same() {
    require_services!(Redis);
    let mut redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    let queue = start(&redis.url()).await;
    expect_loss(&queue).await;
    let later = QueueEntry {
        slot_at: now() + Duration::from_secs(2),
        ..entry(1)
    };
    queue.enqueue(&[later]).await.unwrap();
    redis.restart().await;
    expect_loss(&queue).await;
    assert_eq!(finish_one(&queue).await, key(1));
}

#[tokio::test]
async fn a_redis_that_hangs_delays_nobody_and_goes_on_afterwards() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let queue = start(&redis.url()).await;
    expect_loss(&queue).await;
    redis.stop();
    let adding = tokio::time::timeout(Duration::from_secs(5), queue.enqueue(&[entry(1)])).await;
    assert!(
        adding
            .expect("gives up long before the ten seconds of the crate")
            .is_err()
    );
    eventually("the hang is known", async || queue.ping().await.is_err()).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    redis.cont();
    let continued = Instant::now();
    enqueue_patiently(&queue, &[entry(2)]).await;
    println!("messages are taken {:?} after Redis went on", continued.elapsed());
    // The first may have been added when Redis went on, although nobody waited for it any more.
    let mut seen = finish_one(&queue).await;
    if seen == key(1) {
        seen = finish_one(&queue).await;
    }
    assert_eq!(seen, key(2));
}

#[tokio::test]
async fn half_open_connections_are_replaced() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let proxy = Proxy::start(redis.port()).await;
    let queue = start(&proxy.url()).await;
    expect_loss(&queue).await;
    queue.enqueue(&[entry(1)]).await.unwrap();
    assert_eq!(finish_one(&queue).await, key(1));

    proxy.silence_present_connections(0);
    let silenced = Instant::now();
    // Left alone, the crate would go on asking on the silent connection, for ten seconds each time.
    let recovering = async {
        enqueue_patiently(&queue, &[entry(2)]).await;
        assert_eq!(finish_one(&queue).await, key(2));
    };
    tokio::time::timeout(Duration::from_secs(30), recovering)
        .await
        .expect("new connections are used");
    println!("half-open connections were replaced after {:?}", silenced.elapsed());
    expect_loss(&queue).await;
}

#[tokio::test]
async fn half_open_connections_are_replaced_when_nobody_adds_anything() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let proxy = Proxy::start(redis.port()).await;
    let queue = start(&proxy.url()).await;
    expect_loss(&queue).await;
    proxy.silence_present_connections(0);
    let silenced = Instant::now();
    tokio::time::timeout(Duration::from_secs(30), queue.lost())
        .await
        .expect("the outage is noticed");
    println!(
        "half-open idle connections were replaced after {:?}",
        silenced.elapsed()
    );
    queue.enqueue(&[entry(1)]).await.unwrap();
    assert_eq!(finish_one(&queue).await, key(1));
}

#[tokio::test]
async fn workers_that_went_deaf_are_replaced_although_redis_answers_otherwise() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let proxy = Proxy::start(redis.port()).await;
    let queue = start(&proxy.url()).await;
    expect_loss(&queue).await;
    let mut producing = config(&redis.url(), 1, 1);
    producing.role = Role::Produce;
    let producer = start_with(producing).await;

    // The first connection is the one that watches.
    proxy.silence_present_connections(1);
    let silenced = Instant::now();
    producer.enqueue(&[entry(1)]).await.unwrap();
    let taken = tokio::time::timeout(Duration::from_secs(40), finish_one(&queue)).await;
    assert_eq!(taken.expect("other connections are used"), key(1));
    println!("deaf workers were replaced after {:?}", silenced.elapsed());
    loses_nothing_within(&queue, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn additions_that_get_no_answer_replace_their_connection() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let proxy = Proxy::start(redis.port()).await;
    let mut producing = config(&proxy.url(), 1, 1);
    producing.role = Role::Produce;
    let producer = start_with(producing).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    proxy.silence_present_connections(1);
    let silenced = Instant::now();
    let entries = [entry(1)];
    let trying = enqueue_patiently(&producer, &entries);
    tokio::time::timeout(Duration::from_secs(40), trying)
        .await
        .expect("another connection is used");
    println!("a deaf producer was replaced after {:?}", silenced.elapsed());
}

#[tokio::test]
async fn a_demoted_primary_is_left_for_the_new_one() {
    require_services!(Redis);
    let (old, new) = (Redis::start().await, Redis::start().await);
    let proxy = Proxy::start(old.port()).await;
    let queue = start(&proxy.url()).await;
    expect_loss(&queue).await;

    // As a managed failover does it: the address leads to the new primary, the connections to the old one stay.
    proxy.lead_to(new.port());
    let _: () = redis::cmd("REPLICAOF")
        .arg("127.0.0.1")
        .arg(new.port())
        .query_async(&mut connect(&old.url()).await)
        .await
        .unwrap();
    let demoted = Instant::now();
    expect_loss(&queue).await;
    println!("the new primary was found after {:?}", demoted.elapsed());
    queue.enqueue(&[entry(1)]).await.unwrap();
    assert_eq!(finish_one(&queue).await, key(1));
    let there: bool = connect(&new.url()).await.exists("dakghar:epoch").await.unwrap();
    assert!(there);
}

#[tokio::test]
async fn a_replica_is_named_as_such_and_used_again_as_primary() {
    require_services!(Redis);
    let (redis, other) = (Redis::start().await, Redis::start().await);
    let queue = start(&redis.url()).await;
    expect_loss(&queue).await;
    let mut connection = connect(&redis.url()).await;
    let mut replicate = redis::cmd("REPLICAOF");
    let _: () = replicate
        .arg("127.0.0.1")
        .arg(other.port())
        .query_async(&mut connection)
        .await
        .unwrap();
    eventually("named as a replica", async || {
        queue
            .ping()
            .await
            .is_err_and(|error| error.to_string().contains("read-only replica"))
    })
    .await;
    assert!(queue.enqueue(&[entry(1)]).await.is_err());
    let mut promote = redis::cmd("REPLICAOF");
    let _: () = promote.arg("NO").arg("ONE").query_async(&mut connection).await.unwrap();
    expect_loss(&queue).await;
    queue.enqueue(&[entry(2)]).await.unwrap();
    assert_eq!(finish_all(&queue, 2).await, [1, 2].map(key));
}

#[tokio::test]
async fn a_redis_that_appears_late_is_used() {
    require_services!(Redis);
    let mut redis = Redis::start().await;
    redis.kill();
    let queue = start(&redis.url()).await;
    assert!(queue.enqueue(&[entry(1)]).await.is_err());
    redis.restart().await;
    expect_loss(&queue).await;
    queue.enqueue(&[entry(1)]).await.unwrap();
    assert_eq!(finish_one(&queue).await, key(1));
}

#[tokio::test]
async fn what_could_not_be_put_in_is_put_in_when_redis_is_back() {
    require_services!(Redis);
    let mut redis = Redis::start().await;
    let queue = start(&redis.url()).await;
    expect_loss(&queue).await;
    redis.kill();
    eventually("the outage is known", async || queue.ping().await.is_err()).await;
    let many: Vec<_> = (1..=3_000).map(entry).collect();
    assert!(queue.enqueue(&many).await.is_err());
    redis.restart().await;
    assert_eq!(finish_all(&queue, many.len()).await.len(), many.len());
}

#[tokio::test]
async fn a_full_redis_refuses_but_loses_nothing() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let queue = start(&redis.url()).await;
    expect_loss(&queue).await;
    let mut connection = connect(&redis.url()).await;
    let later = QueueEntry {
        slot_at: now() + Duration::from_secs(3),
        ..entry(1)
    };
    queue.enqueue(&[later]).await.unwrap();
    let mut limit = redis::cmd("CONFIG");
    let _: () = limit
        .arg("SET")
        .arg("maxmemory")
        .arg("1mb")
        .query_async(&mut connection)
        .await
        .unwrap();
    let error = queue.enqueue(&[entry(2)]).await.unwrap_err().to_string();
    assert!(error.contains("is full"), "{error}");
    eventually("known to be full", async || {
        queue
            .ping()
            .await
            .is_err_and(|error| error.to_string().contains("is full"))
    })
    .await;
    let mut limit = redis::cmd("CONFIG");
    let _: () = limit
        .arg("SET")
        .arg("maxmemory")
        .arg("0")
        .query_async(&mut connection)
        .await
        .unwrap();
    eventually("usable again", async || queue.ping().await.is_ok()).await;
    assert_eq!(finish_all(&queue, 2).await, [1, 2].map(key));
}

#[tokio::test]
async fn an_eviction_policy_that_deletes_jobs_is_warned_of() {
    require_services!(Redis);
    let redis = Redis::start_with(&["--maxmemory-policy", "allkeys-lru"]).await;
    let queue = start(&redis.url()).await;
    queue.ping().await.unwrap();
    assert!(queue.warning().unwrap().contains("allkeys-lru"));
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("maxmemory-policy").arg("noeviction");
    let _: () = set.query_async(&mut connect(&redis.url()).await).await.unwrap();
    eventually("no warning", async || queue.warning().is_none()).await;
}

#[tokio::test]
async fn a_dropped_queue_lets_go_of_its_connections() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let proxy = Proxy::start(redis.port()).await;
    let mut connection = connect(&redis.url()).await;
    let queue = start(&proxy.url()).await;
    assert!(proxy.accepted() > 0);
    drop(queue);
    eventually("only ours is left", async || {
        let clients: String = redis::cmd("CLIENT")
            .arg("LIST")
            .query_async(&mut connection)
            .await
            .unwrap();
        clients.lines().count() == 1
    })
    .await;
}
