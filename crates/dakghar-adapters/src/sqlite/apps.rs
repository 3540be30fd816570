//! Apps at Meta.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dakghar_core::domain::Timestamp;
use dakghar_core::domain::ids::AppId;
use dakghar_core::domain::meta_app::{AppSecret, MetaApp};
use dakghar_core::ports::{AppStore, Saved, StoreError};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read, asked_for};

/// In the order in which [`app`] reads them.
pub(super) const COLUMNS: &str =
    "id, name, wrapped_data_key, sealed_verify_token, secrets, created_at, updated_at, version";

const INSERT: &str = "\
    INSERT INTO apps (id, name, wrapped_data_key, sealed_verify_token, secrets, created_at, updated_at, version) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
const SAVE: &str = "\
    UPDATE apps SET name = ?, wrapped_data_key = ?, sealed_verify_token = ?, secrets = ?, updated_at = ?, \
    version = version + 1 WHERE id = ? AND version = ?";
const FIND: &str = "\
    SELECT id, name, wrapped_data_key, sealed_verify_token, secrets, created_at, updated_at, version \
    FROM apps WHERE id = ?";
const ALL: &str = "\
    SELECT id, name, wrapped_data_key, sealed_verify_token, secrets, created_at, updated_at, version \
    FROM apps ORDER BY id";
const REMOVE: &str = "DELETE FROM apps WHERE id = ?";

/// A secret as it stands in its column.
#[derive(Serialize, Deserialize)]
struct SecretFields {
    sealed: String,
    added_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_until: Option<i64>,
}

#[async_trait]
impl AppStore for SqliteStore {
    async fn insert_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        let app = app.clone();
        self.writer
            .run(move |conn| {
                let inserted = conn.prepare_cached(INSERT)?.execute(params![
                    app.id.as_str(),
                    app.name,
                    app.wrapped_data_key,
                    app.sealed_verify_token,
                    secrets_text(&app.secrets),
                    app.created_at.as_millis(),
                    app.updated_at.as_millis(),
                    app.version.cast_signed(),
                ])?;
                Ok(saved(inserted))
            })
            .await
    }

    async fn save_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        let app = app.clone();
        self.writer
            .run(move |conn| {
                let updated = conn.prepare_cached(SAVE)?.execute(params![
                    app.name,
                    app.wrapped_data_key,
                    app.sealed_verify_token,
                    secrets_text(&app.secrets),
                    app.updated_at.as_millis(),
                    app.id.as_str(),
                    app.version.cast_signed(),
                ])?;
                Ok(saved(updated))
            })
            .await
    }

    async fn find_app(&self, id: &AppId) -> Result<Option<MetaApp>, StoreError> {
        let id = id.clone();
        let find = move |conn: &Connection| {
            let mut select = conn.prepare_cached(FIND)?;
            let mut found = select.query([id.as_str()])?;
            let Some(row) = found.next()? else { return Ok(None) };
            Ok(Some(asked_for("app", row, app(row))))
        };
        self.delivery.run(find).await?.transpose()
    }

    async fn apps(&self) -> Result<Vec<Result<MetaApp, StoreError>>, StoreError> {
        self.delivery
            .run(|conn| {
                let mut select = conn.prepare_cached(ALL)?;
                let mut rows = select.query([])?;
                let mut apps = Vec::new();
                while let Some(row) = rows.next()? {
                    apps.push(asked_for("app", row, app(row)));
                }
                Ok(apps)
            })
            .await
    }

    async fn remove_app(&self, id: &AppId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.writer
            .run(move |conn| Ok(conn.prepare_cached(REMOVE)?.execute([id.as_str()])? > 0))
            .await
    }
}

const fn saved(rows: usize) -> Saved {
    if rows == 1 { Saved::Done } else { Saved::Stale }
}

fn secrets_text(secrets: &[AppSecret]) -> String {
    let fields: Vec<SecretFields> = secrets
        .iter()
        .map(|secret| SecretFields {
            sealed: STANDARD.encode(&secret.sealed),
            added_at: secret.added_at.as_millis(),
            valid_until: secret.valid_until.map(Timestamp::as_millis),
        })
        .collect();
    serde_json::to_string(&fields).expect("plain data")
}

fn secrets_of(text: &str) -> Option<Vec<AppSecret>> {
    let fields: Vec<SecretFields> = serde_json::from_str(text).ok()?;
    let secret = |fields: SecretFields| {
        Some(AppSecret {
            sealed: STANDARD.decode(fields.sealed).ok()?,
            added_at: Timestamp::from_millis(fields.added_at),
            valid_until: fields.valid_until.map(Timestamp::from_millis),
        })
    };
    fields.into_iter().map(secret).collect()
}

/// Reads an app.
pub(super) fn app(row: &Row<'_>) -> Read<MetaApp> {
    let mut cells = Cells::of(row);
    Ok(MetaApp {
        id: cells.parse(AppId::parse)?,
        name: cells.get()?,
        wrapped_data_key: cells.get()?,
        sealed_verify_token: cells.get()?,
        secrets: secrets_of(&cells.get::<String>()?)
            .ok_or_else(|| Damaged("the column secrets is not understood".into()))?,
        created_at: cells.time()?,
        updated_at: cells.time()?,
        version: cells.count()?,
    })
}
