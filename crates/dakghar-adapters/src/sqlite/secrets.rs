//! Secrets as they stand in a column: a list as JSON, each of them sealed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dakghar_core::domain::Timestamp;
use dakghar_core::domain::sealed_secret::SealedSecret;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct SecretFields {
    sealed: String,
    added_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_until: Option<i64>,
}

pub(super) fn secrets_text(secrets: &[SealedSecret]) -> String {
    let fields: Vec<SecretFields> = secrets
        .iter()
        .map(|secret| SecretFields {
            sealed: STANDARD.encode(&secret.sealed),
            added_at: secret.added_at.as_millis(),
            valid_until: secret.valid_until.map(Timestamp::as_millis),
        })
        .collect();
    serde_json::to_string(&fields).expect("plain data")
}

/// Reads what [`secrets_text`] wrote.
pub(super) fn secrets_of(text: &str) -> Option<Vec<SealedSecret>> {
    let fields: Vec<SecretFields> = serde_json::from_str(text).ok()?;
    let secret = |fields: SecretFields| {
        Some(SealedSecret {
            sealed: STANDARD.decode(fields.sealed).ok()?,
            added_at: Timestamp::from_millis(fields.added_at),
            valid_until: fields.valid_until.map(Timestamp::from_millis),
        })
    };
    fields.into_iter().map(secret).collect()
}
