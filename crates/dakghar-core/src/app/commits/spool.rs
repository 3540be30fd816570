//! Outcomes that are kept on this machine while the store does not take them.

use std::sync::Arc;

use crate::group_commit::GroupCommit;
use crate::ports::{OutcomeSpool, SpoolError, SpooledOutcome};

/// Outcomes on their way to the disk.
pub(in crate::app) type Spools = GroupCommit<SpooledOutcome, Result<(), SpoolError>>;

/// Keeps the outcomes of several calls with one write.
pub(super) async fn commit(spool: Arc<dyn OutcomeSpool>, batch: Vec<SpooledOutcome>) -> Vec<Result<(), SpoolError>> {
    vec![spool.keep(&batch).await; batch.len()]
}
