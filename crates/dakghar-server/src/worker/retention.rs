//! Erases what is older than its tenant keeps it, so slowly that nobody notices.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{Outages, Retention, RetentionPass};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The wait between two passes, in looks.
const PASS_WAIT_LOOKS: u32 = 60;
/// The wait between two looks at the time that passes meanwhile.
const LOOK_WAIT: Duration = Duration::from_mins(1);
/// The least wait between two portions.
const PORTION_WAIT: Duration = Duration::from_millis(50);
/// A wait is so many times as long as the portion took: a tenth of one connection's time is used.
const WAIT_FACTOR: u32 = 9;
/// The wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_secs(30);

/// Runs until `stopping`.
pub async fn run_retention(retention: Arc<Retention>, outages: Outages, stopping: CancellationToken) {
    stopping.run_until_cancelled(passes(&retention, &outages)).await;
}

async fn passes(retention: &Retention, outages: &Outages) {
    loop {
        let mut pass = RetentionPass::default();
        let mut erased = 0;
        loop {
            match retention.step(&mut pass).await {
                Ok(step) => {
                    erased += step.erased;
                    if step.is_through {
                        break;
                    }
                    sleep((step.took * WAIT_FACTOR).max(PORTION_WAIT)).await;
                }
                Err(failure) => {
                    // Whether the store is away is for those to tell who send.
                    if outages.wait().is_none() {
                        tracing::warn!(%failure, "what is old could not be erased yet");
                    }
                    sleep(FAILURE_WAIT).await;
                }
            }
        }
        if erased > 0 {
            tracing::info!(records = erased, "what is older than its tenant keeps it was erased");
        }
        for _ in 0..PASS_WAIT_LOOKS {
            sleep(LOOK_WAIT).await;
            // What is not counted now is counted by the next look.
            if let Err(failure) = retention.watch().await {
                tracing::debug!(%failure, "the retention time could not be kept yet");
            }
        }
    }
}
