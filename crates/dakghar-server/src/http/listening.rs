//! Keeps when webhooks were received, as long as this process takes them.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::Listening;
use dakghar_core::episode::Episode;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The wait between two looks. A gap is durable that much later at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until `stopping`, and then says that webhooks may be refused from now on. Must be started when webhooks are
/// taken.
pub async fn keep_listening(listening: Arc<Listening>, stopping: CancellationToken) {
    stopping.run_until_cancelled(listen(&listening)).await;
    if let Err(error) = listening.close().await {
        tracing::warn!(%error, "the end of listening for webhooks is not stored; the next start assumes a gap");
    }
}

async fn listen(listening: &Listening) {
    let not_stored = Episode::default();
    while let Err(error) = listening.open().await {
        report(&not_stored, Err(error));
        sleep(LOOK_EVERY).await;
    }
    loop {
        sleep(LOOK_EVERY).await;
        report(&not_stored, listening.tick().await);
    }
}

fn report<E: std::fmt::Display>(not_stored: &Episode, kept: Result<(), E>) {
    match kept {
        Err(error) => {
            if not_stored.note() {
                tracing::warn!(%error, "it is not stored that webhooks are received; meanwhile `auto` sends nothing again");
            }
        }
        Ok(()) => {
            if let Some(failures) = not_stored.end() {
                tracing::info!(failures, "it is stored again when webhooks are received");
            }
        }
    }
}
