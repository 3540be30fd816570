//! How many messages a second. Not run by default: the numbers mean something in an optimised build on a quiet
//! machine only.

use std::fmt;
use std::time::{Duration, Instant};

use dakghar_adapters::bullmq::{RedisConfig, RedisPacer, Role};
use dakghar_core::domain::message::Priority;
use dakghar_core::ports::{Disposition, Pacer, QueueEntry, SendQueue, SlotAsk};
use dakghar_testkit::require_services;
use dakghar_testkit::servers::Redis;

use super::{config, connect, entry, now, phone, start_with};

const MESSAGES: u64 = 30_000;

fn per_second(count: u64, since: Instant) -> u64 {
    u64::try_from(u128::from(count) * 1_000_000 / since.elapsed().as_micros().max(1)).unwrap()
}

/// Messages a second, and what each costs Redis.
struct Rate {
    per_second: u64,
    redis_cpu_us: f64,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s at {:.0} µs", self.per_second, self.redis_cpu_us)
    }
}

async fn redis_cpu_seconds(redis: &Redis) -> f64 {
    let mut connection = connect(&redis.url()).await;
    let info: redis::InfoDict = redis::cmd("INFO")
        .arg("cpu")
        .query_async(&mut connection)
        .await
        .unwrap();
    info.get::<f64>("used_cpu_user").unwrap() + info.get::<f64>("used_cpu_sys").unwrap()
}

async fn rate(redis: &Redis, work: impl Future<Output = ()>) -> Rate {
    let (cpu, started) = (redis_cpu_seconds(redis).await, Instant::now());
    work.await;
    let per_second = per_second(MESSAGES, started);
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let redis_cpu_us = (redis_cpu_seconds(redis).await - cpu) * 1e6 / MESSAGES as f64;
    Rate {
        per_second,
        redis_cpu_us,
    }
}

async fn fill(queue: &impl SendQueue, from: u64, delay: Duration, priority: Priority) {
    let entries: Vec<_> = (from..from + MESSAGES)
        .map(|number| QueueEntry {
            slot_at: now() + delay,
            priority,
            phone_number_id: phone(number % 100),
            ..entry(u128::from(number))
        })
        .collect();
    for batch in entries.chunks(1000) {
        queue.enqueue(batch).await.unwrap();
    }
}

async fn drain(queue: &impl SendQueue) {
    let mut count = 0;
    while count < MESSAGES {
        for job in queue.take(256).await.unwrap() {
            job.finish(Disposition::Done);
            count += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn adding_and_taking() {
    require_services!(Redis);
    for in_flight_max in [64, 256, 1024] {
        for shards in [1, 4] {
            for priority in Priority::ALL {
                let redis = Redis::start().await;
                let mut producing = config(&redis.url(), shards, 1);
                producing.role = Role::Produce;
                let producer = start_with(producing).await;
                let due = rate(&redis, fill(&producer, 1, Duration::ZERO, priority)).await;
                let delay = Duration::from_secs(20);
                let delayed = rate(&redis, fill(&producer, MESSAGES + 1, delay, priority)).await;
                let consumer = start_with(config(&redis.url(), shards, in_flight_max)).await;
                let taken = rate(&redis, drain(&consumer)).await;
                tokio::time::sleep(delay).await;
                let promoted = rate(&redis, drain(&consumer)).await;
                println!(
                    "{in_flight_max} in flight, {shards} shards, {priority:?}: due {due} in, {taken} out; \
                     delayed {delayed} in, {promoted} out"
                );
                consumer.close().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn pacing() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let pacer = RedisPacer::start(RedisConfig::from_url(&redis.url()).unwrap()).await;
    for numbers in [1, 16, 256] {
        let asks: Vec<_> = (0..256)
            .map(|i| SlotAsk {
                phone_number_id: phone(i % numbers),
                per_second: 52.0,
                priority: Priority::Normal,
                not_before: now(),
            })
            .collect();
        let started = Instant::now();
        for _ in 0..100 {
            pacer.reserve(&asks).await.unwrap();
        }
        println!("256 asks of {numbers} numbers: {} asks/s", per_second(25_600, started));
    }
}
