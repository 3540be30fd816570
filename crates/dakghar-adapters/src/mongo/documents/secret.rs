//! A secret in the document of what it belongs to, sealed.

use bson::{Binary, DateTime};
use dakghar_core::domain::sealed_secret::SealedSecret;
use serde::{Deserialize, Serialize};

use super::{binary, date, timestamp};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretFields {
    sealed: Binary,
    added_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_until: Option<DateTime>,
}

impl From<&SealedSecret> for SecretFields {
    fn from(secret: &SealedSecret) -> Self {
        Self {
            sealed: binary(&secret.sealed),
            added_at: date(secret.added_at),
            valid_until: secret.valid_until.map(date),
        }
    }
}

impl From<&SecretFields> for SealedSecret {
    fn from(fields: &SecretFields) -> Self {
        Self {
            sealed: fields.sealed.bytes.clone(),
            added_at: timestamp(fields.added_at),
            valid_until: fields.valid_until.map(timestamp),
        }
    }
}
