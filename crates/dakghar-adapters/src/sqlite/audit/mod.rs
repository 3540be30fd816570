//! The audit log. A change and its record are one piece of work for the writer, so they are in one transaction.

mod chain;
mod changes;
mod rows;

use std::time::Instant;

use async_trait::async_trait;
use dakghar_core::domain::audit::{AuditChain, AuditEntry, AuditQuery, AuditRecord};
use dakghar_core::domain::page::{Listed, PageFill};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{AuditStore, AuditedChange, Carried, StoreError, Walked};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::cells::{number, readable};
use super::failure::Outcome;
use changes::Prepared;
use rows::record;

pub(super) use chain::chain;
pub(super) use rows::{WALK, record as audit_record};

pub(super) const LIST: &str = "\
    SELECT id, number, at, tenant_id, actor, action, text, previous, hash FROM audit \
    WHERE ?1 IS NULL AND number < ?2 ORDER BY number DESC";

pub(super) const LIST_OF_TENANT: &str = "\
    SELECT id, number, at, tenant_id, actor, action, text, previous, hash FROM audit INDEXED BY audit_of_tenant \
    WHERE tenant_id = ?1 AND number < ?2 ORDER BY number DESC";

/// Records between two looks at the clock.
const ROWS_PER_LOOK: u32 = 1_024;

#[async_trait]
impl AuditStore for SqliteStore {
    async fn carry_out(&self, change: &AuditedChange, entry: &AuditEntry) -> Result<Carried, StoreError> {
        let (prepared, entry) = (Prepared::of(change), entry.clone());
        self.writer
            .run(move |conn| {
                let carried = prepared.carry_out(conn)?;
                if carried == Carried::Done {
                    chain::append(conn, &entry)?;
                }
                Ok(carried)
            })
            .await
    }

    async fn audit_chain(&self) -> Result<AuditChain, StoreError> {
        self.delivery.run(chain).await
    }

    async fn audit_list(&self, query: &AuditQuery) -> Result<Listed<AuditRecord>, StoreError> {
        let query = query.clone();
        self.lists.run(move |conn| list(conn, &query)).await
    }

    async fn audit_walk(&self, after: u64, limit: u32) -> Result<Vec<Walked>, StoreError> {
        self.lists.run(move |conn| walk(conn, after, limit)).await
    }

    async fn drop_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.writer
            .run(move |conn| chain::drop_older(conn, before, limit))
            .await
    }
}

fn list(conn: &Connection, query: &AuditQuery) -> Outcome<Listed<AuditRecord>> {
    #[expect(clippy::disallowed_methods, reason = "bounds the time of a search")]
    let ends_at = Instant::now() + query.limit.time;
    let sql = match query.tenant_id {
        Some(_) => LIST_OF_TENANT,
        None => LIST,
    };
    let mut select = conn.prepare_cached(sql)?;
    let before = query.before.map_or(i64::MAX, u64::cast_signed);
    let mut rows = select.query(params![query.tenant_id.map(|id| id.to_string()), before])?;
    let (mut page, mut looked_at) = (PageFill::new(query.limit), 0);
    while let Some(row) = rows.next()? {
        if page.is_full() {
            return Ok(page.more());
        }
        match readable("audit record", row, record(row)) {
            Some(record) if query.matches(&record) => page.push(record),
            _ => page.pass(number(row, 1)?.cast_unsigned()),
        }
        looked_at += 1;
        #[expect(clippy::disallowed_methods, reason = "bounds the time of a search")]
        if looked_at % ROWS_PER_LOOK == 0 && Instant::now() >= ends_at {
            return Ok(page.more());
        }
    }
    Ok(page.end())
}

fn walk(conn: &Connection, after: u64, limit: u32) -> Outcome<Vec<Walked>> {
    let mut select = conn.prepare_cached(rows::WALK)?;
    let mut rows = select.query(params![after.cast_signed(), limit])?;
    let mut walked = Vec::new();
    while let Some(row) = rows.next()? {
        let number = number(row, 1)?.cast_unsigned();
        walked.push((number, readable("audit record", row, record(row))));
    }
    Ok(walked)
}
