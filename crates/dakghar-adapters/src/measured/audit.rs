//! The audit log, measured.

use async_trait::async_trait;
use dakghar_core::domain::audit::{AuditChain, AuditEntry, AuditQuery, AuditRecord};
use dakghar_core::domain::page::Listed;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{AuditStore, AuditedChange, Carried, StoreError, Walked};

use super::store::MeasuredStore;

#[async_trait]
impl<S: AuditStore> AuditStore for MeasuredStore<S> {
    async fn carry_out(&self, change: &AuditedChange, entry: &AuditEntry) -> Result<Carried, StoreError> {
        self.measure(StoreCall::AuditCarryOut, self.inner.carry_out(change, entry))
            .await
    }

    async fn audit_chain(&self) -> Result<AuditChain, StoreError> {
        self.measure(StoreCall::AuditChain, self.inner.audit_chain()).await
    }

    async fn audit_list(&self, query: &AuditQuery) -> Result<Listed<AuditRecord>, StoreError> {
        self.measure(StoreCall::AuditList, self.inner.audit_list(query)).await
    }

    async fn audit_walk(&self, after: u64, limit: u32) -> Result<Vec<Walked>, StoreError> {
        self.measure(StoreCall::AuditWalk, self.inner.audit_walk(after, limit))
            .await
    }

    async fn drop_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.measure(StoreCall::AuditDrop, self.inner.drop_audit(before, limit))
            .await
    }
}
