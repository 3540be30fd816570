//! The audit log at the far end of the wire. What a change does to a message or a tenant is shown to the promises.

use async_trait::async_trait;
use dakghar_core::domain::Timestamp;
use dakghar_core::domain::audit::{AuditChain, AuditEntry, AuditQuery, AuditRecord};
use dakghar_core::domain::page::Listed;
use dakghar_core::ports::{AuditStore, AuditedChange, Carried, StoreError, Walked};

use super::{Near, at_once};
use crate::world::wire::Call;

#[async_trait]
impl AuditStore for Near {
    async fn carry_out(&self, change: &AuditedChange, entry: &AuditEntry) -> Result<Carried, StoreError> {
        let (change, entry, life) = (change.clone(), entry.clone(), self.life);
        let call = match &change {
            AuditedChange::SaveMessage(_) => Call::Save,
            AuditedChange::InsertTenant(_) | AuditedChange::SaveTenant(..) => Call::SaveTenant,
            AuditedChange::InsertSignup(_) | AuditedChange::SaveSignup(_) => Call::Signup,
            AuditedChange::InsertDeparture(_) | AuditedChange::SaveDeparture(_) => Call::Departure,
            AuditedChange::InsertRedrive(_) | AuditedChange::SaveRedrive(_) => Call::Redrive,
            _ => Call::Query,
        };
        self.once(call, move |shared| {
            let before = match &change {
                AuditedChange::SaveMessage(save) => shared.stored(save.key),
                _ => None,
            };
            let carried = at_once(shared.store.carry_out(&change, &entry))?;
            match &change {
                AuditedChange::SaveMessage(_) if carried == Carried::Done => shared.show(life, Call::Save, before),
                AuditedChange::SaveTenant(tenant, _) if carried == Carried::Done => {
                    shared.promises.tenant_changed(tenant);
                }
                _ => {}
            }
            Ok(carried)
        })
        .await
    }

    async fn audit_chain(&self) -> Result<AuditChain, StoreError> {
        self.once(Call::Query, |shared| at_once(shared.store.audit_chain()))
            .await
    }

    async fn audit_list(&self, query: &AuditQuery) -> Result<Listed<AuditRecord>, StoreError> {
        let query = query.clone();
        self.once(Call::Query, move |shared| at_once(shared.store.audit_list(&query)))
            .await
    }

    async fn audit_walk(&self, after: u64, limit: u32) -> Result<Vec<Walked>, StoreError> {
        self.once(Call::Query, move |shared| {
            at_once(shared.store.audit_walk(after, limit))
        })
        .await
    }

    async fn drop_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.once(Call::Query, move |shared| {
            at_once(shared.store.drop_audit(before, limit))
        })
        .await
    }
}
