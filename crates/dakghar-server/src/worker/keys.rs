//! The look at the key services: what was kept for long enough is forgotten, and one that is away is tried again.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::Health;
use tokio::time::sleep;

/// The wait between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks again and again. Runs in every process.
pub async fn watch_keys(health: Arc<Health>) {
    loop {
        health.look_at_keys().await;
        sleep(LOOK_EVERY).await;
    }
}
