//! The requests of tenants.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::quota::{RequestSecond, resets_in_ms};
use dakghar_core::ports::{Clock, Grant, QueueError, QuotaAsk, RequestQuota};
use parking_lot::Mutex;

/// A [`RequestQuota`] for tests.
pub struct MemoryQuota {
    clock: Arc<dyn Clock>,
    second: Mutex<RequestSecond>,
}

impl MemoryQuota {
    /// Counts nothing yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            second: Mutex::default(),
        }
    }
}

#[async_trait]
impl RequestQuota for MemoryQuota {
    async fn take(&self, asks: &[QuotaAsk]) -> Result<Vec<Grant>, QueueError> {
        let now = self.clock.uptime();
        let mut second = self.second.lock();
        let grant_of = |ask: &QuotaAsk| {
            let (granted, remaining) = second.take(&ask.tenant_id, ask.per_second, ask.requests, now);
            Grant {
                granted,
                remaining,
                resets_in_ms: resets_in_ms(now),
            }
        };
        Ok(asks.iter().map(grant_of).collect())
    }
}
