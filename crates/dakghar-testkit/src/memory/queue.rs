//! A queue in memory.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::Timestamp;
use dakghar_core::domain::message::Priority;
use dakghar_core::ports::{Clock, DueWork, Job, JobKey, Queue, QueueEntry, QueueError};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Milliseconds between two looks of a taker at the clock, which a test may move.
const LOOK_MS: u64 = 5;
/// The time before its slot at which a message is put into this queue.
const WINDOW: Duration = Duration::from_mins(1);

/// A [`Queue`] in memory: entries are due when `clock` says so. A dropped job is gone, as after a crash.
pub struct MemoryQueue {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Notify,
}

/// An entry is known by these.
type EntryId = (JobKey, u32);

#[derive(Default)]
struct State {
    waiting: BTreeMap<EntryId, QueueEntry>,
    /// In the order of their slots.
    schedule: BTreeSet<(Timestamp, EntryId)>,
    /// Due, in the order in which they go.
    due: BTreeSet<(Priority, Timestamp, EntryId)>,
    is_closed: bool,
}

impl MemoryQueue {
    /// An empty queue.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Takes what is due now, without waiting.
    pub fn take_due(&self, max: usize) -> Vec<Job> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        if state.is_closed {
            return Vec::new();
        }
        while let Some((slot_at, id)) = state.schedule.first().copied().filter(|(slot_at, _)| *slot_at <= now) {
            state.schedule.pop_first();
            let priority = state.waiting[&id].priority;
            state.due.insert((priority, slot_at, id));
        }
        let mut jobs = Vec::new();
        while jobs.len() < max
            && let Some((_, _, id)) = state.due.pop_first()
        {
            state.waiting.remove(&id);
            let (key, drive) = id;
            let (job, _finished) = Job::new(key, drive);
            jobs.push(job);
        }
        jobs
    }

    /// When the entries that were not taken yet may be sent, the earliest first.
    pub fn slots(&self) -> Vec<Timestamp> {
        let state = self.state.lock();
        let mut slots: Vec<_> = state.waiting.values().map(|entry| entry.slot_at).collect();
        slots.sort_unstable();
        slots
    }

    /// Entries that were not taken yet.
    pub fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// True when every entry was taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Loses every entry, as a queue server does that comes back without its data.
    pub fn lose_everything(&self) {
        *self.state.lock() = State::default();
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    fn window(&self) -> Option<Duration> {
        Some(WINDOW)
    }

    async fn enqueue(&self, entries: &[QueueEntry]) -> Result<(), QueueError> {
        let mut state = self.state.lock();
        let state = &mut *state;
        for entry in entries {
            let id = (entry.key, entry.drive);
            if let Entry::Vacant(vacant) = state.waiting.entry(id) {
                vacant.insert(entry.clone());
                state.schedule.insert((entry.slot_at, id));
            }
        }
        self.changed.notify_one();
        Ok(())
    }

    async fn take(&self, max: usize) -> Result<Vec<Job>, QueueError> {
        loop {
            let jobs = self.take_due(max);
            if !jobs.is_empty() {
                // There may be more for the next taker.
                self.changed.notify_one();
                return Ok(jobs);
            }
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {}
            }
        }
    }

    async fn due_work(&self) -> Result<Vec<DueWork>, QueueError> {
        let (state, now) = (self.state.lock(), self.clock.now());
        let due = Priority::ALL.map(|priority| {
            let of_priority = state.waiting.values().filter(|entry| entry.priority == priority);
            let slots = of_priority.map(|entry| entry.slot_at).filter(|slot_at| *slot_at <= now);
            DueWork {
                priority,
                count: slots.clone().count() as u64,
                oldest_slot_at: slots.min(),
            }
        });
        Ok(due.into())
    }

    async fn ping(&self) -> Result<(), QueueError> {
        Ok(())
    }

    async fn lost(&self) {
        future::pending::<()>().await;
    }

    async fn close(&self) {
        self.state.lock().is_closed = true;
    }
}
