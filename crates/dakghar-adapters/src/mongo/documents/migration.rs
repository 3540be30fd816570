//! The record of a migration as a document. There is one at most in a database.

use bson::{Binary, DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::migration::{Kind, KindProgress, Migration, Place, Stage};
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use super::{SCHEMA_VERSION, Unreadable, binary, counter, date, from_raw, timestamp, to_raw};

/// The id of the one document.
pub(in crate::mongo) const ID: &str = "embedded";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MigrationFields {
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    migration_id: String,
    origin: String,
    source_state: Binary,
    stage: String,
    kinds: Vec<KindFields>,
    started_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime>,
    version: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KindFields {
    kind: String,
    total: i64,
    copied: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<Binary>,
}

/// The record under its next version.
pub(in crate::mongo) fn encode_next(migration: &Migration) -> Result<RawDocumentBuf, StoreError> {
    let kind_fields = |progress: &KindProgress| KindFields {
        kind: progress.kind.as_str().to_owned(),
        total: counter(progress.total),
        copied: counter(progress.copied),
        place: progress.place.as_ref().map(|place| place.0.clone()),
        checksum: progress.checksum.as_ref().map(|sum| binary(sum)),
    };
    to_raw(&MigrationFields {
        id: ID.to_owned(),
        schema_version: SCHEMA_VERSION,
        migration_id: migration.id.clone(),
        origin: migration.origin.clone(),
        source_state: binary(&migration.source_state),
        stage: migration.stage.as_str().to_owned(),
        kinds: migration.kinds.iter().map(kind_fields).collect(),
        started_at: date(migration.started_at),
        finished_at: migration.finished_at.map(date),
        version: counter(migration.version + 1),
    })
}

/// Reads the record.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<Migration, Unreadable> {
    let fields: MigrationFields = from_raw("migration", raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version("migration", &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field("migration", &fields.id, field);
    let count = |value: i64| u64::try_from(value).map_err(|_| wrong("kinds"));
    let mut kinds = Vec::with_capacity(fields.kinds.len());
    for kind in &fields.kinds {
        let checksum = kind.checksum.as_ref().map(|sum| sum.bytes.as_slice().try_into());
        kinds.push(KindProgress {
            kind: Kind::parse(&kind.kind).ok_or_else(|| wrong("kinds"))?,
            total: count(kind.total)?,
            copied: count(kind.copied)?,
            place: kind.place.clone().map(Place),
            checksum: checksum.transpose().map_err(|_| wrong("kinds"))?,
        });
    }
    Ok(Migration {
        source_state: fields
            .source_state
            .bytes
            .as_slice()
            .try_into()
            .map_err(|_| wrong("sourceState"))?,
        stage: Stage::parse(&fields.stage).ok_or_else(|| wrong("stage"))?,
        kinds,
        started_at: timestamp(fields.started_at),
        finished_at: fields.finished_at.map(timestamp),
        version: u64::try_from(fields.version).map_err(|_| wrong("version"))?,
        id: fields.migration_id,
        origin: fields.origin,
    })
}
