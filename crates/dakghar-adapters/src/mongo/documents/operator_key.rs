//! A key of an operator as one document.

use std::borrow::Cow;

use bson::{DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::operator_key::{OperatorKey, Role};
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use crate::stored::api_keys;

use super::{SCHEMA_VERSION, Unreadable, counter, date, from_raw, timestamp, to_raw};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OperatorKeyFields<'a> {
    #[serde(rename = "_id")]
    id: Cow<'a, str>,
    schema_version: i32,
    role: Cow<'a, str>,
    /// JSON.
    key: Cow<'a, str>,
    /// The time of its last use, which changes without a new version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_at: Option<DateTime>,
    version: i64,
}

/// A key as a document, under this version.
pub(in crate::mongo) fn encode(key: &OperatorKey, version: u64) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&OperatorKeyFields {
        id: key.key.id.to_string().into(),
        schema_version: SCHEMA_VERSION,
        role: key.role.as_str().into(),
        key: api_keys::text_of(std::slice::from_ref(&key.key)).into(),
        used_at: key.key.last_used_at.map(date),
        version: counter(version),
    })
}

/// Reads a key.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<OperatorKey, Unreadable> {
    let fields: OperatorKeyFields<'_> = from_raw("operator key", raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version("operator key", &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field("operator key", &fields.id, field);
    let role = Role::parse(&fields.role).ok_or_else(|| wrong("role"))?;
    let key = api_keys::parse_one(&fields.key).filter(|key| key.id.to_string() == fields.id);
    let key = key.ok_or_else(|| wrong("key"))?;
    Ok(OperatorKey {
        role,
        key: api_keys::of_role(key, role, fields.used_at.map(timestamp)),
        version: u64::try_from(fields.version).map_err(|_| wrong("version"))?,
    })
}
