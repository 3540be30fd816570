//! The secrets of the installation, sealed, as one document.

use std::borrow::Cow;

use bson::{Binary, RawDocument, RawDocumentBuf};
use dakghar_core::domain::installation::SealedSecrets;
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use super::{SCHEMA_VERSION, Unreadable, binary, counter, from_raw, to_raw};

const WHAT: &str = "secrets of the installation";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SealedSecretsFields<'a> {
    #[serde(rename = "_id")]
    name: Cow<'a, str>,
    schema_version: i32,
    wrapped_data_key: Binary,
    sealed: Binary,
    version: i64,
}

/// Secrets as a document, under this version.
pub(in crate::mongo) fn encode(secrets: &SealedSecrets, version: u64) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&SealedSecretsFields {
        name: secrets.name.as_str().into(),
        schema_version: SCHEMA_VERSION,
        wrapped_data_key: binary(&secrets.wrapped_data_key),
        sealed: binary(&secrets.sealed),
        version: counter(version),
    })
}

/// Reads secrets.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<SealedSecrets, Unreadable> {
    let fields: SealedSecretsFields<'_> = from_raw(WHAT, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(WHAT, &fields.name, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field(WHAT, &fields.name, field);
    Ok(SealedSecrets {
        version: u64::try_from(fields.version).map_err(|_| wrong("version"))?,
        name: fields.name.into_owned(),
        wrapped_data_key: fields.wrapped_data_key.bytes,
        sealed: fields.sealed.bytes,
    })
}
