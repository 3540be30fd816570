//! Signups.

use async_trait::async_trait;
use dakghar_core::domain::ids::{SignupId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::signup::Signup;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{Saved, SignupStore, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read};
use super::failure::Outcome;
use super::records::Records;
use super::rows::millis;
use super::texts::before_text;
use crate::stored::signup;

const SIGNUPS: Records<Signup> = Records { name: "signup", read };

const INSERT: &str = "\
    INSERT INTO signups (id, tenant_id, key_hash, due_at, version, record) VALUES (?, ?, ?, ?, ?, ?) \
    ON CONFLICT DO NOTHING";

const SAVE: &str = "UPDATE signups SET (due_at, version, record) = (?, ?, ?) WHERE id = ? AND version = ?";

const FIND: &str = "SELECT id, version, key_hash, record FROM signups WHERE id = ? AND tenant_id = ?";

pub(super) const FIND_OF_KEY: &str =
    "SELECT id, version, key_hash, record FROM signups INDEXED BY signups_of_key WHERE key_hash = ?";

pub(super) const LIST: &str = "\
    SELECT id, version, key_hash, record FROM signups INDEXED BY signups_of_tenant \
    WHERE tenant_id = ?1 AND id < ?2 ORDER BY id DESC";

pub(super) const DUE: &str = "\
    SELECT id, version, key_hash, record FROM signups INDEXED BY signups_due \
    WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at";

/// Stores a new signup. Returns `Stale` if its id or its key is known.
pub(super) fn insert(conn: &Connection, signup: &Signup) -> Outcome<Saved> {
    let inserted = conn.prepare_cached(INSERT)?.execute(params![
        signup.id.to_string(),
        signup.tenant_id.to_string(),
        signup.key,
        millis(signup.due_at()),
        signup.version.cast_signed(),
        signup::text_of(signup),
    ])?;
    Ok(if inserted == 1 { Saved::Done } else { Saved::Stale })
}

/// Saves a signup.
pub(super) fn save(conn: &Connection, signup: &Signup) -> Outcome<Saved> {
    let saved = conn.prepare_cached(SAVE)?.execute(params![
        millis(signup.due_at()),
        (signup.version + 1).cast_signed(),
        signup::text_of(signup),
        signup.id.to_string(),
        signup.version.cast_signed(),
    ])?;
    Ok(if saved == 1 { Saved::Done } else { Saved::Stale })
}

#[async_trait]
impl SignupStore for SqliteStore {
    async fn insert_signup(&self, signup: &Signup) -> Result<Saved, StoreError> {
        let signup = signup.clone();
        self.writer.run(move |conn| insert(conn, &signup)).await
    }

    async fn save_signup(&self, signup: &Signup) -> Result<Saved, StoreError> {
        let signup = signup.clone();
        self.writer.run(move |conn| save(conn, &signup)).await
    }

    async fn find_signup(&self, tenant_id: &TenantId, id: &SignupId) -> Result<Option<Signup>, StoreError> {
        let (tenant_id, id) = (tenant_id.to_string(), id.to_string());
        let find = move |conn: &Connection| SIGNUPS.one(conn, FIND, [id, tenant_id]);
        self.delivery.run(find).await?.transpose()
    }

    async fn find_signup_of_key(&self, key: &[u8]) -> Result<Option<Signup>, StoreError> {
        let key = key.to_vec();
        let find = move |conn: &Connection| SIGNUPS.one(conn, FIND_OF_KEY, [key]);
        self.delivery.run(find).await?.transpose()
    }

    async fn list_signups(
        &self,
        tenant_id: &TenantId,
        before: Option<SignupId>,
        limit: PageLimit,
    ) -> Result<Listed<Signup>, StoreError> {
        let tenant_id = tenant_id.to_string();
        self.lists
            .run(move |conn| SIGNUPS.page(conn, LIST, params![tenant_id, before_text(before)], limit))
            .await
    }

    async fn due_signups(&self, now: Timestamp, limit: u32) -> Result<Vec<Signup>, StoreError> {
        self.delivery
            .run(move |conn| SIGNUPS.first(conn, DUE, [now.as_millis()], limit as usize))
            .await
    }
}

fn read(row: &Row<'_>) -> Read<Signup> {
    let mut cells = Cells::from(row, 1);
    let version = cells.count()?;
    let key: Vec<u8> = cells.get()?;
    let record: String = cells.get()?;
    signup::parse(&record, key, version).ok_or_else(|| Damaged("the column record is not understood".to_owned()))
}
