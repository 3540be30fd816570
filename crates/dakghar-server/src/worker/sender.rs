//! Takes jobs as long as there are places for calls, and runs each call on a task of its own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::App;
use dakghar_core::app::deliver_message::ClaimedSend;
use dakghar_core::ports::Job;
use futures_util::FutureExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::WorkerConfig;

/// Jobs prepared and claimed together.
const BATCH_MAX: usize = 128;
/// The wait after the store or the queue failed.
const FAILURE_WAIT: Duration = Duration::from_millis(500);
/// The longest wait between two tries to make an outcome durable.
const RECORD_WAIT_MAX: Duration = Duration::from_secs(5);

/// Runs until `stopping`; the calls it started are tracked by `tasks`.
pub async fn run_sender(app: App, config: WorkerConfig, tasks: TaskTracker, stopping: CancellationToken) {
    let places = Arc::new(Semaphore::new(config.calls_max));
    loop {
        let Some(first) = stopping.run_until_cancelled(places.clone().acquire_owned()).await else {
            break;
        };
        let Ok(first) = first else { break };
        let batch = (places.available_permits() + 1).min(BATCH_MAX);
        let jobs = match stopping.run_until_cancelled(app.take_jobs(batch)).await {
            None => break,
            Some(Ok(jobs)) => jobs,
            Some(Err(error)) => {
                tracing::warn!(%error, "no jobs can be taken");
                sleep(FAILURE_WAIT).await;
                continue;
            }
        };
        let mut permits = vec![first];
        permits.extend((1..jobs.len()).map_while(|_| places.clone().try_acquire_owned().ok()));
        // Preparing the next batch overlaps with claiming this one.
        tasks.spawn(prepare(app.clone(), jobs, permits, tasks.clone()));
    }
}

async fn prepare(app: App, jobs: Vec<Job>, mut permits: Vec<OwnedSemaphorePermit>, tasks: TaskTracker) {
    let keys: Vec<_> = jobs.iter().map(|job| (job.key, job.drive)).collect();
    let claimed = match AssertUnwindSafe(app.claim_jobs(jobs)).catch_unwind().await {
        Ok(Ok(claimed)) => claimed,
        Ok(Err(problem)) => {
            tracing::warn!(%problem, "due messages could not be claimed yet");
            sleep(FAILURE_WAIT).await;
            return;
        }
        Err(_) => return find_the_poison(&app, keys).await,
    };
    for claimed in claimed {
        let permit = permits.pop();
        tasks.spawn(send(app.clone(), claimed, permit));
    }
}

/// One message of the batch crashed it: try each alone, so that only that one is struck.
async fn find_the_poison(app: &App, keys: Vec<(dakghar_core::domain::MessageKey, u32)>) {
    for (key, drive) in keys {
        let (job, _finished) = Job::new(key, drive);
        let alone = AssertUnwindSafe(app.claim_jobs(vec![job])).catch_unwind().await;
        match alone {
            Ok(Ok(claimed)) => {
                for claimed in claimed {
                    send(app.clone(), claimed, None).await;
                }
            }
            Ok(Err(problem)) => {
                tracing::warn!(%problem, message_id = %key.message_id, "a message could not be claimed yet");
            }
            Err(_) => {
                if let Err(problem) = app.strike(&key).await {
                    tracing::warn!(%problem, message_id = %key.message_id, "a strike could not be stored");
                }
            }
        }
    }
}

/// Calls, and records the outcome however long the store needs to come back: Meta's answer is evidence that only this
/// process has.
async fn send(app: App, claimed: ClaimedSend, _place: Option<OwnedSemaphorePermit>) {
    let mut ended = app.call(claimed).await;
    let mut wait = Duration::from_millis(50);
    while let Err(problem) = app.record(&mut ended).await {
        tracing::warn!(%problem, "an outcome is not stored yet");
        sleep(wait).await;
        wait = (wait * 2).min(RECORD_WAIT_MAX);
    }
}
