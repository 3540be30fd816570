//! Gives entries of feeds their places, where the store does not do it by itself.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{Outages, Sequencing};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_millis(500);
/// The wait between two looks at how long entries wait.
const WATCH_EVERY: Duration = Duration::from_secs(5);

/// Runs until `stopping`, and then leaves the work to others.
pub(super) async fn run_sequencer(sequencing: Arc<Sequencing>, outages: Outages, stopping: CancellationToken) {
    if !sequencing.is_needed() {
        return;
    }
    stopping.run_until_cancelled(work(&sequencing, &outages)).await;
    if let Err(failure) = sequencing.leave().await {
        tracing::debug!(%failure, "the others notice by themselves that this process gives no more places");
    }
}

async fn work(sequencing: &Sequencing, outages: &Outages) {
    loop {
        match sequencing.step().await {
            Ok(done) if done.has_more => {}
            Ok(done) => {
                sleep(done.rest()).await;
                let _ = timeout(sequencing.look_wait(), sequencing.arrived()).await;
            }
            Err(failure) => {
                if !outages.note(&failure) {
                    tracing::warn!(%failure, "entries of feeds could not get their places yet");
                }
                sleep(outages.wait().unwrap_or_default().max(FAILURE_WAIT)).await;
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
