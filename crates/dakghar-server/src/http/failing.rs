//! Says when requests are carried out again.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::FailedRequests;
use tokio::time::sleep;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks, until dropped, whether what fails requests is over, and logs that.
pub async fn watch_failures(failed: Arc<FailedRequests>) {
    loop {
        sleep(LOOK_EVERY).await;
        failed.look().await;
    }
}
