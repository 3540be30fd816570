//! Carries erasures of people on, portion by portion.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::Erasing;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The least wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_secs(1);

/// Runs until `stopping`. A portion that it leaves half done is done again by whoever goes on.
pub async fn run_eraser(erasing: Arc<Erasing>, stopping: CancellationToken) {
    let work = async {
        loop {
            let wait = match erasing.work().await {
                Ok(wait) => wait,
                Err(failure) => {
                    let outages = erasing.outages();
                    if !outages.note(&failure) {
                        tracing::warn!(%failure, "erasures of people could not be carried on");
                    }
                    outages.wait().unwrap_or_default().max(FAILURE_WAIT)
                }
            };
            sleep(wait).await;
        }
    };
    stopping.run_until_cancelled(work).await;
}
