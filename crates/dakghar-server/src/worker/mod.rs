//! The send worker: takes what is due, calls Meta, records what came of it; and the reconciler beside it.
//!
//! It never answers a client. All decisions are the app's; here are only the loops, the waits and the limits.

mod reconciler;
mod sender;

use dakghar_core::app::App;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use reconciler::run_reconciler;
pub use sender::run_sender;

/// What can be set.
#[derive(Clone, Copy, Debug)]
pub struct WorkerConfig {
    /// Calls to Meta that may be under way in this process, 1 to 10,000.
    pub calls_max: usize,
}

/// Starts the worker's loops on `tasks`. They stop taking work when `stopping` is cancelled; what is under way goes
/// on, tracked by `tasks`.
pub fn start(app: &App, config: WorkerConfig, tasks: &TaskTracker, stopping: &CancellationToken) {
    tasks.spawn(run_sender(app.clone(), config, tasks.clone(), stopping.clone()));
    tasks.spawn(run_reconciler(app.clone(), stopping.clone()));
}
