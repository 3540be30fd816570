//! The limits of tenants that all processes of an installation count together.
//!
//! What is counted is worth a second, or as long as a call. Losing the requests lets a tenant have that second again; after
//! a loss of the calls none begins until every process has said how many it has.

use std::sync::Arc;

use async_trait::async_trait;

use super::queue::QueueError;
pub use crate::domain::quota::{CallAsk, Grant, QuotaAsk};

/// The requests of each tenant in the present second, and its calls under way.
#[async_trait]
pub trait TenantQuota: Send + Sync {
    /// Counts requests, as far as they may go on, and returns what is granted in the order asked. Seconds begin at the
    /// same time for every tenant and process.
    async fn take(&self, asks: &[QuotaAsk]) -> Result<Vec<Grant>, QueueError>;

    /// Notes how many calls this process has under way, and takes places for more, as far as the tenant has no more of
    /// them in all processes than it may. Returns how many are granted, in the order asked. What a process said counts
    /// until it says something else, for [`CALLS_TOLD_MAX`](crate::domain::quota::CALLS_TOLD_MAX) at most.
    async fn take_calls(&self, process: &Arc<str>, asks: &[CallAsk]) -> Result<Vec<u32>, QueueError>;
}
