//! From BullMQ's processor to whoever takes jobs, and back.
//!
//! A BullMQ worker calls the processor for each job it fetched. The processor offers the job here, waits for its end
//! and reports that to BullMQ. Whatever happens it ends: a panic, a forgotten job or a stalled consumer must not keep
//! a place in the worker for ever.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dakghar_core::ports::{Disposition, Job, JobKey};
use futures_util::FutureExt;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::job::{self, NotOurs};

/// The time that BullMQ considers a fetched job ours. Nobody extends it: extending holds up all starts while it waits
/// for Redis, and would keep the job of a dead task alive for ever.
pub(super) const LOCK: Duration = Duration::from_secs(90);

/// The time that a job is waited for. Longer than the lease of a message, so a job in good hands is never given up, and
/// shorter than [`LOCK`], so BullMQ does not give it to a second worker meanwhile.
const HELD_MAX: Duration = Duration::from_secs(80);

/// The end of a job, for BullMQ.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Completed,
    Failed(&'static str),
    /// It goes back to the waiting jobs, for another process.
    GivenBack,
}

/// The end of a job, even if seeing it through panics: that would leave it in the worker's books for ever.
async fn end_of(job_id: &str, seeing_through: impl Future<Output = End>) -> End {
    let end = AssertUnwindSafe(seeing_through).catch_unwind().await;
    end.unwrap_or_else(|_| {
        error!(
            job_id,
            "a job panicked on its way to the worker; the store will send it again"
        );
        End::Completed
    })
}

/// Signs of life of one queue's workers, as long as they live.
pub(super) struct Pulse {
    born: Instant,
    /// The time when a job was last started, in milliseconds after `born`.
    started_ms: AtomicU64,
    in_flight: AtomicUsize,
    in_flight_max: usize,
}

impl Pulse {
    pub(super) fn new(in_flight_max: usize) -> Self {
        Self {
            #[expect(clippy::disallowed_methods, reason = "measures the pulse of this process")]
            born: Instant::now(),
            started_ms: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            in_flight_max,
        }
    }

    /// Whether, although it had hands free, no job was started for `quiet`.
    pub(super) fn is_idle_for(&self, quiet: Duration) -> bool {
        let since_start = self
            .born
            .elapsed()
            .saturating_sub(Duration::from_millis(self.started_ms.load(Ordering::Relaxed)));
        since_start > quiet && self.in_flight.load(Ordering::Relaxed) < self.in_flight_max
    }

    fn start(&self) -> InFlight<'_> {
        let now_ms = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.started_ms.store(now_ms, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }
}

struct InFlight<'a>(&'a Pulse);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The place where processors and takers meet. Outlives the workers, which are replaced after an outage.
pub(super) struct Handover {
    offered: mpsc::Sender<Job>,
    taken: Mutex<mpsc::Receiver<Job>>,
    in_flight: TaskTracker,
    closing: CancellationToken,
    unknown_kind_logged: AtomicBool,
}

impl Handover {
    pub(super) fn new(in_flight_max: usize) -> Self {
        let (offered, taken) = mpsc::channel(in_flight_max.max(1));
        let in_flight = TaskTracker::new();
        in_flight.close();
        Self {
            offered,
            taken: Mutex::new(taken),
            in_flight,
            closing: CancellationToken::new(),
            unknown_kind_logged: AtomicBool::new(false),
        }
    }

    /// The processor.
    pub(super) async fn process(&self, pulse: &Pulse, job: bullmq::Job) -> Result<serde_json::Value, bullmq::Error> {
        let _in_flight = (self.in_flight.token(), pulse.start());
        match end_of(job.id(), self.see_through(&job)).await {
            End::Completed => Ok(serde_json::Value::Null),
            End::Failed(reason) => Err(bullmq::Error::Unrecoverable(reason.to_owned())),
            // Without a limiter key in Redis, which we never set, this means: back to waiting, at once.
            End::GivenBack => Err(bullmq::Error::RateLimited { delay_ms: 0 }),
        }
    }

    async fn see_through(&self, job: &bullmq::Job) -> End {
        let (key, drive) = match job::read(job.id(), job.data()) {
            Ok(work) => work,
            Err(reason) => {
                self.note_foreign(job.id(), &reason);
                return End::Completed;
            }
        };
        let (mut offer, finished) = Job::new(key, drive);
        offer.is_awaited = job::is_awaited(job.data());
        let held = async {
            if self.offered.send(offer).await.is_err() {
                return End::GivenBack;
            }
            match finished.await {
                Ok(Disposition::Done | Disposition::Superseded) => End::Completed,
                Ok(Disposition::Dead(reason)) => End::Failed(reason),
                Ok(Disposition::Unreadable) => End::Failed("unreadable"),
                Err(_dropped) if self.closing.is_cancelled() => End::GivenBack,
                // Whoever had it is gone. The store looks at the message again by itself; giving the job back would
                // only let a message that brings workers down do so without end.
                Err(_dropped) => End::Completed,
            }
        };
        tokio::time::timeout(HELD_MAX, held).await.unwrap_or_else(|_| {
            let JobKey::Send(key) = key;
            warn!(message_id = %key.message_id, "a job was not finished in time; the store will look after it");
            End::Completed
        })
    }

    /// Logs a job that nobody here can do. Its work is not lost: a timer in the store brings it back.
    fn note_foreign(&self, job_id: &str, reason: &NotOurs) {
        match reason {
            NotOurs::NoWork => warn!(
                job_id,
                "a job without a message, perhaps evicted by Redis; nothing to do"
            ),
            NotOurs::UnknownKind { kind, version } => {
                if !self.unknown_kind_logged.swap(true, Ordering::Relaxed) {
                    warn!(
                        job_id,
                        kind, version, "a job of a kind that this release does not know; a later release does it"
                    );
                }
            }
        }
    }

    /// Waits for a job and takes those that are there, up to `max`; `None` after [`Handover::close`].
    pub(super) async fn take(&self, max: usize) -> Option<Vec<Job>> {
        let receive = async {
            let mut jobs = Vec::new();
            let count = self.taken.lock().await.recv_many(&mut jobs, max.max(1)).await;
            (count > 0).then_some(jobs)
        };
        tokio::select! {
            biased;
            () = self.closing.cancelled() => None,
            jobs = receive => jobs,
        }
    }

    /// Takes no more and gives back what nobody took. Waits for the rest, but no longer than `patience`; whether all
    /// ended.
    pub(super) async fn close(&self, patience: Duration) -> bool {
        self.closing.cancel();
        {
            let mut taken = self.taken.lock().await;
            taken.close();
            while taken.recv().await.is_some() {}
        }
        tokio::time::timeout(patience, self.in_flight.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_job_like_any_other() {
        let panicking = async { panic!("while a job was seen through") };
        assert_eq!(end_of("msg_1", panicking).await, End::Completed);
        assert_eq!(
            end_of("msg_1", async { End::Failed("dead") }).await,
            End::Failed("dead")
        );
    }
}
