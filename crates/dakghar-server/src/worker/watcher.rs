//! The tail of all feeds: tells those who wait for entries that there are some.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::Watching;
use tokio::time::sleep;

/// The wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_millis(500);

/// Passes on what is told of feeds, and looks at the store now and then. Runs in every process, once.
pub async fn watch_news(watching: Arc<Watching>) {
    let taking = async {
        loop {
            if let Err(failure) = watching.take_news().await {
                tracing::debug!(%failure, "news of feeds were missed, and the store does not tell them yet");
                sleep(FAILURE_WAIT).await;
            }
        }
    };
    let looking = async {
        loop {
            sleep(watching.look_wait()).await;
            if let Err(failure) = watching.look().await {
                tracing::debug!(%failure, "how far feeds go is not known");
            }
        }
    };
    tokio::join!(taking, looking);
}
