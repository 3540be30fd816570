//! Carries departures on, step by step.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{Departing, Failure};
use tokio_util::sync::CancellationToken;

use super::rounds::rounds;

/// The least wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_secs(1);

/// Runs until `stopping`. A step that it leaves half done is taken again by whoever goes on.
pub async fn run_departer(departing: Arc<Departing>, stopping: CancellationToken) {
    let departing = &*departing;
    let work = rounds(|| async { wait_after(departing, departing.work().await) });
    stopping.run_until_cancelled(work).await;
}

fn wait_after(departing: &Departing, done: Result<Duration, Failure>) -> Duration {
    match done {
        Ok(wait) => wait,
        Err(failure) => {
            let outages = departing.outages();
            if !outages.note(&failure) {
                tracing::warn!(%failure, "departures could not be carried on");
            }
            outages.wait().unwrap_or_default().max(FAILURE_WAIT)
        }
    }
}
