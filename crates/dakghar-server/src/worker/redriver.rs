//! Carries redrives on, batch by batch.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::Redriving;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The least wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_secs(1);

/// Runs until `stopping`. A batch that it leaves half done is finished by whoever goes on.
pub async fn run_redriver(redriving: Arc<Redriving>, stopping: CancellationToken) {
    let work = async {
        loop {
            let wait = match redriving.work().await {
                Ok(wait) => wait,
                Err(failure) => {
                    let outages = redriving.outages();
                    if !outages.note(&failure) {
                        tracing::warn!(%failure, "redrives could not be carried on");
                    }
                    outages.wait().unwrap_or_default().max(FAILURE_WAIT)
                }
            };
            sleep(wait).await;
        }
    };
    stopping.run_until_cancelled(work).await;
}
