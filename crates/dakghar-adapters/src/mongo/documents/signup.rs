//! A signup as a document: its record is one text, as in the other store.

use bson::{Binary, DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::signup::Signup;
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use crate::stored::signup;

use super::{SCHEMA_VERSION, Unreadable, binary, counter, date, from_raw, to_raw};

const WHAT: &str = "signup";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignupFields {
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    tenant_id: String,
    /// A keyed hash of the code that it began with, or of the secret of its link.
    key_hash: Binary,
    /// Present while a process must work on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<DateTime>,
    version: i64,
    record: String,
}

/// A signup as a document of this version.
pub(in crate::mongo) fn encode(signup: &Signup, version: u64) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&SignupFields {
        id: signup.id.to_string(),
        schema_version: SCHEMA_VERSION,
        tenant_id: signup.tenant_id.to_string(),
        key_hash: binary(&signup.key),
        due_at: signup.due_at().map(date),
        version: counter(version),
        record: signup::text_of(signup),
    })
}

/// Reads a signup.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<Signup, Unreadable> {
    let fields: SignupFields = from_raw(WHAT, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(WHAT, &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field(WHAT, &fields.id, field);
    let version = u64::try_from(fields.version).map_err(|_| wrong("version"))?;
    signup::parse(&fields.record, fields.key_hash.bytes.clone(), version).ok_or_else(|| wrong("record"))
}
