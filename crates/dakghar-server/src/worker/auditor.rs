//! Drops old records of the audit log, and looks whether its chain is whole, so slowly that nobody notices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dakghar_core::app::{AuditCheckStep, Auditing, Failure, Outages};
use dakghar_core::episode::Episode;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The wait between two passes.
const PASS_WAIT: Duration = Duration::from_hours(6);
/// The least wait between two steps.
const STEP_WAIT: Duration = Duration::from_millis(20);
/// A wait is so many times as long as the step took: a tenth of one connection's time is used.
const WAIT_FACTOR: u32 = 9;
/// The wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_secs(30);

/// Runs until `stopping`.
pub async fn run_auditor(auditing: Arc<Auditing>, outages: Outages, stopping: CancellationToken) {
    stopping.run_until_cancelled(passes(&auditing, &outages)).await;
}

async fn passes(auditing: &Auditing, outages: &Outages) {
    let broken = Episode::default();
    loop {
        match pass(auditing, &broken).await {
            Ok(()) => sleep(PASS_WAIT).await,
            Err(failure) => {
                // Whether the store is away is for those to tell who send.
                if outages.wait().is_none() {
                    tracing::warn!(%failure, "the audit log could not be looked through yet");
                }
                sleep(FAILURE_WAIT).await;
            }
        }
    }
}

async fn pass(auditing: &Auditing, broken: &Episode) -> Result<(), Failure> {
    loop {
        #[expect(clippy::disallowed_methods, reason = "how long a step takes")]
        let began = Instant::now();
        if auditing.drop_old().await? == 0 {
            break;
        }
        rest(began).await;
    }
    let mut check = auditing.begin_check().await?;
    loop {
        #[expect(clippy::disallowed_methods, reason = "how long a step takes")]
        let began = Instant::now();
        match auditing.check_step(&mut check).await? {
            AuditCheckStep::Goes => rest(began).await,
            AuditCheckStep::Whole(_) => {
                auditing.note_whole(true);
                if broken.end().is_some() {
                    tracing::info!("the audit log is whole again");
                }
                return Ok(());
            }
            AuditCheckStep::Broken(fault) => {
                auditing.note_whole(false);
                if broken.note() {
                    tracing::error!(%fault, "the audit log is not whole: `dakghar audit verify` tells more");
                }
                return Ok(());
            }
        }
    }
}

async fn rest(began: Instant) {
    sleep((began.elapsed() * WAIT_FACTOR).max(STEP_WAIT)).await;
}
