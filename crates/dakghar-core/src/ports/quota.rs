//! The requests of each tenant in the present second.
//!
//! What is counted is worth a second. Losing it lets a tenant have that second again.

use async_trait::async_trait;

use super::queue::QueueError;
use crate::domain::ids::TenantId;

/// Requests that ask to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaAsk {
    /// Whose they are.
    pub tenant_id: TenantId,
    /// The most requests of the tenant in a second, at least 1.
    pub per_second: u32,
    /// How many they are.
    pub requests: u32,
}

/// What is let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// How many of those that asked may go on.
    pub granted: u32,
    /// How many more there may be in this second.
    pub remaining: u32,
    /// The milliseconds to the next second, 1 to 1,000.
    pub resets_in_ms: u32,
}

/// The requests of each tenant in the present second, counted by all processes of an installation together.
#[async_trait]
pub trait RequestQuota: Send + Sync {
    /// Counts requests, as far as they may go on, and returns what is granted in the order asked. Seconds begin at the
    /// same time for every tenant and process.
    async fn take(&self, asks: &[QuotaAsk]) -> Result<Vec<Grant>, QueueError>;
}
