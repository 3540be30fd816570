//! Watches Redis and keeps a working [`Generation`] of queues and workers, whatever happens to it.
//!
//! One look a second. A failed look makes additions fail at once, without waiting; after [`FAILURES_MAX`] in a row,
//! or when the server turns out to be a replica, the generation is dropped, and built anew when Redis answers. What
//! may have been lost meanwhile is reported, for the caller to fill the queue from the store. What this process could
//! not put in is put in then: no other process knows of it, and the one that fills the queue may have done so before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::ports::{Clock, DueWork, JobKey, QueueEntry, QueueError};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::config::BullmqConfig;
use super::generation::Generation;
use super::handover::Handover;
use super::probe::{Probe, Reading, Server, Trouble};
use super::witness::Witness;

/// Looks that fail in a row before the connections are given up.
const FAILURES_MAX: u32 = 3;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Between two looks when Redis is in trouble.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// The time that building a generation may take; the crate itself would try for half a minute.
const BUILD_TIMEOUT: Duration = Duration::from_secs(3);

/// The time that workers may start nothing, while work is due, before they are taken to be stuck.
const STUCK_AFTER: Duration = Duration::from_secs(5);

/// Looks in a row that must find work due in a queue: one alone may have come just before it was fetched.
const OVERDUE_LOOKS: u32 = 4;

/// Messages that could not be put in and are kept for when they can. The store's timers bring back what is more.
const PUT_OFF_MAX: usize = 20_000;

/// The number of those that are put in after one look, and the time that may take.
const CATCH_UP_MAX: usize = 2_000;
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(3);

/// The state that the supervisor shares with those who use the queue.
pub(super) struct Shared {
    generation: RwLock<Option<Arc<Generation>>>,
    /// Why the queue cannot be used.
    trouble: RwLock<Option<String>>,
    /// A fault that an operator should mend although the queue can be used.
    warning: RwLock<Option<String>>,
    /// The work that the last look found due.
    work: RwLock<Vec<DueWork>>,
    /// Holds the news of a loss until somebody asks for it.
    lost: Notify,
    suspected: Notify,
    /// The work that could not be put in yet, each under its latest drive: an outage drives it on every minute.
    put_off: Mutex<BTreeMap<JobKey, QueueEntry>>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            generation: RwLock::new(None),
            trouble: RwLock::new(Some("no connection to Redis yet".to_owned())),
            warning: RwLock::new(None),
            work: RwLock::default(),
            lost: Notify::new(),
            suspected: Notify::new(),
            put_off: Mutex::default(),
        }
    }

    /// The generation to use now, or what is wrong.
    pub(super) fn usable(&self) -> Result<Arc<Generation>, QueueError> {
        if let Some(trouble) = &*self.trouble.read() {
            return Err(QueueError(trouble.clone()));
        }
        self.generation()
            .ok_or_else(|| QueueError("being connected to Redis anew".to_owned()))
    }

    /// The present generation, whether it can be used or not.
    pub(super) fn generation(&self) -> Option<Arc<Generation>> {
        self.generation.read().clone()
    }

    pub(super) fn warning(&self) -> Option<String> {
        self.warning.read().clone()
    }

    /// The work that the last look found due, while the queue can be used.
    pub(super) fn work(&self) -> Result<Vec<DueWork>, QueueError> {
        self.usable()?;
        Ok(self.work.read().clone())
    }

    /// Keeps what could not be put in.
    pub(super) fn put_off(&self, entries: &[QueueEntry]) {
        let mut put_off = self.put_off.lock();
        for entry in entries {
            let is_latest = match put_off.get(&entry.key) {
                Some(known) => known.drive < entry.drive,
                None => put_off.len() < PUT_OFF_MAX,
            };
            if is_latest {
                put_off.insert(entry.key, entry.clone());
            }
        }
    }

    /// The first of what could not be put in.
    fn take_put_off(&self) -> Vec<QueueEntry> {
        let mut put_off = self.put_off.lock();
        let entries = std::iter::from_fn(|| put_off.pop_first());
        entries.take(CATCH_UP_MAX).map(|(_, entry)| entry).collect()
    }

    /// Asks for a look now: something failed.
    pub(super) fn suspect(&self) {
        self.suspected.notify_one();
    }

    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }

    /// Takes the generation away: it ends with the last user.
    pub(super) fn take_generation(&self) -> Option<Arc<Generation>> {
        self.generation.write().take()
    }
}

pub(super) struct Supervisor {
    config: BullmqConfig,
    handover: Arc<Handover>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    probe: Probe,
    witness: Witness,
    failures: u32,
    /// For each queue, how many looks in a row found work due.
    due_looks: Vec<u32>,
    /// A loss not yet reported: the queue has to work first, in order to be filled.
    owed: Option<&'static str>,
}

impl Supervisor {
    pub(super) fn new(
        config: BullmqConfig,
        handover: Arc<Handover>,
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            probe: Probe::new(config.redis.clone(), config.shards),
            due_looks: vec![0; usize::from(config.shards)],
            config,
            handover,
            shared,
            clock,
            witness: Witness::default(),
            failures: 0,
            owed: None,
        }
    }

    /// Runs until `stopped`; sends into `looked` after each look.
    pub(super) async fn run(mut self, looked: watch::Sender<()>, stopped: CancellationToken) {
        let shared = self.shared.clone();
        let watching = async {
            loop {
                let rest = match self.probe.look(self.clock.now()).await {
                    Ok(reading) => self.answered(&reading).await,
                    Err(trouble) => self.failed(trouble),
                };
                looked.send_replace(());
                tokio::select! {
                    () = tokio::time::sleep(rest) => {}
                    () = shared.suspected.notified() => {}
                }
            }
        };
        let _: Option<()> = stopped.run_until_cancelled(watching).await;
    }

    async fn answered(&mut self, reading: &Reading) -> Duration {
        if reading.server.as_ref().is_some_and(|server| server.is_replica) {
            // No use in waiting: only another connection can lead to the primary.
            self.failures = FAILURES_MAX;
            return self.give_up(format!(
                "Redis at {} is a read-only replica; the address must lead to the primary",
                self.config.redis
            ));
        }
        self.owed = self.witness.compare(reading).or(self.owed);
        if self.failures >= FAILURES_MAX {
            self.owed = self.owed.or(Some("it could not be reached for a while"));
        }

        for (looks, is_due) in self.due_looks.iter_mut().zip(&reading.due) {
            *looks = if *is_due { *looks + 1 } else { 0 };
        }
        let overdue: Vec<bool> = self.due_looks.iter().map(|looks| *looks >= OVERDUE_LOOKS).collect();
        let generation = self.shared.generation();
        if generation.is_some_and(|generation| generation.is_stuck(&overdue, STUCK_AFTER)) {
            warn!(redis = %self.config.redis, "connections to Redis are stuck and are replaced");
            self.shared.take_generation();
        }
        if self.shared.generation().is_none()
            && let Err(trouble) = self.build().await
        {
            return self.failed(Trouble {
                words: trouble,
                is_broken: false,
            });
        }
        if self.failures > 0 {
            info!(redis = %self.config.redis, "Redis answers again");
            self.failures = 0;
        }
        self.note(reading.server.as_ref());
        self.shared.work.write().clone_from(&reading.work);
        if let Some(loss) = self.owed.take() {
            warn!(redis = %self.config.redis, reason = loss, "Redis may have lost jobs; filling it from the store");
            self.shared.lost.notify_one();
        }
        self.catch_up().await
    }

    /// Puts in what could not be put in before. Returns the time to rest until the next look.
    async fn catch_up(&self) -> Duration {
        let Ok(generation) = self.shared.usable() else {
            return INTERVAL;
        };
        let entries = self.shared.take_put_off();
        if entries.is_empty() {
            return INTERVAL;
        }
        let adding = generation.add(&entries, self.clock.now());
        if !matches!(tokio::time::timeout(CATCH_UP_TIMEOUT, adding).await, Ok(Ok(()))) {
            // Some may be in. Putting those in again is harmless: a job that is there keeps its name, and one that is
            // gone comes back as a second job of a message that only one of them can claim.
            self.shared.put_off(&entries);
            return INTERVAL;
        }
        info!(redis = %self.config.redis, messages = entries.len(), "what could not be put into the queue is in it now");
        RETRY_INTERVAL
    }

    fn failed(&mut self, trouble: Trouble) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_MAX {
            return self.give_up(trouble.words);
        }
        if trouble.is_broken {
            self.probe.disconnect();
        }
        *self.shared.trouble.write() = Some(trouble.words);
        RETRY_INTERVAL
    }

    fn give_up(&mut self, trouble: String) -> Duration {
        self.probe.disconnect();
        if self.shared.take_generation().is_some() {
            warn!(trouble, "Redis is not available; messages are accepted and sent later");
        }
        *self.shared.trouble.write() = Some(trouble);
        RETRY_INTERVAL
    }

    async fn build(&self) -> Result<(), String> {
        let building = Generation::build(&self.config, &self.handover);
        match tokio::time::timeout(BUILD_TIMEOUT, building).await {
            Ok(Ok(generation)) => {
                *self.shared.generation.write() = Some(Arc::new(generation));
                Ok(())
            }
            Ok(Err(bullmq::Error::Redis(error))) => Err(super::super::connection::in_words(&self.config.redis, &error)),
            Ok(Err(_)) => Err(format!("the queue at {} cannot be opened", self.config.redis)),
            Err(_) => Err(format!(
                "Redis at {} is too slow in opening connections",
                self.config.redis
            )),
        }
    }

    /// Notes what the server says about its memory.
    fn note(&self, server: Option<&Server>) {
        let redis = &self.config.redis;
        let is_full = server.is_some_and(|server| server.is_full);
        *self.shared.trouble.write() = is_full.then(|| format!("Redis at {redis} is full: its maxmemory is reached"));
        let warning = server
            .map(|server| server.eviction_policy.as_str())
            .filter(|policy| !matches!(*policy, "noeviction" | ""))
            .map(|policy| {
                format!(
                    "Redis at {redis} deletes jobs when its memory is full (maxmemory-policy {policy}): \
                     set it to noeviction"
                )
            });
        let mut noted = self.shared.warning.write();
        if *noted != warning {
            if let Some(warning) = &warning {
                warn!("{warning}");
            }
            *noted = warning;
        }
    }
}
