//! Outcomes that the store has not taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::ports::{OutcomeSpool, SpoolError, SpooledOutcome};
use parking_lot::Mutex;

/// The disk of a machine.
#[derive(Debug, Default)]
pub struct MemoryDisk(Mutex<BTreeMap<Arc<str>, Part>>);

#[derive(Debug, Default)]
struct Part {
    outcomes: Vec<SpooledOutcome>,
    settled: usize,
    is_left_behind: bool,
}

impl MemoryDisk {
    /// Begins the part of a process.
    pub fn begin(&self, part: &str) {
        self.0.lock().insert(part.into(), Part::default());
    }

    /// Keeps outcomes in a part.
    pub fn keep(&self, part: &str, outcomes: &[SpooledOutcome]) {
        if let Some(part) = self.0.lock().get_mut(part) {
            part.outcomes.extend_from_slice(outcomes);
        }
    }

    /// The store has taken so many of a part.
    pub fn settle(&self, part: &str, count: usize) {
        if let Some(part) = self.0.lock().get_mut(part) {
            part.settled += count;
            if part.settled >= part.outcomes.len() {
                *part = Part::default();
            }
        }
    }

    /// The process of a part has ended.
    pub fn leave_behind(&self, part: &str) {
        if let Some(part) = self.0.lock().get_mut(part) {
            part.is_left_behind = true;
        }
    }

    /// All parts.
    pub fn parts(&self) -> Vec<Arc<str>> {
        self.0.lock().keys().cloned().collect()
    }

    /// The parts that were left behind.
    pub fn left_behind(&self) -> Vec<Arc<str>> {
        let parts = self.0.lock();
        let left = parts.iter().filter(|(_, part)| part.is_left_behind);
        left.map(|(name, _)| name.clone()).collect()
    }

    /// What is in a part.
    pub fn read(&self, part: &str) -> Vec<SpooledOutcome> {
        self.0
            .lock()
            .get(part)
            .map_or_else(Vec::new, |part| part.outcomes.clone())
    }

    /// Forgets a part.
    pub fn forget(&self, part: &str) {
        self.0.lock().remove(part);
    }
}

/// An [`OutcomeSpool`] of one process, which ends when this is dropped.
pub struct MemorySpool {
    disk: Arc<MemoryDisk>,
    part: Arc<str>,
}

impl MemorySpool {
    /// Begins the part of a process.
    pub fn start(disk: Arc<MemoryDisk>, part: &str) -> Self {
        disk.begin(part);
        Self {
            disk,
            part: part.into(),
        }
    }
}

impl Drop for MemorySpool {
    fn drop(&mut self) {
        self.disk.leave_behind(&self.part);
    }
}

#[async_trait]
impl OutcomeSpool for MemorySpool {
    async fn keep(&self, outcomes: &[SpooledOutcome]) -> Result<(), SpoolError> {
        self.disk.keep(&self.part, outcomes);
        Ok(())
    }

    async fn settle(&self, count: usize) {
        self.disk.settle(&self.part, count);
    }

    async fn left_behind(&self) -> Result<Vec<Arc<str>>, SpoolError> {
        Ok(self.disk.left_behind())
    }

    async fn read(&self, part: &str) -> Result<Vec<SpooledOutcome>, SpoolError> {
        Ok(self.disk.read(part))
    }

    async fn forget(&self, part: &str) -> Result<(), SpoolError> {
        self.disk.forget(part);
        Ok(())
    }
}
