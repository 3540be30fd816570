//! What an earlier process has left undone is finished beside everything else, and tried again while the store is full or
//! away: a start waits for neither.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{Endpoints, Failure, Reconciling, Sending, Tenants};
use dakghar_core::episode::Episode;
use tokio::time::sleep;

/// The first wait after a failure; it doubles.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// The time between two looks for what processes that have died meanwhile left behind.
const REPLAY_EVERY: Duration = Duration::from_secs(10);
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Goes on with the removals of tenants that were interrupted.
pub(super) async fn finish_removals(tenants: Arc<Tenants>) {
    let finish = || {
        let tenants = tenants.clone();
        async move { tenants.finish_removals().await }
    };
    until_done("an interrupted removal of a tenant", finish).await;
}

/// Brings the `callbackUrl` of tenants and their endpoints together.
pub(super) async fn mend_endpoints(endpoints: Arc<Endpoints>) {
    let mend = || {
        let endpoints = endpoints.clone();
        async move { endpoints.mend().await }
    };
    until_done("looking at the endpoints of tenants", mend).await;
}

/// Takes over the messages that a dead process was sending.
pub(super) async fn take_over_orphans(reconciling: Arc<Reconciling>) {
    let take_over = || {
        let reconciling = reconciling.clone();
        async move { reconciling.take_over_orphans().await }
    };
    until_done("taking over what was being sent", take_over).await;
}

/// Stores what Meta answered to processes that died before the store took it. Does not end.
pub(super) async fn replay_spooled(sending: Arc<Sending>) {
    loop {
        let replay = || {
            let sending = sending.clone();
            async move { sending.replay_spooled().await.map(|_| ()) }
        };
        until_done("storing what Meta answered to an earlier process", replay).await;
        sleep(REPLAY_EVERY).await;
    }
}

/// Tries until it succeeds. Logs the first failure and the success after it.
async fn until_done<T>(what: &'static str, attempt: impl Fn() -> T)
where
    T: Future<Output = Result<(), Failure>>,
{
    let (failing, mut wait) = (Episode::default(), WAIT_FIRST);
    while let Err(failure) = attempt().await {
        if failing.note() {
            tracing::warn!(%failure, "{what} failed, and is tried again");
        }
        sleep(wait).await;
        wait = (wait * 2).min(WAIT_MAX);
    }
    if let Some(failures) = failing.end() {
        tracing::info!(failures, "{what} is done");
    }
}
