//! The erasure of a person as a document: its record is one text, as in the other store.

use bson::{DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::erasure::PersonErasure;
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use crate::stored::erasure;

use super::{SCHEMA_VERSION, Unreadable, counter, date, from_raw, to_raw};

const WHAT: &str = "erasure";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErasureFields {
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    tenant_id: String,
    /// Present while a process must work on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    needs_work: Option<bool>,
    updated_at: DateTime,
    version: i64,
    record: String,
}

/// An erasure as a document of this version.
pub(in crate::mongo) fn encode(erasure: &PersonErasure, version: u64) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&ErasureFields {
        id: erasure.id.to_string(),
        schema_version: SCHEMA_VERSION,
        tenant_id: erasure.tenant_id.to_string(),
        needs_work: erasure.is_open().then_some(true),
        updated_at: date(erasure.updated_at),
        version: counter(version),
        record: erasure::text_of(erasure),
    })
}

/// Reads an erasure.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<PersonErasure, Unreadable> {
    let fields: ErasureFields = from_raw(WHAT, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(WHAT, &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field(WHAT, &fields.id, field);
    let version = u64::try_from(fields.version).map_err(|_| wrong("version"))?;
    erasure::parse(&fields.record, version).ok_or_else(|| wrong("record"))
}
