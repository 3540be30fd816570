//! Takes jobs as long as there are places for calls, and runs each call on a task of its own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dakghar_core::app::App;
use dakghar_core::app::deliver_message::{ClaimedSend, WaitingSend};
use dakghar_core::domain::MessageKey;
use dakghar_core::ports::{Job, QueueError};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Jobs prepared and claimed together.
const BATCH_MAX: usize = 128;
/// Messages that may stand in line for a place of their tenant or number. While it is full no further jobs are taken.
const LINE_MAX: usize = 256;
/// Messages that are tried at a time: those refused again go to the end of the line.
const LINE_STEP: usize = 32;
/// How often the line is looked at even if no call ends: who stood there too long goes back into the queue.
const LINE_LOOK: Duration = Duration::from_millis(50);
/// The wait after the store or the queue failed.
const FAILURE_WAIT: Duration = Duration::from_millis(500);
/// The longest wait between two tries to make an outcome durable.
const RECORD_WAIT_MAX: Duration = Duration::from_secs(5);

/// What the loop and the tasks it starts have in common.
struct Sender {
    app: App,
    tasks: TaskTracker,
    /// Jobs that are being prepared and have no place yet.
    preparing: AtomicUsize,
    line: Mutex<Vec<WaitingSend>>,
    /// A call has ended, or a batch is prepared.
    changed: Notify,
}

/// Runs until `stopping`; the calls it started are tracked by `tasks`.
pub async fn run_sender(app: App, tasks: TaskTracker, stopping: CancellationToken) {
    let sender = Arc::new(Sender {
        app,
        tasks,
        preparing: AtomicUsize::new(0),
        line: Mutex::default(),
        changed: Notify::new(),
    });
    stopping.run_until_cancelled(take_and_prepare(&sender)).await;
}

async fn take_and_prepare(sender: &Arc<Sender>) {
    // Kept while the line moves on: taking must not be given up halfway.
    let mut taking: Option<BoxFuture<'static, Result<Vec<Job>, QueueError>>> = None;
    loop {
        let free = sender.places_free();
        let line = sender.line.lock().len();
        if taking.is_none() && free > line && line < LINE_MAX {
            let app = sender.app.clone();
            let batch = (free - line).min(BATCH_MAX);
            taking = Some(async move { app.take_jobs(batch).await }.boxed());
        }
        let taken = async {
            match &mut taking {
                Some(taking) => taking.await,
                None => std::future::pending().await,
            }
        };
        let jobs = tokio::select! {
            taken = taken => {
                taking = None;
                match taken {
                    Ok(jobs) => jobs,
                    Err(error) => {
                        tracing::warn!(%error, "no jobs can be taken");
                        sleep(FAILURE_WAIT).await;
                        continue;
                    }
                }
            }
            () = sender.changed.notified() => Vec::new(),
            () = sleep(LINE_LOOK), if line > 0 => Vec::new(),
        };
        let waited = sender.next_in_line();
        if waited.is_empty() && jobs.is_empty() {
            continue;
        }
        sender.preparing.fetch_add(jobs.len() + waited.len(), Ordering::Relaxed);
        // Preparing the next batch overlaps with claiming this one.
        sender.tasks.spawn(sender.clone().prepare(waited, jobs));
    }
}

impl Sender {
    fn places_free(&self) -> usize {
        self.app
            .places_free()
            .saturating_sub(self.preparing.load(Ordering::Relaxed))
    }

    fn next_in_line(&self) -> Vec<WaitingSend> {
        let mut line = self.line.lock();
        let step = line.len().min(LINE_STEP);
        line.drain(..step).collect()
    }

    async fn prepare(self: Arc<Self>, waited: Vec<WaitingSend>, jobs: Vec<Job>) {
        let keys: Vec<_> = waited
            .iter()
            .map(WaitingSend::key)
            .chain(jobs.iter().map(|job| (job.key, job.drive)))
            .collect();
        let claims = AssertUnwindSafe(self.app.claim(waited, jobs)).catch_unwind().await;
        self.preparing.fetch_sub(keys.len(), Ordering::Relaxed);
        match claims {
            Ok(Ok(claims)) => {
                for claimed in claims.claimed {
                    self.tasks.spawn(self.clone().send(claimed));
                }
                self.line.lock().extend(claims.waiting);
            }
            Ok(Err(problem)) => {
                tracing::warn!(%problem, "due messages could not be claimed yet");
                sleep(FAILURE_WAIT).await;
            }
            Err(_) => self.find_the_poison(keys).await,
        }
        self.changed.notify_one();
    }

    /// One message of the batch crashed it: try each alone, so that only that one is struck.
    async fn find_the_poison(self: &Arc<Self>, keys: Vec<(MessageKey, u32)>) {
        for (key, drive) in keys {
            let (job, _finished) = Job::new(key, drive);
            let alone = AssertUnwindSafe(self.app.claim(Vec::new(), vec![job]))
                .catch_unwind()
                .await;
            match alone {
                Ok(Ok(claims)) => {
                    for claimed in claims.claimed {
                        self.clone().send(claimed).await;
                    }
                }
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

    /// Calls, and records the outcome however long the store needs to come back: Meta's answer is evidence that only
    /// this process has.
    async fn send(self: Arc<Self>, claimed: ClaimedSend) {
        let mut ended = self.app.call(claimed).await;
        let mut wait = Duration::from_millis(50);
        while let Err(problem) = self.app.record(&mut ended).await {
            tracing::warn!(%problem, "an outcome is not stored yet");
            sleep(wait).await;
            wait = (wait * 2).min(RECORD_WAIT_MAX);
        }
        drop(ended);
        self.changed.notify_one();
    }
}
