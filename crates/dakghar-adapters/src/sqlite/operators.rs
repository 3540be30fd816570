//! Keys of operators.

use async_trait::async_trait;
use dakghar_core::domain::ids::ApiKeyId;
use dakghar_core::domain::operator_key::{OperatorKey, Role};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{OperatorStore, Saved, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read};
use super::failure::Outcome;
use super::records::Records;
use super::rows::millis;
use crate::stored::api_keys;

const KEYS: Records<OperatorKey> = Records {
    name: "operator key",
    read: operator_key,
};

/// In the order in which [`operator_key`] reads them.
pub(super) const COLUMNS: &str = "id, role, key, used_at, version";

const INSERT: &str = "\
    INSERT INTO operator_keys (id, role, key, used_at, version) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
const SAVE: &str = "UPDATE operator_keys SET role = ?, key = ?, version = version + 1 WHERE id = ? AND version = ?";
const FIND: &str = "SELECT id, role, key, used_at, version FROM operator_keys WHERE id = ?";
const ALL: &str = "SELECT id, role, key, used_at, version FROM operator_keys ORDER BY id";
const REMOVE: &str = "DELETE FROM operator_keys WHERE id = ?";
const NOTE: &str = "UPDATE operator_keys SET used_at = max(ifnull(used_at, ?1), ?1) WHERE id = ?2";

#[async_trait]
impl OperatorStore for SqliteStore {
    async fn insert_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError> {
        let key = key.clone();
        self.writer.run(move |conn| insert(conn, &key)).await
    }

    async fn save_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError> {
        let key = key.clone();
        self.writer.run(move |conn| save(conn, &key)).await
    }

    async fn find_operator_key(&self, id: &ApiKeyId) -> Result<Option<OperatorKey>, StoreError> {
        let id = id.to_string();
        let find = move |conn: &Connection| KEYS.one(conn, FIND, [id]);
        self.delivery.run(find).await?.transpose()
    }

    async fn operator_keys(&self) -> Result<Vec<OperatorKey>, StoreError> {
        self.delivery.run(|conn| KEYS.first(conn, ALL, [], usize::MAX)).await
    }

    async fn remove_operator_key(&self, id: &ApiKeyId) -> Result<bool, StoreError> {
        let id = *id;
        self.writer.run(move |conn| remove(conn, &id)).await
    }

    async fn note_operator_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        let id = id.to_string();
        self.writer
            .run(move |conn| {
                conn.prepare_cached(NOTE)?.execute(params![at.as_millis(), id])?;
                Ok(())
            })
            .await
    }
}

/// Stores a new key.
pub(super) fn insert(conn: &Connection, key: &OperatorKey) -> Outcome<Saved> {
    let inserted = conn.prepare_cached(INSERT)?.execute(params![
        key.key.id.to_string(),
        key.role.as_str(),
        api_keys::text_of(std::slice::from_ref(&key.key)),
        millis(key.key.last_used_at),
        key.version.cast_signed(),
    ])?;
    Ok(saved(inserted))
}

/// Saves a key.
pub(super) fn save(conn: &Connection, key: &OperatorKey) -> Outcome<Saved> {
    let updated = conn.prepare_cached(SAVE)?.execute(params![
        key.role.as_str(),
        api_keys::text_of(std::slice::from_ref(&key.key)),
        key.key.id.to_string(),
        key.version.cast_signed(),
    ])?;
    Ok(saved(updated))
}

/// Deletes a key. Returns false if there was none.
pub(super) fn remove(conn: &Connection, id: &ApiKeyId) -> Outcome<bool> {
    Ok(conn.prepare_cached(REMOVE)?.execute([id.to_string()])? > 0)
}

const fn saved(rows: usize) -> Saved {
    if rows == 1 { Saved::Done } else { Saved::Stale }
}

/// Reads a key of an operator.
pub(super) fn operator_key(row: &Row<'_>) -> Read<OperatorKey> {
    let mut cells = Cells::of(row);
    let id = cells.parse(ApiKeyId::parse)?;
    let role = cells.parse(Role::parse)?;
    let key = cells.parse(api_keys::parse_one)?;
    if key.id != id {
        return Err(Damaged("the column key is that of another one".into()));
    }
    let last_used_at = cells.maybe_time()?;
    Ok(OperatorKey {
        role,
        key: api_keys::of_role(key, role, last_used_at),
        version: cells.count()?,
    })
}
