//! Takes jobs as long as there are places for calls, and runs each call on a task of its own.
//!
//! Batches are claimed one after the other: what becomes due while one is being claimed is the next. Claiming several
//! at a time would only make them smaller, and a small batch costs the store and the queue as much as a large one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::App;
use dakghar_core::app::deliver_message::{ClaimedSend, WaitingSend};
use dakghar_core::domain::MessageKey;
use dakghar_core::ports::{Job, QueueError};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Jobs claimed together.
const BATCH_MAX: usize = 128;
/// Messages that may stand in line for a place of their tenant or number. While it is full no further jobs are taken.
const LINE_MAX: usize = 256;
/// Messages of the line that are tried at a time: those refused again go to its end.
const LINE_STEP: usize = 32;
/// How often the line is looked at even if no call ends: who stood there too long goes back into the queue.
const LINE_LOOK: Duration = Duration::from_millis(50);
/// The wait after the store or the queue failed.
const FAILURE_WAIT: Duration = Duration::from_millis(500);
/// The longest wait between two tries to make an outcome durable.
const RECORD_WAIT_MAX: Duration = Duration::from_secs(5);

/// Runs until `stopping`; the calls it started are tracked by `tasks`.
pub async fn run_sender(app: App, tasks: TaskTracker, stopping: CancellationToken) {
    let sender = Sender {
        app,
        tasks,
        line: Vec::new(),
        call_ended: Arc::new(Notify::new()),
    };
    sender.run(stopping).await;
}

struct Sender {
    app: App,
    tasks: TaskTracker,
    line: Vec<WaitingSend>,
    call_ended: Arc<Notify>,
}

impl Sender {
    async fn run(mut self, stopping: CancellationToken) {
        // Kept while the line moves on: taking must not be given up halfway.
        let mut taking: Option<BoxFuture<'static, Result<Vec<Job>, QueueError>>> = None;
        loop {
            let free = self.app.places_free();
            if taking.is_none() && free > 0 && self.line.len() < LINE_MAX {
                let (app, batch) = (self.app.clone(), free.min(BATCH_MAX));
                taking = Some(async move { app.take_jobs(batch).await }.boxed());
            }
            let taken = async {
                match &mut taking {
                    Some(taking) => taking.await,
                    None => std::future::pending().await,
                }
            };
            // Only waiting ends here: a batch that is being claimed is claimed, and called for.
            tokio::select! {
                () = stopping.cancelled() => return,
                taken = taken => {
                    taking = None;
                    match taken {
                        Ok(jobs) => self.claim(jobs).await,
                        Err(error) => {
                            tracing::warn!(%error, "no jobs can be taken");
                            sleep(FAILURE_WAIT).await;
                        }
                    }
                }
                () = self.call_ended.notified() => self.claim(Vec::new()).await,
                () = sleep(LINE_LOOK), if !self.line.is_empty() => self.claim(Vec::new()).await,
            }
        }
    }

    /// Claims jobs and the first in line, and starts the calls.
    async fn claim(&mut self, jobs: Vec<Job>) {
        let step = self.line.len().min(LINE_STEP);
        let waited: Vec<WaitingSend> = self.line.drain(..step).collect();
        if jobs.is_empty() && waited.is_empty() {
            return;
        }
        let keys: Vec<_> = waited
            .iter()
            .map(WaitingSend::key)
            .chain(jobs.iter().map(|job| (job.key, job.drive)))
            .collect();
        match AssertUnwindSafe(self.app.claim(waited, jobs)).catch_unwind().await {
            Ok(Ok(claims)) => {
                self.line.extend(claims.waiting);
                self.start(claims.claimed);
            }
            Ok(Err(problem)) => {
                tracing::warn!(%problem, "due messages could not be claimed yet");
                sleep(FAILURE_WAIT).await;
            }
            Err(_) => self.find_the_poison(keys).await,
        }
    }

    /// One message of the batch crashed it: try each alone, so that only that one is struck.
    async fn find_the_poison(&self, keys: Vec<(MessageKey, u32)>) {
        for (key, drive) in keys {
            let (job, _finished) = Job::new(key, drive);
            let alone = AssertUnwindSafe(self.app.claim(Vec::new(), vec![job]))
                .catch_unwind()
                .await;
            match alone {
                Ok(Ok(claims)) => self.start(claims.claimed),
                Ok(Err(problem)) => {
                    tracing::warn!(%problem, message_id = %key.message_id, "a message could not be claimed yet");
                }
                Err(_) => {
                    if let Err(problem) = self.app.strike(&key).await {
                        tracing::warn!(%problem, message_id = %key.message_id, "a strike could not be stored");
                    }
                }
            }
        }
    }

    fn start(&self, claimed: Vec<ClaimedSend>) {
        for claimed in claimed {
            self.tasks
                .spawn(send(self.app.clone(), claimed, self.call_ended.clone()));
        }
    }
}

/// Calls, and records the outcome however long the store needs to come back: Meta's answer is evidence that only this
/// process has.
async fn send(app: App, claimed: ClaimedSend, call_ended: Arc<Notify>) {
    let mut ended = app.call(claimed).await;
    let mut wait = Duration::from_millis(50);
    while let Err(problem) = app.record(&mut ended).await {
        tracing::warn!(%problem, "an outcome is not stored yet");
        sleep(wait).await;
        wait = (wait * 2).min(RECORD_WAIT_MAX);
    }
    // Gives its place back.
    drop(ended);
    call_ended.notify_one();
}
