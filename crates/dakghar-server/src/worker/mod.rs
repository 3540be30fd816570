//! The send worker, which takes due messages, calls Meta and records the outcomes; and beside it the reconciler, the
//! redriver, the places of feeds, and the erasing of what is old.
//!
//! It never answers a client. All decisions are the app's; here are only the loops, the waits and the limits.

mod calls;
mod deliverer;
mod reconciler;
mod redriver;
mod retention;
mod sender;
mod sequencer;
mod standstill;

use std::sync::Arc;

use dakghar_core::app::{App, CallbackBodies};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use deliverer::Deliverer;

pub use reconciler::run_reconciler;
pub use redriver::run_redriver;
pub use retention::run_retention;
pub use sender::run_sender;
pub use sequencer::watch_feeds;

/// Runs the worker's loops. They stop taking work when `stopping` is cancelled. Work under way goes on, tracked by `tasks`.
///
/// `bodies` writes what endpoints are sent.
pub async fn run(app: App, bodies: Arc<dyn CallbackBodies>, tasks: TaskTracker, stopping: CancellationToken) {
    let deliverer = Deliverer::new(app.callbacks(bodies));
    tokio::join!(
        run_sender(
            app.sending.clone(),
            app.holding.clone(),
            tasks.clone(),
            stopping.clone()
        ),
        run_reconciler(app.reconciling.clone(), app.holding.clone(), stopping.clone()),
        sequencer::run_sequencer(app.sequencing.clone(), app.sending.outages().clone(), stopping.clone()),
        deliverer.run(tasks.clone(), stopping.clone()),
        calls::run_telling(app.sending.clone(), stopping.clone()),
        run_redriver(app.redriving.clone(), stopping.clone()),
        run_retention(app.retention.clone(), app.sending.outages().clone(), stopping)
    );
}
