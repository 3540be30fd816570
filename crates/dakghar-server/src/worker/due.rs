//! Measures how much is due in the queue, and for how long.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::Health;
use tokio::time::sleep;

/// The wait between two measurements. Scaling by them must not wait longer than starting a worker takes.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// Measures again and again. Runs in every process: where no worker runs, the API must tell that one is needed.
pub async fn measure_queue(health: Arc<Health>) {
    loop {
        if let Err(error) = health.measure_queue().await {
            tracing::debug!(%error, "how much is due is not known");
        }
        sleep(MEASURE_EVERY).await;
    }
}
