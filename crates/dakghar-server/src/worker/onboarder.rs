//! Carries signups on, step by step. Codes are exchanged in rounds of their own, because they live for seconds.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{Failure, Onboarding};
use tokio_util::sync::CancellationToken;

use super::rounds::rounds;

/// The least wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_secs(1);

/// Runs until `stopping`. A step that it leaves half done is taken again by whoever goes on.
pub async fn run_onboarder(onboarding: Arc<Onboarding>, stopping: CancellationToken) {
    let onboarding = &*onboarding;
    let exchange = rounds(|| async { wait_after(onboarding, onboarding.exchange_codes().await) });
    let work = rounds(|| async { wait_after(onboarding, onboarding.work().await) });
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
