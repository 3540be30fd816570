//! Looks in the store for what other processes have recorded of messages that somebody here waits for.

use std::sync::Arc;

use dakghar_core::app::Outcomes;
use tokio::time::sleep;

/// Looks as long as somebody waits. Runs in every process that answers clients, once.
pub async fn watch_outcomes(outcomes: Arc<Outcomes>) {
    loop {
        outcomes.begun().await;
        while let Some(wait) = outcomes.look_wait() {
            sleep(wait).await;
            if let Err(failure) = outcomes.look().await {
                tracing::debug!(%failure, "what became of messages is not known");
            }
        }
    }
}
