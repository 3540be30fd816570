//! Erasing what belongs to a tenant.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::ids::TenantId;

/// Erases the data of tenants, portion by portion.
#[async_trait]
pub trait Erasure: Send + Sync {
    /// Deletes up to `limit` of the tenant's messages, conversations and events. Returns how many; 0 means nothing is
    /// left.
    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError>;
}
