//! The send worker, which takes due messages, calls Meta and records the outcomes; and beside it the reconciler, the
//! redriver, the places of feeds, the erasing of what is old, the looks at access tokens, and the checks of numbers.
//!
//! It never answers a client. All decisions are the app's; here are only the loops, the waits and the limits.

mod auditor;
mod call_places;
mod calls;
mod deliverer;
mod departer;
mod due;
mod endpoint_news;
mod eraser;
mod keys;
mod number_checks;
mod onboarder;
mod outcomes;
mod reconciler;
mod redriver;
mod retention;
mod rounds;
mod sender;
mod sequencer;
mod standstill;
mod tokens;
mod watcher;
mod withdrawals;

use std::sync::Arc;

use dakghar_core::app::{App, CallbackBodies};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use deliverer::Deliverer;

pub use auditor::run_auditor;
pub use departer::run_departer;
pub use due::measure_queue;
pub use eraser::run_eraser;
pub use keys::watch_keys;
pub use number_checks::run_number_checks;
pub use onboarder::run_onboarder;
pub use outcomes::watch_outcomes;
pub use reconciler::run_reconciler;
pub use redriver::run_redriver;
pub use retention::run_retention;
pub use sender::run_sender;
pub use sequencer::watch_feeds;
pub use tokens::run_token_watch;
pub use watcher::watch_news;
pub use withdrawals::watch_withdrawals;

/// The halves of the work, so that processes can share it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Messages are sent, and what goes with that: doubts, redrives, erasures of people, signups,
    /// departures, retention.
    pub sends: bool,
    /// Entries of feeds get their places, and endpoints get the entries.
    pub delivers: bool,
}

impl Work {
    /// All of it.
    pub const ALL: Self = Self {
        sends: true,
        delivers: true,
    };
    /// Without callbacks.
    pub const SEND: Self = Self {
        sends: true,
        delivers: false,
    };
    /// Callbacks alone.
    pub const CALLBACKS: Self = Self {
        sends: false,
        delivers: true,
    };
}

/// Runs the worker's loops. They stop taking work when `stopping` is cancelled. Work under way goes on, tracked by `tasks`.
///
/// `bodies` writes what endpoints are sent.
pub async fn run(
    work: Work,
    app: App,
    bodies: Arc<dyn CallbackBodies>,
    tasks: TaskTracker,
    stopping: CancellationToken,
) {
    let sending = async {
        if work.sends {
            // Boxed, because it is large, and lives as long as the process.
            Box::pin(send(&app, tasks.clone(), stopping.clone())).await;
        }
    };
    let delivering = async {
        if work.delivers {
            Box::pin(deliver(&app, bodies, tasks.clone(), stopping.clone())).await;
        }
    };
    tokio::join!(sending, delivering);
}

async fn send(app: &App, tasks: TaskTracker, stopping: CancellationToken) {
    tokio::join!(
        run_sender(app.sending.clone(), app.holding.clone(), tasks, stopping.clone()),
        run_reconciler(app.reconciling.clone(), app.holding.clone(), stopping.clone()),
        calls::run_telling(app.sending.clone(), stopping.clone()),
        run_redriver(app.redriving.clone(), stopping.clone()),
        run_eraser(app.erasing.clone(), stopping.clone()),
        run_onboarder(app.onboarding.clone(), stopping.clone()),
        run_departer(app.departing.clone(), stopping.clone()),
        run_retention(app.retention.clone(), app.sending.outages().clone(), stopping.clone()),
        run_auditor(app.auditing.clone(), app.sending.outages().clone(), stopping.clone()),
        run_token_watch(app.token_watch.clone(), app.sending.outages().clone(), stopping.clone()),
        run_number_checks(app.number_checks.clone(), app.sending.outages().clone(), stopping)
    );
}

async fn deliver(app: &App, bodies: Arc<dyn CallbackBodies>, tasks: TaskTracker, stopping: CancellationToken) {
    let deliverer = Deliverer::new(app.callbacks(bodies));
    // Others take over once nothing is handed out here any more.
    let leaving = CancellationToken::new();
    let sequencing = sequencer::run_sequencer(app.sequencing.clone(), app.sending.outages().clone(), leaving.clone());
    let delivering = async {
        let _leaving = leaving.drop_guard();
        deliverer.run(tasks, stopping).await;
    };
    tokio::join!(sequencing, delivering);
}
