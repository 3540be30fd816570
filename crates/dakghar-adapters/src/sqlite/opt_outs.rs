//! The wishes of people about being written to.

use async_trait::async_trait;
use dakghar_core::domain::ids::{TenantId, WaId};
use dakghar_core::domain::opt_out::{OptOut, OptOutKey, OptOutScope, OptOutSource, PersonMark};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{OptOutStore, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Read, readable};
use super::failure::Outcome;

/// In the order in which [`opt_out`] reads them.
pub(super) const COLUMNS: &str = "tenant_id, mark, scope, person, is_out, at, source";

/// The last word counts; of two of the same time that which opts out.
const NOTE: &str = "\
    INSERT INTO opt_outs (tenant_id, mark, scope, person, is_out, at, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
    ON CONFLICT (tenant_id, mark, scope) DO UPDATE SET \
        person = excluded.person, is_out = excluded.is_out, at = excluded.at, source = excluded.source \
    WHERE (excluded.at, excluded.is_out) > (at, is_out)";

pub(super) const FIND: &str = "\
    SELECT tenant_id, mark, scope, person, is_out, at, source FROM opt_outs WHERE tenant_id = ? AND mark = ?";

pub(super) const LIST: &str = "\
    SELECT tenant_id, mark, scope, person, is_out, at, source FROM opt_outs \
    WHERE tenant_id = ? AND (mark, scope) < (?, ?) ORDER BY mark DESC, scope DESC";

/// Behind every mark, which is hexadecimal.
const BEHIND_ALL: &str = "g";

pub(super) const FORGET_PERSON: &str = "\
    UPDATE opt_outs INDEXED BY opt_outs_of_person SET person = NULL WHERE tenant_id = ? AND person = ? AND at < ?";

#[async_trait]
impl OptOutStore for SqliteStore {
    async fn note_opt_outs(&self, batch: &[OptOut]) -> Result<(), StoreError> {
        let batch = batch.to_vec();
        self.writer.run(move |conn| note(conn, &batch)).await
    }

    async fn find_opt_outs(&self, tenant_id: &TenantId, people: &[PersonMark]) -> Result<Vec<OptOut>, StoreError> {
        let (tenant_id, people) = (*tenant_id, people.to_vec());
        self.delivery.run(move |conn| find(conn, tenant_id, &people)).await
    }

    async fn list_opt_outs(
        &self,
        tenant_id: &TenantId,
        before: Option<OptOutKey>,
        limit: PageLimit,
    ) -> Result<Listed<OptOut>, StoreError> {
        let tenant_id = tenant_id.to_string();
        self.lists
            .run(move |conn| {
                let mark = before.map_or_else(|| BEHIND_ALL.to_owned(), |before| before.mark.to_string());
                let scope = before.map_or("", |before| before.scope.as_str());
                let mut select = conn.prepare_cached(LIST)?;
                let mut rows = select.query(params![tenant_id, mark, scope])?;
                let mut page = PageFill::new(limit);
                while let Some(row) = rows.next()? {
                    let Some(said) = readable("opt-out", row, opt_out(row)) else {
                        continue;
                    };
                    if said.is_out && page.is_full() {
                        return Ok(page.more());
                    }
                    if said.is_out {
                        page.push(said);
                    }
                }
                Ok(page.end())
            })
            .await
    }
}

/// Keeps what was said, unless something later is known.
pub(super) fn note(conn: &Connection, batch: &[OptOut]) -> Outcome<()> {
    let mut insert = conn.prepare_cached(NOTE)?;
    for said in batch {
        insert.execute(params![
            said.tenant_id.to_string(),
            said.key.mark.to_string(),
            said.key.scope.as_str(),
            said.person.as_ref().map(WaId::as_str),
            said.is_out,
            said.at.as_millis(),
            said.source.as_str(),
        ])?;
    }
    Ok(())
}

/// Takes the id of a person out of what was said before a time. Returns in how many records it was.
pub(super) fn forget_person(conn: &Connection, tenant_id: &str, person: &WaId, before: Timestamp) -> Outcome<u64> {
    let mut update = conn.prepare_cached(FORGET_PERSON)?;
    Ok(update.execute(params![tenant_id, person.as_str(), before.as_millis()])? as u64)
}

fn find(conn: &Connection, tenant_id: TenantId, people: &[PersonMark]) -> Outcome<Vec<OptOut>> {
    let tenant = tenant_id.to_string();
    let mut select = conn.prepare_cached(FIND)?;
    let mut found = Vec::new();
    for mark in people {
        let mut rows = select.query(params![tenant, mark.to_string()])?;
        while let Some(row) = rows.next()? {
            let said = readable("opt-out", row, opt_out(row));
            found.push(said.unwrap_or_else(|| OptOut::unreadable(tenant_id, *mark)));
        }
    }
    Ok(found)
}

/// Reads what was said.
pub(super) fn opt_out(row: &Row<'_>) -> Read<OptOut> {
    let mut cells = Cells::of(row);
    Ok(OptOut {
        tenant_id: cells.parse(TenantId::parse)?,
        key: OptOutKey {
            mark: cells.parse(PersonMark::parse)?,
            scope: cells.parse(OptOutScope::parse)?,
        },
        person: cells.maybe_parse(WaId::parse)?,
        is_out: cells.get()?,
        at: cells.time()?,
        source: cells.parse(OptOutSource::parse)?,
    })
}

/// Returns the three columns of the key that an id names; empty texts for the beginning.
pub(super) fn place(id: &str) -> [&str; 3] {
    let mut parts = id.splitn(3, '/');
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}
