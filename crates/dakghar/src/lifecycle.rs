//! Start and stop: the first SIGTERM or SIGINT drains, the second ends at once. A process that cannot go on drains too.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest that work under way may take after the first signal.
pub const DRAIN_MAX: Duration = Duration::from_secs(10);

/// The means by which a process stops.
#[derive(Clone, Default)]
pub struct Lifecycle {
    /// Cancelled by the first signal: take no new work.
    pub stopping: CancellationToken,
    /// Everything that must end before the process does.
    pub tasks: TaskTracker,
    /// Why it stops, if nobody asked it to.
    failure: Arc<OnceLock<String>>,
}

impl Lifecycle {
    /// Listens for signals from now on.
    pub fn start() -> std::io::Result<Self> {
        let lifecycle = Self::default();
        let stopping = lifecycle.stopping.clone();
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        #[expect(
            clippy::disallowed_methods,
            reason = "listens for signals as long as the process lives"
        )]
        tokio::spawn(async move {
            let mut is_stopping = false;
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if is_stopping {
                    tracing::warn!("second signal: ending at once; what is under way is taken up at the next start");
                    std::process::exit(130);
                }
                is_stopping = true;
                tracing::info!(
                    seconds_max = DRAIN_MAX.as_secs(),
                    "stopping: finishing what is under way"
                );
                stopping.cancel();
            }
        });
        Ok(lifecycle)
    }

    /// Begins to stop, because the process cannot go on.
    pub fn fail(&self, why: String) {
        tracing::error!(why, "stopping: this process cannot go on");
        // The first reason explains the later ones.
        let _ = self.failure.set(why);
        self.stopping.cancel();
    }

    /// Why the process cannot go on, if it cannot.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Waits for the signal, then for the tasks, at most `DRAIN_MAX`, and then for `last`. When the tasks take longer,
    /// `last` is not run.
    pub async fn run_to_end(&self, last: impl Future<Output = ()>) {
        self.stopping.cancelled().await;
        self.tasks.close();
        if tokio::time::timeout(DRAIN_MAX, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                tasks = self.tasks.len(),
                "not everything ended in time; it is taken up at the next start"
            );
            return;
        }
        last.await;
        tracing::info!("stopped");
    }
}
