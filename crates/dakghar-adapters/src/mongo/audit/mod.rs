//! The audit log. A change, its record and the end of the chain are written in one transaction, so several processes write one
//! chain: of two that append at once one is undone, and tries again behind the other. Those of one process take turns,
//! which costs less than being undone.

mod appending;
mod changes;
mod log;

use async_trait::async_trait;
use bson::{Document, RawDocument, doc};
use dakghar_core::domain::audit::{AuditChain, AuditEntry, AuditQuery, AuditRecord, place_of};
use dakghar_core::domain::page::Listed;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{AuditStore, AuditedChange, Carried, StoreError, Walked};

use super::MongoStore;
use super::documents::{audit, date};
use super::indexes::{AUDIT_TENANT, BY_ID};
use super::pages::List;
use super::reads::{Query, told};

pub(super) use log::AuditLog;

#[async_trait]
impl AuditStore for MongoStore {
    async fn carry_out(&self, change: &AuditedChange, entry: &AuditEntry) -> Result<Carried, StoreError> {
        self.carry_out_recorded(change, entry).await
    }

    async fn audit_chain(&self) -> Result<AuditChain, StoreError> {
        let query = Query::new(doc! { "_id": AuditChain::ID }, BY_ID).majority();
        let found = self.fetch_one(&self.audit.chain, query, audit::decode_chain).await?;
        Ok(found.unwrap_or_default())
    }

    async fn audit_list(&self, query: &AuditQuery) -> Result<Listed<AuditRecord>, StoreError> {
        let (index, along) = match &query.tenant_id {
            Some(tenant_id) => (AUDIT_TENANT, doc! { "tenantId": tenant_id.to_string() }),
            None => (BY_ID, doc! {}),
        };
        let filters = filters_of(query);
        let list = List {
            is_sparse: !filters.is_empty(),
            filters,
            ..List::of(&self.audit.records, index, along)
        };
        let parse = |id: &str| id.parse().ok();
        self.page(&list, query.before.map(place_of), query.limit, parse, audit::decode)
            .await
    }

    async fn audit_walk(&self, after: u64, limit: u32) -> Result<Vec<Walked>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let query = Query::new(doc! { "_id": { "$gt": place_of(after) } }, BY_ID)
            .sort(doc! { "_id": 1 })
            .limit(limit)
            .majority();
        self.fetch(&self.audit.records, query, |raw| {
            (number(raw), told(audit::decode(raw)).ok())
        })
        .await
    }

    async fn drop_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.drop_older_records(before, limit).await
    }
}

/// Everything but the tenant and the place.
fn filters_of(query: &AuditQuery) -> Document {
    let mut filters = Document::new();
    for (field, value) in [("actor", &query.actor), ("action", &query.action)] {
        if let Some(value) = value {
            filters.insert(field, value);
        }
    }
    let mut at = Document::new();
    if let Some(since) = query.since {
        at.insert("$gte", date(since));
    }
    if let Some(until) = query.until {
        at.insert("$lt", date(until));
    }
    if !at.is_empty() {
        filters.insert("at", at);
    }
    filters
}

/// The number of a document; 0, which none has, if it is none.
fn number(raw: &RawDocument) -> u64 {
    raw.get_str("_id")
        .ok()
        .and_then(|id| id.parse().ok())
        .unwrap_or_default()
}
