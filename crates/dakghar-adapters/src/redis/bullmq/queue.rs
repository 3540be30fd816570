//! The queue of the distributed backend.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::ports::{Clock, DueWork, Job, Queue, QueueEntry, QueueError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::super::config::InvalidRedisConfig;
use super::super::connection::in_words;
use super::config::{BullmqConfig, Role};
use super::handover::Handover;
use super::supervisor::{Shared, Supervisor};
use crate::vital::vital;

/// The time before its slot from which a message may be in Redis. All that is in Redis may have to be put there again,
/// so it should not be much; a minute is longer than any hiccup of the release.
const WINDOW: Duration = Duration::from_mins(1);

/// The time that putting messages in may take for each of them, beside what any answer may take: far more than it
/// takes, so that a busy Redis is not mistaken for a dead one.
const ENQUEUE_BUDGET_PER_ENTRY: Duration = Duration::from_millis(2);

/// The time that the first look at Redis is waited for at the start.
const START_PATIENCE: Duration = Duration::from_secs(2);

/// The time that jobs in hand may take to end when closing; the longest call to Meta fits in.
const CLOSE_PATIENCE: Duration = Duration::from_secs(40);

/// A [`Queue`] on BullMQ.
///
/// Usable from its creation on, whether Redis is there or not: without it messages cannot be put in, which fails at
/// once and is made up for later, and [`Queue::take`] waits.
pub struct BullmqQueue {
    config: BullmqConfig,
    clock: Arc<dyn Clock>,
    handover: Arc<Handover>,
    shared: Arc<Shared>,
    stopped: CancellationToken,
}

impl BullmqQueue {
    /// Starts to use the queue. Waits a moment for Redis, so that it can be used at once when all is well.
    ///
    /// `clock` must be the one that slots are given by.
    pub async fn start(config: BullmqConfig, clock: Arc<dyn Clock>) -> Result<Self, InvalidRedisConfig> {
        config.check()?;
        let in_flight_max = match config.role {
            Role::Produce => 0,
            Role::ProduceAndConsume { in_flight_max } => in_flight_max,
        };
        let handover = Arc::new(Handover::new(in_flight_max));
        let shared = Arc::new(Shared::new());
        let stopped = CancellationToken::new();
        let (looked, mut look) = watch::channel(());
        let supervisor = Supervisor::new(config.clone(), handover.clone(), shared.clone(), clock.clone());
        #[expect(clippy::disallowed_methods, reason = "ends when the queue is closed or dropped")]
        tokio::spawn(vital(
            "the supervisor of the queue",
            supervisor.run(looked, stopped.clone()),
        ));
        // Too late is not an error: the supervisor goes on trying.
        let _ = tokio::time::timeout(START_PATIENCE, look.changed()).await;
        Ok(Self {
            config,
            clock,
            handover,
            shared,
            stopped,
        })
    }

    /// The setting that an operator should change although the queue works, in plain words.
    pub fn warning(&self) -> Option<String> {
        self.shared.warning()
    }

    fn in_words(&self, error: &bullmq::Error) -> String {
        match error {
            bullmq::Error::Redis(error) => in_words(&self.config.redis, error),
            other => format!("BullMQ at {}: {other}", self.config.redis),
        }
    }
}

#[async_trait]
impl Queue for BullmqQueue {
    fn window(&self) -> Option<Duration> {
        Some(WINDOW)
    }

    async fn enqueue(&self, entries: &[QueueEntry]) -> Result<(), QueueError> {
        if entries.is_empty() {
            return Ok(());
        }
        let generation = self.shared.usable().inspect_err(|_| self.shared.put_off(entries))?;
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let budget = self.config.redis.patience() + ENQUEUE_BUDGET_PER_ENTRY.saturating_mul(count);
        let problem = match tokio::time::timeout(budget, generation.add(entries, self.clock.now())).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => self.in_words(&error),
            Err(_) => format!(
                "Redis at {} did not take {count} messages in {budget:?}",
                self.config.redis
            ),
        };
        debug!(problem, count, "messages were not put into the queue, or not all");
        self.shared.put_off(entries);
        generation.stumble();
        self.shared.suspect();
        Err(QueueError(problem))
    }

    async fn take(&self, max: usize) -> Result<Vec<Job>, QueueError> {
        if self.config.role == Role::Produce {
            return Err(QueueError("this process only puts messages into the queue".to_owned()));
        }
        let taken = self.handover.take(max).await;
        taken.ok_or_else(|| QueueError("the queue is closed".to_owned()))
    }

    async fn due_work(&self) -> Result<Vec<DueWork>, QueueError> {
        self.shared.work()
    }

    async fn ping(&self) -> Result<(), QueueError> {
        self.shared.usable().map(drop)
    }

    async fn lost(&self) {
        self.shared.lost().await;
    }

    async fn close(&self) {
        self.stopped.cancel();
        // It stays where it is: requests and calls that are still under way put messages in.
        let generation = self.shared.generation();
        if let Some(generation) = &generation {
            generation.pause();
        }
        if !self.handover.close(CLOSE_PATIENCE).await {
            warn!("jobs were still in hand when the queue was closed; their messages' leases will run out");
        }
        if let Some(generation) = generation {
            generation.close().await;
        }
    }
}

impl Drop for BullmqQueue {
    fn drop(&mut self) {
        self.stopped.cancel();
    }
}
