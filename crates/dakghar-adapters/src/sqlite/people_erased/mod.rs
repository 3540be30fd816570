//! Erasures of people: their records here, the work in the files below.

mod answers;
mod portions;
mod remains;

use async_trait::async_trait;
use dakghar_core::domain::erasure::PersonErasure;
use dakghar_core::domain::ids::{ErasureId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::ports::{PersonErased, PersonErasureStore, PersonPortion, Remains, Saved, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read};
use super::failure::Outcome;
use super::records::Records;
use super::texts::before_text;
use crate::stored::erasure;

pub(super) use remains::clear;

#[cfg(test)]
pub(super) use {
    answers::LOGS,
    portions::{EVENTS, GROUP_MESSAGES, MESSAGES, REPORTS},
};

const ERASURES: Records<PersonErasure> = Records { name: "erasure", read };

const INSERT: &str = "\
    INSERT INTO erasures (id, tenant_id, needs_work, updated_at, version, record) VALUES (?, ?, ?, ?, ?, ?) \
    ON CONFLICT (id) DO NOTHING";

const SAVE: &str = "\
    UPDATE erasures SET (needs_work, updated_at, version, record) = (?, ?, ?, ?) WHERE id = ? AND version = ?";

const FIND: &str = "SELECT id, version, record FROM erasures WHERE id = ? AND tenant_id = ?";

pub(super) const LIST: &str = "\
    SELECT id, version, record FROM erasures INDEXED BY erasures_of_tenant \
    WHERE tenant_id = ?1 AND id < ?2 ORDER BY id DESC";

pub(super) const DUE: &str = "\
    SELECT id, version, record FROM erasures INDEXED BY erasures_due WHERE needs_work = 1 ORDER BY updated_at";

/// Stores a new erasure. Returns false if it is there already.
pub(super) fn insert(conn: &Connection, erasure: &PersonErasure) -> Outcome<bool> {
    let inserted = conn.prepare_cached(INSERT)?.execute(params![
        erasure.id.to_string(),
        erasure.tenant_id.to_string(),
        erasure.is_open(),
        erasure.updated_at.as_millis(),
        erasure.version.cast_signed(),
        erasure::text_of(erasure),
    ])?;
    Ok(inserted == 1)
}

#[async_trait]
impl PersonErasureStore for SqliteStore {
    async fn insert_erasure(&self, erasure: &PersonErasure) -> Result<(), StoreError> {
        let erasure = erasure.clone();
        self.writer.run(move |conn| insert(conn, &erasure).map(drop)).await
    }

    async fn save_erasure(&self, erasure: &PersonErasure) -> Result<Saved, StoreError> {
        let erasure = erasure.clone();
        self.writer
            .run(move |conn| {
                let saved = conn.prepare_cached(SAVE)?.execute(params![
                    erasure.is_open(),
                    erasure.updated_at.as_millis(),
                    (erasure.version + 1).cast_signed(),
                    erasure::text_of(&erasure),
                    erasure.id.to_string(),
                    erasure.version.cast_signed(),
                ])?;
                Ok(if saved == 1 { Saved::Done } else { Saved::Stale })
            })
            .await
    }

    async fn find_erasure(&self, tenant_id: &TenantId, id: &ErasureId) -> Result<Option<PersonErasure>, StoreError> {
        let (tenant_id, id) = (tenant_id.to_string(), id.to_string());
        let find = move |conn: &Connection| ERASURES.one(conn, FIND, [id, tenant_id]);
        self.delivery.run(find).await?.transpose()
    }

    async fn list_erasures(
        &self,
        tenant_id: &TenantId,
        before: Option<ErasureId>,
        limit: PageLimit,
    ) -> Result<Listed<PersonErasure>, StoreError> {
        let tenant_id = tenant_id.to_string();
        self.lists
            .run(move |conn| ERASURES.page(conn, LIST, params![tenant_id, before_text(before)], limit))
            .await
    }

    async fn due_erasures(&self, limit: u32) -> Result<Vec<PersonErasure>, StoreError> {
        self.delivery
            .run(move |conn| ERASURES.first(conn, DUE, [], limit as usize))
            .await
    }

    async fn erase_person(&self, portion: &PersonPortion) -> Result<PersonErased, StoreError> {
        let portion = portion.clone();
        self.writer.run(move |conn| portions::erase(conn, &portion)).await
    }

    async fn clear_remains(&self) -> Result<Remains, StoreError> {
        self.writer.clear_remains().await
    }
}

fn read(row: &Row<'_>) -> Read<PersonErasure> {
    let mut cells = Cells::from(row, 1);
    let version = cells.count()?;
    let record: String = cells.get()?;
    erasure::parse(&record, version).ok_or_else(|| Damaged("the column record is not understood".to_owned()))
}
