//! Apps at Meta.

use async_trait::async_trait;
use dakghar_core::domain::ids::{AppId, SignupConfigId};
use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::ports::{AppStore, Saved, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read, asked_for};
use super::failure::Outcome;
use super::secrets::{secrets_of, secrets_text};

/// In the order in which [`app`] reads them.
pub(super) const COLUMNS: &str =
    "id, name, wrapped_data_key, sealed_verify_token, secrets, signup_config_id, created_at, updated_at, version";

const INSERT: &str = "\
    INSERT INTO apps (id, name, wrapped_data_key, sealed_verify_token, secrets, signup_config_id, created_at, updated_at, \
    version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
const SAVE: &str = "\
    UPDATE apps SET name = ?, wrapped_data_key = ?, sealed_verify_token = ?, secrets = ?, \
    signup_config_id = ?, updated_at = ?, version = version + 1 WHERE id = ? AND version = ?";
const FIND: &str = "\
    SELECT id, name, wrapped_data_key, sealed_verify_token, secrets, signup_config_id, created_at, updated_at, version \
    FROM apps WHERE id = ?";
const ALL: &str = "\
    SELECT id, name, wrapped_data_key, sealed_verify_token, secrets, signup_config_id, created_at, updated_at, version \
    FROM apps ORDER BY id";
const REMOVE: &str = "DELETE FROM apps WHERE id = ?";

#[async_trait]
impl AppStore for SqliteStore {
    async fn insert_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        let app = app.clone();
        self.writer.run(move |conn| insert(conn, &app)).await
    }

    async fn save_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        let app = app.clone();
        self.writer.run(move |conn| save(conn, &app)).await
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
        self.writer.run(move |conn| remove(conn, &id)).await
    }
}

/// Stores a new app.
pub(super) fn insert(conn: &Connection, app: &MetaApp) -> Outcome<Saved> {
    let inserted = conn.prepare_cached(INSERT)?.execute(params![
        app.id.as_str(),
        app.name,
        app.wrapped_data_key,
        app.sealed_verify_token,
        secrets_text(&app.secrets),
        app.signup_config_id.as_ref().map(SignupConfigId::as_str),
        app.created_at.as_millis(),
        app.updated_at.as_millis(),
        app.version.cast_signed(),
    ])?;
    Ok(saved(inserted))
}

/// Saves an app.
pub(super) fn save(conn: &Connection, app: &MetaApp) -> Outcome<Saved> {
    let updated = conn.prepare_cached(SAVE)?.execute(params![
        app.name,
        app.wrapped_data_key,
        app.sealed_verify_token,
        secrets_text(&app.secrets),
        app.signup_config_id.as_ref().map(SignupConfigId::as_str),
        app.updated_at.as_millis(),
        app.id.as_str(),
        app.version.cast_signed(),
    ])?;
    Ok(saved(updated))
}

/// Deletes an app. Returns false if there was none.
pub(super) fn remove(conn: &Connection, id: &AppId) -> Outcome<bool> {
    Ok(conn.prepare_cached(REMOVE)?.execute([id.as_str()])? > 0)
}

const fn saved(rows: usize) -> Saved {
    if rows == 1 { Saved::Done } else { Saved::Stale }
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
        signup_config_id: cells.maybe_parse(SignupConfigId::parse)?,
        created_at: cells.time()?,
        updated_at: cells.time()?,
        version: cells.count()?,
    })
}
