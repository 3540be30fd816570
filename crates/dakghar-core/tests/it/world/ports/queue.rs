//! Both kinds of queue: the table of messages itself, and a server that can lose everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::message::Priority;
use dakghar_core::domain::{MessageKey, Status, Timestamp};
use dakghar_core::ports::{Clock as _, Disposition, DueWork, Job, JobKey, Queue, QueueEntry, QueueError};
use futures_util::future::select;
use parking_lot::Mutex;

use super::pacer::away;
use super::{Near, Shared};
use crate::world::executor::{Life, WORLD};
use crate::world::signal::Signal;
use crate::world::wire::{Call, Luck};

/// How far ahead of its slot a message is put into the server.
pub const WINDOW: Duration = Duration::from_secs(60);
/// How long a message rests in the table after its job was dropped without an end.
const REST_AFTER_DROP: Duration = Duration::from_millis(200);
/// How long a message rests in the table that cannot be read.
const REST_UNREADABLE: Duration = Duration::from_secs(60);
/// How long the server considers a job to be in somebody's hands.
const LOCK: Duration = Duration::from_secs(90);
/// How long a taker waits before it asks again after a failure.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// A job is known by these.
type JobId = (MessageKey, u32);

/// What is due, and when the next one will be.
type Found = (Vec<JobId>, Option<Timestamp>);

/// Gives a job out, and shows its end to the promises and then to `ended`.
fn hand_out(
    shared: &Shared,
    life: Life,
    (key, drive): JobId,
    ended: impl FnOnce(Option<Disposition>) + Send + 'static,
) -> Job {
    let (job, finished) = Job::new(JobKey::Send(key), drive);
    let instance = shared.promises.job_taken(life, key, drive, shared.look(key).as_ref());
    let shared = shared.clone();
    shared.wire.executor.clone().spawn(WORLD, async move {
        let end = finished.await.ok();
        shared
            .wire
            .trace
            .note(|| format!("{life:?} job {key:?}.{drive} ended: {end:?}"));
        let stored = shared.look(key);
        shared.promises.job_ended(instance, end.as_ref(), stored.as_ref());
        ended(end);
    });
    job
}

impl Near {
    /// Asks until something is due. `look` takes what is.
    async fn take_due(
        &self,
        look: impl Fn(&Shared) -> Found + Clone + Send + 'static,
        hand: impl Fn(&Shared, JobId) -> Job + Clone + Send + 'static,
    ) -> Result<Vec<Job>, QueueError> {
        loop {
            let seen = self.shared.queued.told();
            let (look, hand, shared) = (look.clone(), hand.clone(), self.shared.clone());
            let travelling = move |luck: &mut Luck| match luck.draw() {
                (false, _) => Err(away()),
                (true, is_told) => {
                    let (due, next) = look(&shared);
                    let jobs: Vec<Job> = due.into_iter().map(|id| hand(&shared, id)).collect();
                    // Jobs of which nobody was told are dropped here.
                    if is_told { Ok((jobs, next)) } else { Err(away()) }
                }
            };
            let (jobs, next) = self.shared.wire.call(self.life, Call::Take, travelling).await?;
            if !jobs.is_empty() {
                return Ok(jobs);
            }
            let executor = &self.shared.wire.executor;
            let now = self.clock.now();
            // Nobody tells of what becomes due by the time alone, nor of what was told while nobody listened.
            let rest = next.map_or(LOOK_EVERY, |at| at.since(now).min(LOOK_EVERY));
            let changed = Box::pin(self.shared.queued.more_than(seen));
            select(changed, executor.sleep(rest.max(Duration::from_millis(1)))).await;
        }
    }
}

/// The queue of the embedded backend. One for each life of the process: what is out with a worker is in its memory.
pub struct TableQueue {
    near: Near,
    out: Arc<Mutex<BTreeSet<MessageKey>>>,
}

impl TableQueue {
    pub fn new(near: Near) -> Self {
        Self {
            near,
            out: Arc::default(),
        }
    }
}

/// Queued messages that are not out, those due first.
fn look_at_table(shared: &Shared, now: Timestamp, out: &BTreeSet<MessageKey>, max: usize) -> Found {
    let mut due: Vec<(Priority, Timestamp, JobId)> = Vec::new();
    let mut next = None;
    for seen in shared.promises.in_status(&shared.store, Status::Queued) {
        if out.contains(&seen.key()) {
            continue;
        }
        let slot_at = seen.slot_at().unwrap_or(now);
        if slot_at <= now {
            due.push((seen.priority(), slot_at, (seen.key(), seen.drive())));
        } else {
            next = Some(next.map_or(slot_at, |next: Timestamp| next.min(slot_at)));
        }
    }
    due.sort_unstable();
    due.truncate(max);
    (due.into_iter().map(|(.., id)| id).collect(), next)
}

#[async_trait]
impl Queue for TableQueue {
    fn window(&self) -> Option<Duration> {
        None
    }

    async fn enqueue(&self, _entries: &[QueueEntry]) -> Result<(), QueueError> {
        self.near.shared.queued.tell();
        Ok(())
    }

    async fn take(&self, max: usize) -> Result<Vec<Job>, QueueError> {
        let (out, life) = (self.out.clone(), self.near.life);
        let clock = self.near.clock.clone();
        let look = move |shared: &Shared| look_at_table(shared, clock.now(), &out.lock(), max);
        let out = self.out.clone();
        let hand = move |shared: &Shared, id: JobId| {
            out.lock().insert(id.0);
            let (out, queued, executor) = (out.clone(), shared.queued.clone(), shared.wire.executor.clone());
            hand_out(shared, life, id, move |end| {
                let rest = match end {
                    Some(Disposition::Unreadable) => REST_UNREADABLE,
                    None => REST_AFTER_DROP,
                    Some(_) => Duration::ZERO,
                };
                executor.clone().spawn(WORLD, async move {
                    executor.sleep(rest).await;
                    out.lock().remove(&id.0);
                    queued.tell();
                });
            })
        };
        self.near.take_due(look, hand).await
    }

    async fn due_work(&self) -> Result<Vec<DueWork>, QueueError> {
        Ok(Vec::new())
    }

    async fn ping(&self) -> Result<(), QueueError> {
        Ok(())
    }

    async fn lost(&self) {
        std::future::pending::<()>().await;
    }

    async fn close(&self) {}
}

/// The server of the distributed backend.
#[derive(Default)]
pub struct RedisQueue {
    state: Mutex<Jobs>,
    lost: Signal,
}

#[derive(Default)]
struct Jobs {
    waiting: BTreeMap<JobId, (Priority, Timestamp)>,
    /// In somebody's hands.
    active: BTreeSet<JobId>,
    /// Ended, but their names are still taken.
    ended: BTreeSet<JobId>,
}

impl RedisQueue {
    /// Loses everything, and tells so. Those who have jobs in hand go on with them.
    pub fn lose_everything(&self) {
        *self.state.lock() = Jobs::default();
        self.lost.tell();
    }

    /// The messages that wait, with the drive under which they do.
    pub fn waiting(&self) -> Vec<JobId> {
        self.state.lock().waiting.keys().copied().collect()
    }

    fn add(&self, entry: &QueueEntry) {
        let JobKey::Send(key) = entry.key;
        let id = (key, entry.drive);
        let mut jobs = self.state.lock();
        // A name that is taken stays as it is.
        if !jobs.active.contains(&id) && !jobs.ended.contains(&id) {
            jobs.waiting.entry(id).or_insert((entry.priority, entry.slot_at));
        }
    }

    fn take_due(&self, now: Timestamp, max: usize) -> Found {
        let mut jobs = self.state.lock();
        let mut due: Vec<_> = jobs
            .waiting
            .iter()
            .filter(|(_, (_, slot_at))| *slot_at <= now)
            .collect();
        due.sort_unstable_by_key(|(id, place)| (**place, **id));
        let due: Vec<JobId> = due.into_iter().map(|(id, _)| *id).take(max).collect();
        for id in &due {
            jobs.waiting.remove(id);
            jobs.active.insert(*id);
        }
        let next = jobs.waiting.values().map(|(_, slot_at)| *slot_at).min();
        (due, next)
    }
}

/// A process's way to the server.
pub struct RedisClient {
    near: Near,
    losses_seen: Mutex<u64>,
}

impl RedisClient {
    pub fn new(near: Near) -> Self {
        let losses_seen = Mutex::new(near.shared.redis.lost.told());
        Self { near, losses_seen }
    }
}

#[async_trait]
impl Queue for RedisClient {
    fn window(&self) -> Option<Duration> {
        Some(WINDOW)
    }

    async fn enqueue(&self, entries: &[QueueEntry]) -> Result<(), QueueError> {
        let (entries, shared) = (entries.to_vec(), self.near.shared.clone());
        let travelling = move |luck: &mut Luck| {
            let mut all = Ok(());
            for entry in &entries {
                let (happens, is_told) = luck.draw();
                if happens {
                    shared.redis.add(entry);
                }
                if !is_told {
                    all = Err(away());
                }
            }
            shared.queued.tell();
            all
        };
        self.near
            .shared
            .wire
            .call(self.near.life, Call::Enqueue, travelling)
            .await
    }

    async fn take(&self, max: usize) -> Result<Vec<Job>, QueueError> {
        let life = self.near.life;
        let clock = self.near.clock.clone();
        let look = move |shared: &Shared| shared.redis.take_due(clock.now(), max);
        let hand = move |shared: &Shared, id: JobId| {
            let world = shared.clone();
            hand_out(shared, life, id, move |end| {
                let is_dropped_by_crash = end.is_none() && !world.wire.executor.is_alive(life);
                world.wire.executor.clone().spawn(WORLD, async move {
                    if is_dropped_by_crash {
                        world.wire.executor.sleep(LOCK).await;
                    }
                    let mut jobs = world.redis.state.lock();
                    // Not there: the server has lost it meanwhile.
                    if jobs.active.remove(&id) {
                        if is_dropped_by_crash {
                            jobs.waiting.insert(id, (Priority::Normal, world.wire.executor.now()));
                        } else {
                            jobs.ended.insert(id);
                        }
                        world.queued.tell();
                    }
                });
            })
        };
        self.near.take_due(look, hand).await
    }

    async fn due_work(&self) -> Result<Vec<DueWork>, QueueError> {
        Ok(Vec::new())
    }

    async fn ping(&self) -> Result<(), QueueError> {
        Ok(())
    }

    async fn lost(&self) {
        let seen = *self.losses_seen.lock();
        self.near.shared.redis.lost.more_than(seen).await;
        *self.losses_seen.lock() = self.near.shared.redis.lost.told();
    }

    async fn close(&self) {}
}
