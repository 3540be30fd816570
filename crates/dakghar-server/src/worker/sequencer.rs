//! Gives entries of feeds their places, where the store does not do it by itself.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{Outages, Sequencing};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_millis(500);
/// The time that the last step has to end.
const LAST_STEP_WAIT: Duration = Duration::from_secs(2);
/// The wait between two looks at how long entries wait.
const WATCH_EVERY: Duration = Duration::from_secs(5);

/// Runs until `leaving`, and then leaves the work to others.
///
/// Whoever says that it leaves has let go of its endpoints before. A crash between the two is a crash: the others notice after
/// some seconds that nothing is heard of it.
pub(super) async fn run_sequencer(sequencing: Arc<Sequencing>, outages: Outages, leaving: CancellationToken) {
    if !sequencing.is_needed() {
        return;
    }
    work(&sequencing, &outages, &leaving).await;
    if let Err(failure) = sequencing.leave().await {
        tracing::debug!(%failure, "the others notice by themselves that this process gives no more places");
    }
}

async fn work(sequencing: &Sequencing, outages: &Outages, leaving: &CancellationToken) {
    while !leaving.is_cancelled() {
        // It is not cut off where it stands: a sign that it is there would be read after the farewell.
        let cut_off = async {
            leaving.cancelled().await;
            sleep(LAST_STEP_WAIT).await;
        };
        let step = tokio::select! {
            step = sequencing.step() => step,
            () = cut_off => return,
        };
        match step {
            Ok(done) if done.has_more => {}
            Ok(done) => {
                let rest = async {
                    sleep(done.rest()).await;
                    let _ = timeout(sequencing.look_wait(), sequencing.arrived()).await;
                };
                leaving.run_until_cancelled(rest).await;
            }
            Err(failure) => {
                if !outages.note(&failure) {
                    tracing::warn!(%failure, "entries of feeds could not get their places yet");
                }
                let wait = outages.wait().unwrap_or_default().max(FAILURE_WAIT);
                leaving.run_until_cancelled(sleep(wait)).await;
            }
        }
    }
}

/// Says when entries arrive here, and watches how long they wait for their places. Runs in every process: without a worker
/// nobody else would tell.
pub async fn watch_feeds(sequencing: Arc<Sequencing>) {
    if !sequencing.is_needed() {
        // Nothing waits; the metrics say so.
        let _ = sequencing.look().await;
        return;
    }
    let telling = async {
        loop {
            sequencing.tell_arrivals().await;
        }
    };
    let looking = async {
        loop {
            if let Err(failure) = sequencing.look().await {
                tracing::debug!(%failure, "how long entries of feeds wait is not known");
            }
            sleep(WATCH_EVERY).await;
        }
    };
    tokio::join!(telling, looking);
}
