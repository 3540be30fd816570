//! Carries signups on, step by step. Codes are exchanged in a loop of their own, because they live for seconds.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{Failure, Onboarding};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The least wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_secs(1);

/// Runs until `stopping`. A step that it leaves half done is taken again by whoever goes on.
pub async fn run_onboarder(onboarding: Arc<Onboarding>, stopping: CancellationToken) {
    let exchange = async {
        loop {
            let done = onboarding.exchange_codes().await;
            sleep(wait_after(&onboarding, done)).await;
        }
    };
    let work = async {
        loop {
            let done = onboarding.work().await;
            sleep(wait_after(&onboarding, done)).await;
        }
    };
    let both = async { tokio::join!(exchange, work) };
    stopping.run_until_cancelled(both).await;
}

fn wait_after(onboarding: &Onboarding, done: Result<Duration, Failure>) -> Duration {
    match done {
        Ok(wait) => wait,
        Err(failure) => {
            let outages = onboarding.outages();
            if !outages.note(&failure) {
                tracing::warn!(%failure, "signups could not be carried on");
            }
            outages.wait().unwrap_or_default().max(FAILURE_WAIT)
        }
    }
}
