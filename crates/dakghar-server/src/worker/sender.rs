//! Takes jobs while there are places for calls, and runs each call on a task of its own.
//!
//! Batches pass through two steps, preparing and claiming, one batch in each. While one batch is being claimed the next
//! is being prepared, and jobs that become due meanwhile form the one after that. More batches at a time would only be
//! smaller, and a small batch costs the store and the queue as much as a large one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{
    ClaimedSend, Claims, EndedCall, Failure, Fault, Holding, Outages, Prepared, PreparedSend, Sending,
    UnconfirmedClaim, WaitingSend,
};
use dakghar_core::ports::{Job, JobKey, QueueError, SpooledOutcome};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::standstill::until_released;

/// Jobs claimed together.
const BATCH_MAX: usize = 128;
/// The most messages that may stand in line for a place of their tenant or number. While the line is full no further
/// jobs are taken.
const LINE_MAX: usize = 256;
/// The least number of messages of the line that one try takes; with more free places it takes more. Those refused
/// again go to the end of the line.
const LINE_STEP_MIN: usize = 32;
/// The wait between two looks at the line even if no call ends. A message that stood there too long goes back into the
/// queue.
const LINE_LOOK: Duration = Duration::from_millis(50);
/// The wait after the store or the queue failed.
const FAILURE_WAIT: Duration = Duration::from_millis(500);
/// The time that the store has for an outcome until it is kept on this machine as well. During an outage that is known, it
/// is kept at once.
const SPOOL_AFTER: Duration = Duration::from_millis(500);
/// The longest wait between two tries to make an outcome durable.
const RECORD_WAIT_MAX: Duration = Duration::from_secs(5);

/// Runs until `stopping`. The calls it started are tracked by `tasks`.
pub async fn run_sender(sending: Arc<Sending>, holding: Arc<Holding>, tasks: TaskTracker, stopping: CancellationToken) {
    let caller = Caller {
        sending,
        tasks,
        call_ended: Arc::new(Notify::new()),
    };
    let sender = Sender {
        caller,
        holding,
        line: Vec::new(),
        claiming: None,
    };
    sender.run(stopping).await;
}

struct Sender {
    caller: Caller,
    holding: Arc<Holding>,
    line: Vec<WaitingSend>,
    /// The claim of the batch that was prepared last. It goes on by itself.
    claiming: Option<JoinHandle<()>>,
}

impl Sender {
    async fn run(mut self, stopping: CancellationToken) {
        let (sending, call_ended) = (self.caller.sending.clone(), self.caller.call_ended.clone());
        let holding = self.holding.clone();
        // Kept across rounds of the loop: taking jobs must not be dropped halfway.
        let mut taking: Option<BoxFuture<'static, Result<Vec<Job>, QueueError>>> = None;
        loop {
            if sending.outages().wait().is_some() {
                // How long to wait, and if at all, is known when the try before has ended.
                let until_claimed = self.until_claimed();
                if stopping.run_until_cancelled(until_claimed).await.is_none() {
                    return;
                }
            }
            let waited = stopping.run_until_cancelled(until_next_try(sending.outages())).await;
            let Some(is_outage) = waited else { return };
            let released = until_released(&holding, sending.outages());
            if stopping.run_until_cancelled(released).await.is_none() {
                return;
            }
            let free = sending.places_free();
            if taking.is_none() && free > 0 && self.line.len() < LINE_MAX {
                // During an outage one message tries whether it is over.
                let batch_max = if is_outage { 1 } else { BATCH_MAX };
                let (sending, batch) = (sending.clone(), free.min(batch_max));
                taking = Some(async move { sending.take_jobs(batch).await }.boxed());
            }
            let taken = async {
                match &mut taking {
                    Some(taking) => taking.await,
                    None => std::future::pending().await,
                }
            };
            // Only the wait ends here: a batch that is being prepared is still claimed and called for.
            tokio::select! {
                () = stopping.cancelled() => return,
                taken = taken => {
                    taking = None;
                    match taken {
                        Ok(jobs) => {
                            sending.outages().queue_answered();
                            // It may be held since they were asked for.
                            let released = until_released(&holding, sending.outages());
                            if stopping.run_until_cancelled(released).await.is_none() {
                                return;
                            }
                            self.send_batch(jobs).await;
                        }
                        // Noted as an outage, which the next round waits for.
                        Err(error) => _ = sending.outages().note(&error.into()),
                    }
                }
                () = call_ended.notified() => self.send_batch(Vec::new()).await,
                () = sleep(LINE_LOOK), if !self.line.is_empty() => self.send_batch(Vec::new()).await,
            }
        }
    }

    /// Prepares jobs and the first messages in line. They are claimed and called for as soon as the batch before is
    /// claimed.
    async fn send_batch(&mut self, jobs: Vec<Job>) {
        let sending = &self.caller.sending;
        let step_max = match sending.outages().wait() {
            Some(_) => 1_usize.saturating_sub(jobs.len()),
            None => sending.places_free().max(LINE_STEP_MIN),
        };
        let step = self.line.len().min(step_max);
        let waited: Vec<WaitingSend> = self.line.drain(..step).collect();
        if jobs.is_empty() && waited.is_empty() {
            return;
        }
        let waited_keys = waited.iter().map(WaitingSend::key);
        let keys: Vec<_> = waited_keys.chain(jobs.iter().map(|job| (job.key, job.drive))).collect();
        match AssertUnwindSafe(sending.prepare(waited, jobs)).catch_unwind().await {
            Ok(Ok(Prepared { sends, waiting })) => {
                self.line.extend(waiting);
                self.claim(sends).await;
            }
            // An outage was noted, and the next round waits for its end.
            Ok(Err(failure)) if failure.fault() == Fault::Surroundings => {}
            Ok(Err(failure)) => {
                tracing::warn!(%failure, "due messages could not be prepared yet");
                sleep(FAILURE_WAIT).await;
            }
            Err(_) => self.caller.send_each_alone(keys).await,
        }
    }

    async fn until_claimed(&mut self) {
        if let Some(before) = &mut self.claiming {
            let _ = before.await;
            self.claiming = None;
        }
    }

    /// Waits until the batch before is claimed, then starts to claim and call for this one.
    async fn claim(&mut self, sends: Vec<PreparedSend>) {
        self.until_claimed().await;
        if !sends.is_empty() {
            let caller = self.caller.clone();
            let claiming = async move { caller.claim_and_call(sends).await };
            self.claiming = Some(self.caller.tasks.spawn(claiming));
        }
    }
}

/// Waits until it is time for a try, by the clock that counts tries: a timer may be a little ahead of it. Returns false at once
/// while there is no outage.
async fn until_next_try(outages: &Outages) -> bool {
    while let Some(wait) = outages.wait() {
        if wait.is_zero() {
            return true;
        }
        sleep(wait).await;
    }
    false
}

/// Brings prepared messages to Meta.
#[derive(Clone)]
struct Caller {
    sending: Arc<Sending>,
    tasks: TaskTracker,
    call_ended: Arc<Notify>,
}

impl Caller {
    async fn claim_and_call(&self, sends: Vec<PreparedSend>) {
        let keys: Vec<_> = sends.iter().map(PreparedSend::key).collect();
        let prepared = sends.len();
        match AssertUnwindSafe(self.sending.claim(sends)).catch_unwind().await {
            Ok(claims) => {
                if claims.claimed.len() < prepared {
                    // Messages that were not claimed have given their places back.
                    self.call_ended.notify_one();
                }
                self.call_all(claims);
            }
            Err(_) => self.send_each_alone(keys).await,
        }
    }

    /// One message of a batch crashed it. Tries each alone, so that only that one is struck.
    async fn send_each_alone(&self, keys: Vec<(JobKey, u32)>) {
        for (key, drive) in keys {
            let (job, _finished) = Job::new(key, drive);
            let alone = async {
                let prepared = self.sending.prepare(Vec::new(), vec![job]).await?;
                Ok::<_, Failure>(self.sending.claim(prepared.sends).await)
            };
            match AssertUnwindSafe(alone).catch_unwind().await {
                Ok(Ok(claims)) => self.call_all(claims),
                Ok(Err(failure)) => {
                    if failure.fault() != Fault::Surroundings {
                        tracing::warn!(%failure, job = ?key, "a message could not be prepared yet");
                    }
                }
                Err(_) => {
                    if let Err(failure) = self.sending.strike(key).await {
                        tracing::warn!(%failure, job = ?key, "a strike could not be stored");
                    }
                }
            }
        }
    }

    fn call_all(&self, Claims { claimed, unconfirmed }: Claims) {
        for claimed in claimed {
            self.tasks
                .spawn(send(self.sending.clone(), claimed, self.call_ended.clone()));
        }
        for unconfirmed in unconfirmed {
            self.tasks
                .spawn(give_back(self.sending.clone(), unconfirmed, self.call_ended.clone()));
        }
    }
}

/// Calls Meta and records the outcome, however long the store needs to come back: Meta's answer is evidence that only
/// this process has.
async fn send(sending: Arc<Sending>, claimed: ClaimedSend, call_ended: Arc<Notify>) {
    let mut ended = sending.call(claimed).await;
    match sending.to_spool(&ended) {
        None => record(&sending, &mut ended).await,
        Some(outcome) => {
            let is_recorded = CancellationToken::new();
            let recording = async {
                record(&sending, &mut ended).await;
                is_recorded.cancel();
            };
            let ((), is_kept) = tokio::join!(recording, spool(&sending, outcome, &is_recorded));
            if is_kept {
                sending.settle().await;
            }
        }
    }
    // Gives its place back.
    drop(ended);
    call_ended.notify_one();
}

/// Gives a claim back of which nobody knows whether it was taken, as soon as the store answers. What then cannot be given back
/// has a fault of its own.
async fn give_back(sending: Arc<Sending>, mut unconfirmed: UnconfirmedClaim, call_ended: Arc<Notify>) {
    let mut wait = Duration::from_millis(50);
    while let Err((again, failure)) = sending.give_back(unconfirmed).await {
        if !sending.outages().note(&failure) {
            tracing::warn!(%failure, "a claim that was not confirmed is not given back");
            break;
        }
        unconfirmed = again;
        sleep(wait).await;
        wait = (wait * 2).min(RECORD_WAIT_MAX);
    }
    call_ended.notify_one();
}

async fn record(sending: &Sending, ended: &mut EndedCall) {
    let mut wait = Duration::from_millis(50);
    while let Err(failure) = sending.record(ended).await {
        if !sending.outages().note(&failure) {
            tracing::warn!(%failure, "an outcome is not stored yet");
        }
        sleep(wait).await;
        wait = (wait * 2).min(RECORD_WAIT_MAX);
    }
    sending.outages().store_answered();
}

/// Keeps an outcome on this machine if the store does not take it in time. Returns whether it is kept.
async fn spool(sending: &Sending, outcome: SpooledOutcome, is_recorded: &CancellationToken) -> bool {
    let wait = match sending.outages().wait() {
        Some(_) => Duration::ZERO,
        None => SPOOL_AFTER,
    };
    // Only the wait ends when it is recorded: what is on its way to the disk must be settled afterwards.
    if is_recorded.run_until_cancelled(sleep(wait)).await.is_none() {
        return false;
    }
    sending.spool(outcome).await
}
