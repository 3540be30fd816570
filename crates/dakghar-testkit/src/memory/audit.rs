//! The audit log.

use async_trait::async_trait;
use dakghar_core::domain::Timestamp;
use dakghar_core::domain::audit::{AuditChain, AuditEntry, AuditQuery, AuditRecord};
use dakghar_core::domain::page::Listed;
use dakghar_core::ports::{
    AppStore, AuditStore, AuditedChange, Carried, DepartureStore, EndpointStore, HoldStore, MessageStore,
    OperatorStore, OptOutStore, PersonErasureStore, RedriveStore, SignupStore, StoreError, TenantStore, Walked,
};

use super::{MemoryStore, page_of};

impl MemoryStore {
    async fn change(&self, change: &AuditedChange) -> Result<Carried, StoreError> {
        use AuditedChange as Change;
        Ok(match change {
            Change::Nothing => Carried::Done,
            Change::InsertTenant(tenant) => TenantStore::insert(self, tenant).await?.into(),
            Change::SaveTenant(tenant, told) => TenantStore::save(self, tenant, told).await?.into(),
            Change::InsertOperatorKey(key) => self.insert_operator_key(key).await?.into(),
            Change::SaveOperatorKey(key) => self.save_operator_key(key).await?.into(),
            Change::RemoveOperatorKey(id) => Carried::if_done(self.remove_operator_key(id).await?),
            Change::InsertApp(app) => self.insert_app(app).await?.into(),
            Change::SaveApp(app) => self.save_app(app).await?.into(),
            Change::RemoveApp(id) => Carried::if_done(self.remove_app(id).await?),
            Change::InsertEndpoint(endpoint) => EndpointStore::insert_endpoint(self, endpoint).await?.into(),
            Change::SaveEndpoint(endpoint) => self.save_endpoint(endpoint).await?.into(),
            Change::RemoveEndpoint(tenant_id, id, version) => {
                Carried::if_done(self.remove_endpoint(tenant_id, id, *version).await?)
            }
            Change::KeepSendingHold(hold) => {
                self.keep_sending_hold(*hold).await?;
                Carried::Done
            }
            Change::InsertRedrive(redrive) => {
                let is_new = self.find_redrive(&redrive.id).await?.is_none();
                self.insert_redrive(redrive).await?;
                Carried::if_done(is_new)
            }
            Change::SaveRedrive(redrive) => self.save_redrive(redrive).await?.into(),
            Change::InsertErasure(erasure) => {
                let found = self.find_erasure(&erasure.tenant_id, &erasure.id).await?;
                self.insert_erasure(erasure).await?;
                Carried::if_done(found.is_none())
            }
            Change::NoteOptOuts(batch) => {
                self.note_opt_outs(batch).await?;
                Carried::Done
            }
            Change::InsertSignup(signup) => self.insert_signup(signup).await?.into(),
            Change::SaveSignup(signup) => self.save_signup(signup).await?.into(),
            Change::InsertDeparture(departure) => self.insert_departure(departure).await?.into(),
            Change::SaveDeparture(departure) => self.save_departure(departure).await?.into(),
            Change::SaveMessage(save) => {
                let saved = MessageStore::save(self, std::slice::from_ref(&**save)).await.pop();
                saved.expect("an answer for the one save")?.into()
            }
        })
    }
}

#[async_trait]
impl AuditStore for MemoryStore {
    async fn carry_out(&self, change: &AuditedChange, entry: &AuditEntry) -> Result<Carried, StoreError> {
        let carried = self.change(change).await?;
        if carried == Carried::Done {
            self.with(|state| {
                let record = AuditRecord::behind(&state.audit_chain.head, entry);
                state.audit_chain.head = record.link();
                state.audit.insert(record.number, record);
            })?;
        }
        Ok(carried)
    }

    async fn audit_chain(&self) -> Result<AuditChain, StoreError> {
        self.with(|state| state.audit_chain)
    }

    async fn audit_list(&self, query: &AuditQuery) -> Result<Listed<AuditRecord>, StoreError> {
        self.with(|state| {
            let newest_first = state.audit.values().rev();
            let wanted = newest_first
                .filter(|record| query.before.is_none_or(|before| record.number < before) && query.matches(record));
            page_of(wanted.cloned(), query.limit)
        })
    }

    async fn audit_walk(&self, after: u64, limit: u32) -> Result<Vec<Walked>, StoreError> {
        self.with(|state| {
            let behind = state.audit.range(after.saturating_add(1)..);
            let walked = behind.map(|(number, record)| (*number, Some(record.clone())));
            walked.take(limit as usize).collect()
        })
    }

    async fn drop_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.with(|state| {
            let mut dropped = 0;
            while dropped < u64::from(limit)
                && let Some(oldest) = state.audit.first_entry().filter(|oldest| oldest.get().at < before)
            {
                state.audit_chain.anchor = oldest.get().link();
                oldest.remove();
                dropped += 1;
            }
            dropped
        })
    }
}
