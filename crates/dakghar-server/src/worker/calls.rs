//! Tells the other processes each second how many calls of each tenant are under way here.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::Sending;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const TELL_EVERY: Duration = Duration::from_secs(1);

/// Runs until `stopping`.
pub(super) async fn run_telling(sending: Arc<Sending>, stopping: CancellationToken) {
    let telling = async {
        loop {
            sleep(TELL_EVERY).await;
            if let Err(failure) = sending.tell_calls().await {
                // Those who send tell of the outage.
                tracing::debug!(%failure, "the calls under way could not be told");
            }
        }
    };
    stopping.run_until_cancelled(telling).await;
}
