//! The secrets of the installation, sealed.

use async_trait::async_trait;
use dakghar_core::domain::installation::SealedSecrets;
use dakghar_core::ports::{InstallationStore, Saved, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read, asked_for};

/// In the order in which [`sealed_secrets`] reads them.
pub(super) const COLUMNS: &str = "name, wrapped_data_key, sealed, version";

const INSERT: &str = "\
    INSERT INTO installation_secrets (name, wrapped_data_key, sealed, version) VALUES (?, ?, ?, ?) \
    ON CONFLICT (name) DO NOTHING";
const SAVE: &str = "\
    UPDATE installation_secrets SET wrapped_data_key = ?, sealed = ?, version = version + 1 WHERE name = ? AND version = ?";
const FIND: &str = "SELECT name, wrapped_data_key, sealed, version FROM installation_secrets WHERE name = ?";

#[async_trait]
impl InstallationStore for SqliteStore {
    async fn insert_secrets(&self, secrets: &SealedSecrets) -> Result<Saved, StoreError> {
        let secrets = secrets.clone();
        self.writer
            .run(move |conn| {
                let inserted = conn.prepare_cached(INSERT)?.execute(params![
                    secrets.name,
                    secrets.wrapped_data_key,
                    secrets.sealed,
                    secrets.version.cast_signed(),
                ])?;
                Ok(saved(inserted))
            })
            .await
    }

    async fn save_secrets(&self, secrets: &SealedSecrets) -> Result<Saved, StoreError> {
        let secrets = secrets.clone();
        self.writer
            .run(move |conn| {
                let updated = conn.prepare_cached(SAVE)?.execute(params![
                    secrets.wrapped_data_key,
                    secrets.sealed,
                    secrets.name,
                    secrets.version.cast_signed(),
                ])?;
                Ok(saved(updated))
            })
            .await
    }

    async fn find_secrets(&self, name: &str) -> Result<Option<SealedSecrets>, StoreError> {
        let name = name.to_owned();
        let find = move |conn: &Connection| {
            let mut select = conn.prepare_cached(FIND)?;
            let mut found = select.query([name])?;
            let Some(row) = found.next()? else { return Ok(None) };
            Ok(Some(asked_for("secrets of the installation", row, sealed_secrets(row))))
        };
        self.delivery.run(find).await?.transpose()
    }
}

const fn saved(rows: usize) -> Saved {
    if rows == 1 { Saved::Done } else { Saved::Stale }
}

/// Reads sealed secrets.
pub(super) fn sealed_secrets(row: &Row<'_>) -> Read<SealedSecrets> {
    let mut cells = Cells::of(row);
    let secrets = SealedSecrets {
        name: cells.get()?,
        wrapped_data_key: cells.get()?,
        sealed: cells.get()?,
        version: cells.count()?,
    };
    if secrets.wrapped_data_key.is_empty() || secrets.sealed.is_empty() {
        return Err(Damaged(
            "the columns wrapped_data_key and sealed must not be empty".into(),
        ));
    }
    Ok(secrets)
}
