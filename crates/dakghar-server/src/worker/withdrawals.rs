//! Takes back messages whose acceptance the store did not confirm.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::Withdrawing;
use tokio::time::sleep;

/// The wait between two looks. Shorter than anything takes that could send such a message.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Looks as long as there is something to take back. Runs in every process that answers clients, once.
pub async fn watch_withdrawals(withdrawing: Arc<Withdrawing>) {
    loop {
        withdrawing.begun().await;
        while withdrawing.is_waiting() {
            sleep(LOOK_EVERY).await;
            if let Err(failure) = withdrawing.look().await {
                tracing::debug!(%failure, "messages that were not confirmed are not taken back yet");
            }
        }
    }
}
