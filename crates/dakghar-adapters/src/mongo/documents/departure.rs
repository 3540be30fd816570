//! A departure as a document: its record is one text, as in the other store.

use bson::{DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::departure::Departure;
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use crate::stored::departure;

use super::{SCHEMA_VERSION, Unreadable, counter, date, from_raw, to_raw};

const WHAT: &str = "departure";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DepartureFields {
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    tenant_id: String,
    /// The tenant, while it is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_of: Option<String>,
    /// Present while a process must work on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<DateTime>,
    /// Present once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime>,
    version: i64,
    record: String,
}

/// A departure as a document of this version.
pub(in crate::mongo) fn encode(departure: &Departure, version: u64) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&DepartureFields {
        id: departure.id.to_string(),
        schema_version: SCHEMA_VERSION,
        tenant_id: departure.tenant_id.to_string(),
        open_of: departure.is_open().then(|| departure.tenant_id.to_string()),
        due_at: departure.due_at().map(date),
        ended_at: departure.ended_at.map(date),
        version: counter(version),
        record: departure::text_of(departure),
    })
}

/// Reads a departure.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<Departure, Unreadable> {
    let fields: DepartureFields = from_raw(WHAT, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(WHAT, &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field(WHAT, &fields.id, field);
    let version = u64::try_from(fields.version).map_err(|_| wrong("version"))?;
    departure::parse(&fields.record, version).ok_or_else(|| wrong("record"))
}
