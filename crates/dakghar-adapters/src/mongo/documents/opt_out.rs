//! A person's wish, as a document.

use bson::{DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::ids::{TenantId, WaId};
use dakghar_core::domain::opt_out::{OptOut, OptOutKey, OptOutSource};
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use super::{SCHEMA_VERSION, Unreadable, date, from_raw, timestamp, to_raw};

const WHAT: &str = "opt-out";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OptOutFields {
    /// The tenant, the mark of the person and the scope.
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    tenant_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    is_out: bool,
    at: DateTime,
    source: String,
}

/// The wish as a document.
pub(in crate::mongo) fn encode(said: &OptOut) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&OptOutFields {
        id: said.id(),
        schema_version: SCHEMA_VERSION,
        tenant_id: said.tenant_id.to_string(),
        person: said.person.as_ref().map(WaId::to_string),
        is_out: said.is_out,
        at: date(said.at),
        source: said.source.as_str().to_owned(),
    })
}

/// Reads what was said.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<OptOut, Unreadable> {
    let fields: OptOutFields = from_raw(WHAT, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(WHAT, &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field(WHAT, &fields.id, field);
    let key = fields.id.split_once('/').and_then(|(_, key)| OptOutKey::parse(key));
    let person = fields.person.as_deref().map(WaId::parse).transpose();
    Ok(OptOut {
        tenant_id: TenantId::parse(&fields.tenant_id).map_err(|_| wrong("tenantId"))?,
        key: key.ok_or_else(|| wrong("_id"))?,
        person: person.map_err(|_| wrong("person"))?,
        is_out: fields.is_out,
        at: timestamp(fields.at),
        source: OptOutSource::parse(&fields.source).ok_or_else(|| wrong("source"))?,
    })
}
