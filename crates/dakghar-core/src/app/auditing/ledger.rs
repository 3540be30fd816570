//! The way of a change into the store together with its record.

use std::sync::Arc;

use crate::domain::TenantId;
use crate::domain::audit::{AUDIT_OBJECTS_MAX, AuditAction, AuditEntry, AuditObject, FieldChange, Principal};
use crate::metrics::{AuditClassLabel, Metrics};
use crate::ports::{AuditStore, AuditedChange, Carried, Clock, IdGenerator, Ports, StoreError};

/// An act that somebody is about to carry out.
#[derive(Clone, Debug)]
pub struct Deed<'a> {
    by: &'a Principal,
    action: AuditAction,
    tenant_id: Option<TenantId>,
    objects: Vec<AuditObject>,
    count: Option<u64>,
}

impl<'a> Deed<'a> {
    /// Says who does what.
    pub const fn new(by: &'a Principal, action: AuditAction) -> Self {
        Self {
            by,
            action,
            tenant_id: None,
            objects: Vec::new(),
            count: None,
        }
    }

    /// Says to which tenant.
    #[must_use]
    pub const fn of(mut self, tenant_id: &TenantId) -> Self {
        self.tenant_id = Some(*tenant_id);
        self
    }

    /// Names a thing that it is done to. Beyond [`AUDIT_OBJECTS_MAX`] none is named.
    #[must_use]
    pub fn about(mut self, kind: &str, id: impl ToString) -> Self {
        if self.objects.len() < AUDIT_OBJECTS_MAX {
            self.objects.push(AuditObject::new(kind, id));
        }
        self
    }

    /// Says of how many things.
    #[must_use]
    pub const fn counting(mut self, count: Option<u64>) -> Self {
        self.count = count;
        self
    }
}

/// Carries changes out and has them recorded.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn AuditStore>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    metrics: Arc<Metrics>,
}

impl Ledger {
    /// Makes the way over these ports.
    pub fn new(ports: &Ports) -> Self {
        Self {
            store: ports.audit.clone(),
            clock: ports.clock.clone(),
            ids: ports.ids.clone(),
            metrics: ports.metrics.clone(),
        }
    }

    /// Carries a change out together with its record. Without an `Ok(Carried::Done)` neither is there, or nobody knows.
    pub async fn carry_out(
        &self,
        change: &AuditedChange,
        deed: &Deed<'_>,
        fields: Vec<FieldChange>,
    ) -> Result<Carried, StoreError> {
        let entry = AuditEntry {
            tenant_id: deed.tenant_id,
            objects: deed.objects.clone(),
            count: deed.count,
            fields,
            ..AuditEntry::new(self.ids.audit_id(), self.clock.now(), deed.by, deed.action)
        };
        let carried = self.store.carry_out(change, &entry).await?;
        if carried == Carried::Done {
            let class = AuditClassLabel::from(deed.action.class());
            self.metrics.audit_records.of(class).inc();
        }
        Ok(carried)
    }

    /// Records what changes nothing by itself: a reading, or work that is about to begin.
    pub async fn note(&self, deed: &Deed<'_>) -> Result<(), StoreError> {
        self.carry_out(&AuditedChange::Nothing, deed, Vec::new())
            .await
            .map(drop)
    }
}
