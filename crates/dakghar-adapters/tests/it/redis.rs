//! The queue on BullMQ and the pacer, against real Redis servers.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail loudly, and tells how long something took"
)]

mod cluster;
mod conformance;
mod jobs;
mod news;
mod outages;
mod pacer;
mod proxy;
mod shards;
mod tls;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dakghar_adapters::redis::{BullmqConfig, BullmqQueue, RedisConfig, RedisPacer, Role};
use dakghar_core::domain::message::Priority;
use dakghar_core::domain::{MessageId, MessageKey, PhoneNumberId, Present, TenantId, Timestamp};
use dakghar_core::ports::{CallAsk, Clock, Disposition, Job, JobKey, Queue, QueueEntry, TenantQuota};
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use uuid::Uuid;

/// For whatever must happen, but takes as long as it takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// The clock of this machine.
struct SystemClock;

impl Clock for SystemClock {
    fn present(&self) -> Present {
        let ms = i64::try_from(self.uptime().as_millis()).expect("a date of this age");
        Timestamp::from_millis(ms).into()
    }

    fn uptime(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970")
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// For tests in which Redis answers: what a busy machine needs now and then is not what they are about.
fn patient(url: &str) -> RedisConfig {
    RedisConfig::from_url(url)
        .unwrap()
        .with_patience(Duration::from_secs(10))
}

fn config(url: &str, shards: u16, in_flight_max: usize) -> BullmqConfig {
    BullmqConfig {
        redis: patient(url),
        shards,
        role: Role::ProduceAndConsume { in_flight_max },
        worker_name: "test".into(),
    }
}

async fn start(url: &str) -> BullmqQueue {
    start_with(config(url, 1, 8)).await
}

async fn start_with(config: BullmqConfig) -> BullmqQueue {
    BullmqQueue::start(config, Arc::new(SystemClock)).await.unwrap()
}

/// For looking past the queue. Waits for an answer as long as it takes: half a second, as by default, is not much on a
/// machine that runs other tests.
/// Waits until this Redis has counted calls for long enough to let some begin.
async fn until_calls_are_counted(pacer: &RedisPacer) {
    let tenant_id = dakghar_testkit::samples::tenant().id;
    let ask = |wanted| CallAsk {
        tenant_id,
        max: 1,
        under_way: 0,
        wanted,
    };
    while pacer.take_calls(&"first".into(), &[ask(1)]).await.expect("an answer") == [0] {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn connect(url: &str) -> MultiplexedConnection {
    let patient = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    redis::Client::open(url)
        .unwrap()
        .get_multiplexed_async_connection_with_config(&patient)
        .await
        .unwrap()
}

fn key(number: u128) -> JobKey {
    JobKey::Send(MessageKey {
        tenant_id: TenantId::from_uuid(Uuid::from_u128(7)),
        message_id: MessageId::from_uuid(Uuid::from_u128(number)),
    })
}

fn phone(number: u64) -> PhoneNumberId {
    PhoneNumberId::parse(&format!("{}", 104_000_000_000_000 + number)).unwrap()
}

/// A message that is due.
fn entry(number: u128) -> QueueEntry {
    QueueEntry {
        key: key(number),
        phone_number_id: phone(1),
        slot_at: now(),
        drive: 0,
        priority: Priority::Normal,
        is_awaited: false,
    }
}

/// Takes until there are `count` jobs, and nothing more.
async fn take(queue: &BullmqQueue, count: usize) -> Vec<Job> {
    let taking = async {
        let mut jobs = Vec::new();
        while jobs.len() < count {
            jobs.extend(queue.take(count - jobs.len()).await.unwrap());
        }
        jobs
    };
    tokio::time::timeout(PATIENCE, taking).await.expect("jobs arrive")
}

/// Takes one job and ends it as done.
async fn finish_one(queue: &BullmqQueue) -> JobKey {
    let job = take(queue, 1).await.remove(0);
    let key = job.key;
    job.finish(Disposition::Done);
    key
}

/// Puts messages in as soon as the queue takes them.
async fn enqueue_patiently(queue: &BullmqQueue, entries: &[QueueEntry]) {
    let trying = async {
        while queue.enqueue(entries).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, trying)
        .await
        .expect("the queue takes messages");
}

/// Waits until `condition` holds.
async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

/// Waits until the queue reports a loss.
async fn expect_loss(queue: &BullmqQueue) {
    tokio::time::timeout(PATIENCE, queue.lost())
        .await
        .expect("the loss is noticed");
}
