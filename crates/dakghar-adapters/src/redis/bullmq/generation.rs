//! The queues and workers of the `bullmq` crate that were built together, on the same connections.
//!
//! They are never repaired, only replaced as a whole: their connections do not notice a peer that fell silent, nor a
//! primary that became a replica. Replaced ones take no further jobs; those they have in hand still end, harmlessly
//! even if nobody hears of it, because outcomes are in the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bullmq::redis_connection::RedisConnection;
use bullmq::types::{KeepJobs, RemoveOnFinish};
use bullmq::{BulkJob, Queue, QueueOptions, Worker, WorkerOptions};
use dakghar_core::domain::Timestamp;
use dakghar_core::ports::QueueEntry;
use futures_util::future::{join_all, try_join_all};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::config::{BullmqConfig, Role, connection_options};
use super::handover::{Handover, LOCK, Pulse};
use super::job;
use crate::vital::vital;

/// Jobs added in one go. They are separate commands on one connection: more at once would only take memory.
const ADDED_AT_ONCE_MAX: usize = 500;

/// Additions that may fail in a row, while Redis answers otherwise, before the connection is given up.
const STUMBLES_MAX: u32 = 3;

/// Events BullMQ keeps for those who listen to the queue; ten times as many are its default, for about a megabyte.
pub(super) const EVENTS_KEPT: u32 = 1000;

/// Finished and failed jobs kept for BullMQ's tools to show. A retained id cannot be added again, which is why each
/// drive of a message has an id of its own.
const FINISHED_KEPT: usize = 1000;

/// The interval at which jobs are looked for whose worker went away. Every second look is skipped by the crate, see
/// [`LOCK`] for the rest of the delay; the store is quicker.
const STALLED_INTERVAL: Duration = Duration::from_secs(5);

/// BullMQ gives up jobs that stalled more often than this without asking us. Never, then: the store counts.
const STALLED_COUNT_MAX: u32 = 1_000_000;

/// The time that a worker rests after a failed fetch; 15 seconds by default.
const FETCH_RETRY_DELAY: Duration = Duration::from_millis(250);

/// The time that an idle worker waits for news from Redis at a time, and so the time that closing may take.
const DRAIN_DELAY: Duration = Duration::from_secs(1);

/// The finished jobs that are kept, and as many failed ones.
const fn kept() -> RemoveOnFinish {
    RemoveOnFinish::Options(KeepJobs {
        age: None,
        count: Some(FINISHED_KEPT),
        limit: None,
    })
}

pub(super) struct Generation {
    queues: Vec<Queue>,
    workers: Vec<Arc<Worker>>,
    pulses: Vec<Arc<Pulse>>,
    stumbles: AtomicU32,
    /// Whether others take out what is put in here.
    only_produces: bool,
    born: Instant,
    /// Ends the tasks that hold on to the workers, and with that the workers.
    _retirement: DropGuard,
}

impl Generation {
    pub(super) async fn build(config: &BullmqConfig, handover: &Arc<Handover>) -> Result<Self, bullmq::Error> {
        let names = job::queue_names(config.shards);
        let connection = RedisConnection::new_managed_only(&connection_options(&config.redis)).await?;
        let queues = try_join_all(names.iter().map(|name| open_queue(name, &connection, config))).await?;

        let concurrencies = config.worker_concurrencies();
        let mut pulses = Vec::new();
        let mut starting = Vec::new();
        for name in names.iter().filter(|_| !concurrencies.is_empty()) {
            let pulse = Arc::new(Pulse::new(concurrencies.iter().sum()));
            for concurrency in &concurrencies {
                starting.push(start_worker(
                    name.clone(),
                    config,
                    *concurrency,
                    handover.clone(),
                    pulse.clone(),
                ));
            }
            pulses.push(pulse);
        }
        let workers: Vec<Arc<Worker>> = try_join_all(starting).await?.into_iter().map(Arc::new).collect();
        let retirement = CancellationToken::new();
        for worker in &workers {
            #[expect(clippy::disallowed_methods, reason = "ends with the generation")]
            tokio::spawn(vital(
                "the reader of the queue's events",
                discard_events(worker.clone(), retirement.clone()),
            ));
        }
        Ok(Self {
            queues,
            workers,
            pulses,
            stumbles: AtomicU32::new(0),
            only_produces: config.role == Role::Produce,
            #[expect(clippy::disallowed_methods, reason = "measures its age")]
            born: Instant::now(),
            _retirement: retirement.drop_guard(),
        })
    }

    /// Adds jobs. After an error, or when given up halfway, some may be in. `now` is by the clock that gave the slots.
    pub(super) async fn add(&self, entries: &[QueueEntry], now: Timestamp) -> Result<(), bullmq::Error> {
        let shards = u16::try_from(self.queues.len()).expect("as many as were configured");
        let mut jobs: Vec<Vec<BulkJob>> = self.queues.iter().map(|_| Vec::new()).collect();
        let made_at = self.only_produces.then(|| seen_by_others(now));
        for entry in entries {
            jobs[job::shard_of(&entry.phone_number_id, shards)].push(job::bulk_job(entry, now, made_at));
        }
        try_join_all(
            self.queues
                .iter()
                .zip(jobs)
                .map(|(queue, jobs)| add_in_chunks(queue, jobs)),
        )
        .await?;
        self.stumbles.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Notes that adding failed or took too long.
    pub(super) fn stumble(&self) {
        self.stumbles.fetch_add(1, Ordering::Relaxed);
    }

    /// True if Redis seems fine and this generation does not: additions fail again and again, or a queue has work
    /// that is `due` and its workers with hands free did not start any for `quiet`.
    pub(super) fn is_stuck(&self, due: &[bool], quiet: Duration) -> bool {
        self.born.elapsed() > quiet
            && (self.stumbles.load(Ordering::Relaxed) >= STUMBLES_MAX
                || self
                    .pulses
                    .iter()
                    .zip(due)
                    .any(|(pulse, due)| *due && pulse.is_idle_for(quiet)))
    }

    /// Fetches no more jobs.
    pub(super) fn pause(&self) {
        for worker in &self.workers {
            worker.pause();
        }
    }

    /// Ends the workers, once their jobs have ended.
    pub(super) async fn close(&self) {
        // They may still have to report those jobs, and one that is idle hears of its end when its wait is over.
        let patience_ms = u64::try_from(DRAIN_DELAY.as_millis() * 2).expect("a few seconds");
        join_all(self.workers.iter().map(|worker| worker.close(patience_ms))).await;
    }
}

/// The present as those see it who take jobs out: each compares the end of a delay with its machine's clock, and most are
/// right. So a clock that is ahead of the store's must not make a job late. One that is behind may be theirs, too; a job
/// that comes too early is put off once.
///
/// Who also takes jobs out goes by its own clock in both.
fn seen_by_others(now: Timestamp) -> SystemTime {
    let ms = u64::try_from(now.as_millis()).unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "BullMQ's delays end by the clocks of machines")]
    let own = SystemTime::now();
    own.min(SystemTime::UNIX_EPOCH + Duration::from_millis(ms))
}

async fn open_queue(name: &str, connection: &RedisConnection, config: &BullmqConfig) -> Result<Queue, bullmq::Error> {
    let options = QueueOptions::new().connection(connection_options(&config.redis));
    Queue::with_connection(name, connection.clone(), options).await
}

async fn start_worker(
    queue_name: String,
    config: &BullmqConfig,
    concurrency: usize,
    handover: Arc<Handover>,
    pulse: Arc<Pulse>,
) -> Result<Worker, bullmq::Error> {
    let options = WorkerOptions::new()
        .connection(connection_options(&config.redis))
        .name(config.worker_name.as_str())
        .concurrency(concurrency)
        .lock_duration(LOCK)
        .skip_lock_renewal()
        .stalled_interval(STALLED_INTERVAL)
        .max_stalled_count(STALLED_COUNT_MAX)
        .run_retry_delay(FETCH_RETRY_DELAY)
        .drain_delay(DRAIN_DELAY)
        .remove_on_complete(kept())
        .remove_on_fail(kept());
    let processor = move |job: bullmq::Job, _cancelled| {
        let (handover, pulse) = (handover.clone(), pulse.clone());
        async move { handover.process(&pulse, job).await }
    };
    Worker::with_options(&queue_name, processor, options).await
}

/// The crate collects the events of a worker without limit until somebody reads them. They tell us nothing that the
/// store does not know.
async fn discard_events(worker: Arc<Worker>, retired: CancellationToken) {
    retired
        .run_until_cancelled_owned(async move { while worker.next_event().await.is_some() {} })
        .await;
}

async fn add_in_chunks(queue: &Queue, jobs: Vec<BulkJob>) -> Result<(), bullmq::Error> {
    let mut jobs = jobs.into_iter().peekable();
    while jobs.peek().is_some() {
        queue.add_bulk(jobs.by_ref().take(ADDED_AT_ONCE_MAX).collect()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::RedisConfig;
    use dakghar_core::domain::message::Priority;
    use dakghar_core::domain::{MessageId, MessageKey, PhoneNumberId, TenantId};
    use dakghar_core::ports::{Disposition, JobKey};
    use dakghar_testkit::require_services;
    use dakghar_testkit::servers::Redis;
    use uuid::Uuid;

    #[tokio::test]
    async fn events_of_workers_do_not_pile_up() {
        require_services!(Redis);
        let redis = Redis::shared().await;
        let config = BullmqConfig {
            redis: RedisConfig::from_url(&redis.url()).unwrap(),
            shards: 1,
            role: Role::ProduceAndConsume { in_flight_max: 1 },
            worker_name: "test".into(),
        };
        let handover = Arc::new(Handover::new(1));
        let generation = Generation::build(&config, &handover).await.unwrap();
        for number in 1..=20 {
            let entry = QueueEntry {
                key: JobKey::Send(MessageKey {
                    tenant_id: TenantId::from_uuid(Uuid::from_u128(7)),
                    message_id: MessageId::from_uuid(Uuid::from_u128(number)),
                }),
                phone_number_id: PhoneNumberId::parse("104000000000001").unwrap(),
                slot_at: Timestamp::from_millis(0),
                drive: 0,
                priority: Priority::Normal,
                is_awaited: false,
            };
            generation.add(&[entry], Timestamp::from_millis(0)).await.unwrap();
            for job in handover.take(1).await.unwrap() {
                job.finish(Disposition::Done);
            }
        }
        // Each of these jobs made at least two events. Were nobody reading them, all would be here at once; those of an
        // idle worker come one by one.
        let worker = &generation.workers[0];
        let mut left = 0;
        while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(50), worker.next_event()).await {
            left += 1;
            assert!(left < 20, "events pile up");
        }
    }
}
