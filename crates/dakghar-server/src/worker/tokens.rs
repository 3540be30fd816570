//! Looks at access tokens, so slowly that Meta does not mind.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{Outages, TokenPass, TokenWatch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The wait between two passes. Only what was not looked at for a day is looked at.
const PASS_WAIT: Duration = Duration::from_mins(10);
/// The wait after a question. Meta allows an app some hundred of them an hour for each of its users.
const QUESTION_WAIT: Duration = Duration::from_millis(250);
/// The wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_secs(30);

/// Runs until `stopping`.
pub async fn run_token_watch(watch: Arc<TokenWatch>, outages: Outages, stopping: CancellationToken) {
    stopping.run_until_cancelled(passes(&watch, &outages)).await;
}

async fn passes(watch: &TokenWatch, outages: &Outages) {
    loop {
        let mut pass = TokenPass::default();
        loop {
            match watch.step(&mut pass).await {
                Ok(step) => {
                    let asked = u32::try_from(step.asked).unwrap_or(u32::MAX);
                    sleep(QUESTION_WAIT.saturating_mul(asked)).await;
                    if step.is_through {
                        break;
                    }
                }
                Err(failure) => {
                    // Whether the store is away is for those to tell who send.
                    if outages.wait().is_none() {
                        tracing::warn!(%failure, "access tokens could not be looked at yet");
                    }
                    sleep(FAILURE_WAIT).await;
                }
            }
        }
        sleep(PASS_WAIT).await;
    }
}
