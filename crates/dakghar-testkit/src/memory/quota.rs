//! The requests and calls of tenants.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::quota::Quota;
use dakghar_core::ports::{CallAsk, Clock, Grant, QueueError, QuotaAsk, TenantQuota};
use parking_lot::Mutex;

/// A [`TenantQuota`] for tests.
pub struct MemoryQuota {
    clock: Arc<dyn Clock>,
    quota: Mutex<Quota>,
}

impl MemoryQuota {
    /// Counts nothing yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            quota: Mutex::default(),
        }
    }
}

#[async_trait]
impl TenantQuota for MemoryQuota {
    async fn take(&self, asks: &[QuotaAsk]) -> Result<Vec<Grant>, QueueError> {
        Ok(self.quota.lock().take(asks, self.clock.uptime()))
    }

    async fn take_calls(&self, process: &Arc<str>, asks: &[CallAsk]) -> Result<Vec<u32>, QueueError> {
        Ok(self.quota.lock().take_calls(process, asks, self.clock.uptime()))
    }
}
