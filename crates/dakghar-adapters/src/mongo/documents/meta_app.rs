//! An app at Meta as one document. Its secrets are in it only sealed.

use std::borrow::Cow;

use bson::{Binary, DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::ids::{AppId, SignupConfigId};
use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use super::secret::SecretFields;
use super::{SCHEMA_VERSION, Unreadable, binary, counter, date, from_raw, timestamp, to_raw};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppFields<'a> {
    #[serde(rename = "_id")]
    id: Cow<'a, str>,
    schema_version: i32,
    name: Cow<'a, str>,
    wrapped_data_key: Binary,
    sealed_verify_token: Binary,
    secrets: Vec<SecretFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signup_config_id: Option<Cow<'a, str>>,
    created_at: DateTime,
    updated_at: DateTime,
    version: i64,
}

/// An app as a document, under this version.
pub(in crate::mongo) fn encode(app: &MetaApp, version: u64) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&AppFields {
        id: app.id.as_str().into(),
        schema_version: SCHEMA_VERSION,
        name: app.name.as_str().into(),
        wrapped_data_key: binary(&app.wrapped_data_key),
        sealed_verify_token: binary(&app.sealed_verify_token),
        secrets: app.secrets.iter().map(Into::into).collect(),
        signup_config_id: app.signup_config_id.as_ref().map(|id| id.as_str().into()),
        created_at: date(app.created_at),
        updated_at: date(app.updated_at),
        version: counter(version),
    })
}

/// Reads an app.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<MetaApp, Unreadable> {
    let fields: AppFields<'_> = from_raw("app", raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version("app", &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field("app", &fields.id, field);
    let config = fields.signup_config_id.as_deref().map(SignupConfigId::parse);
    Ok(MetaApp {
        id: AppId::parse(&fields.id).map_err(|_| wrong("_id"))?,
        name: fields.name.to_string(),
        wrapped_data_key: fields.wrapped_data_key.bytes.clone(),
        sealed_verify_token: fields.sealed_verify_token.bytes.clone(),
        secrets: fields.secrets.iter().map(Into::into).collect(),
        signup_config_id: config.transpose().map_err(|_| wrong("signupConfigId"))?,
        created_at: timestamp(fields.created_at),
        updated_at: timestamp(fields.updated_at),
        version: u64::try_from(fields.version).map_err(|_| wrong("version"))?,
    })
}
