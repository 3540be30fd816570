//! Wakes messages whose timer has expired, and fills the queue again after it lost its content.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{Failure, Holding, Reconciling};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::standstill::until_released;

/// The wait between two looks when there is little to do.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// The wait when the last look found a full round.
const BUSY_WAIT: Duration = Duration::from_millis(20);
/// A look that found this many is followed by another at once.
const BUSY_AT: usize = 100;
/// The wait between two looks for what was changed by a clock that was ahead.
const AHEAD_WAIT: Duration = Duration::from_secs(10);

/// Runs until `stopping`.
pub async fn run_reconciler(reconciling: Arc<Reconciling>, holding: Arc<Holding>, stopping: CancellationToken) {
    let work = async {
        tokio::join!(
            wake(&reconciling, &holding),
            bring_back(&reconciling),
            refill(&reconciling)
        );
    };
    stopping.run_until_cancelled(work).await;
}

/// While all sending is held no timer does anything: due messages would only go into the queue again and again.
async fn wake(reconciling: &Reconciling, holding: &Holding) {
    loop {
        // What processes had taken that died meanwhile would else wait for its timers.
        if until_released(holding, reconciling.outages()).await
            && let Err(failure) = reconciling.refill_queue().await
        {
            let wait = wait_after(reconciling, &failure, "the queue could not be filled again yet");
            sleep(wait).await;
        }
        let wait = match reconciling.reconcile().await {
            Ok(looked_at) if looked_at >= BUSY_AT => BUSY_WAIT,
            Ok(_) => IDLE_WAIT,
            Err(failure) => wait_after(reconciling, &failure, "timers could not be looked at"),
        };
        sleep(wait).await;
    }
}

/// Notes the failure. Returns the wait before the next try.
fn wait_after(reconciling: &Reconciling, failure: &Failure, what: &str) -> Duration {
    let outages = reconciling.outages();
    if !outages.note(failure) {
        tracing::warn!(%failure, "{what}");
    }
    outages.wait().unwrap_or_default().max(IDLE_WAIT)
}

async fn bring_back(reconciling: &Reconciling) {
    loop {
        let wait = match reconciling.bring_back().await {
            Ok(0) if reconciling.has_others() => AHEAD_WAIT,
            Ok(0) => return,
            Ok(_) => BUSY_WAIT,
            Err(failure) => {
                let what = "what a clock that was ahead has changed could not be looked for";
                wait_after(reconciling, &failure, what).max(AHEAD_WAIT)
            }
        };
        sleep(wait).await;
    }
}

async fn refill(reconciling: &Reconciling) {
    loop {
        reconciling.queue_lost().await;
        while let Err(failure) = reconciling.refill_queue().await {
            let wait = wait_after(reconciling, &failure, "the queue could not be filled again yet");
            sleep(wait).await;
        }
        sleep(BUSY_WAIT).await;
    }
}
