//! Checks numbers at Meta, so slowly that it takes a small part of what Meta allows an app.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{CheckPass, NumberChecks, Outages};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The longest wait between two passes. Only numbers that are due are checked, and those of which an event asks for it.
const PASS_WAIT_MAX: Duration = Duration::from_mins(1);
/// The wait for each question that was asked: four in a second are some hundredths of what Meta allows an account in an hour.
const QUESTION_WAIT: Duration = Duration::from_millis(250);
/// The wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_secs(30);
/// The wait after Meta said that the app makes too many calls. Messages come before checks.
const THROTTLED_WAIT: Duration = Duration::from_mins(15);

/// Runs until `stopping`, or not at all where the settings say so.
pub async fn run_number_checks(checks: Arc<NumberChecks>, outages: Outages, stopping: CancellationToken) {
    if let Some(every) = checks.every() {
        let wait = every.min(PASS_WAIT_MAX);
        stopping.run_until_cancelled(passes(&checks, wait, &outages)).await;
    }
}

async fn passes(checks: &NumberChecks, wait: Duration, outages: &Outages) {
    let mut pass = CheckPass::default();
    loop {
        let is_cut = loop {
            match checks.step(&mut pass).await {
                Ok(step) => {
                    let asked = u32::try_from(step.asked).unwrap_or(u32::MAX);
                    sleep(QUESTION_WAIT.saturating_mul(asked)).await;
                    if step.is_throttled {
                        sleep(THROTTLED_WAIT).await;
                    }
                    if step.is_through {
                        break step.is_cut;
                    }
                }
                Err(failure) => {
                    // Those who send tell that the store is away.
                    if outages.wait().is_none() {
                        tracing::warn!(%failure, "numbers could not be checked yet");
                    }
                    sleep(FAILURE_WAIT).await;
                }
            }
        };
        // A pass that was cut is followed by one that looks for what is urgent by now. Its steps have rested already.
        if !is_cut {
            sleep(wait).await;
        }
        pass = pass.following();
    }
}
