//! Keeps when webhooks were received, as long as this process takes them.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::Listening;
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
    let mut was_down = false;
    while let Err(error) = listening.open().await {
        report(&mut was_down, Err(error));
        sleep(LOOK_EVERY).await;
    }
    loop {
        sleep(LOOK_EVERY).await;
        report(&mut was_down, listening.tick().await);
    }
}

/// Logs a change once.
fn report<E: std::fmt::Display>(was_down: &mut bool, kept: Result<(), E>) {
    match kept {
        Err(error) if !*was_down => {
            tracing::warn!(%error, "it is not stored that webhooks are received; meanwhile `auto` sends nothing again");
            *was_down = true;
        }
        Ok(()) if *was_down => {
            tracing::info!("it is stored again when webhooks are received");
            *was_down = false;
        }
        _ => {}
    }
}
