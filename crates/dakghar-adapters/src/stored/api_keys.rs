//! API keys, as both stores keep them: one text, JSON. Their last uses are kept beside it, because they change without a
//! save.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use dakghar_core::domain::api_key::{ApiKey, KeySecret, parse_network};
use dakghar_core::domain::ids::ApiKeyId;
use dakghar_core::domain::operator_key::Role;
use dakghar_core::domain::scopes::{Scope, Scopes};
use dakghar_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyFields {
    id: String,
    name: String,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    networks: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    secrets: Vec<SecretFields>,
    created_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretFields {
    /// In base64.
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_until: Option<i64>,
}

/// The times of the last uses, by the ids of keys.
pub(crate) type Uses = BTreeMap<String, Timestamp>;

/// Returns the text of these keys, without their last uses.
pub(crate) fn text_of(keys: &[ApiKey]) -> String {
    let fields: Vec<KeyFields> = keys.iter().map(fields_of).collect();
    serde_json::to_string(&fields).expect("texts and numbers")
}

/// Reads the text; `None` if it cannot be understood.
pub(crate) fn parse(text: &str) -> Option<Vec<ApiKey>> {
    let fields: Vec<KeyFields> = serde_json::from_str(text).ok()?;
    fields.into_iter().map(key_of).collect()
}

/// Reads the text of one key.
pub(crate) fn parse_one(text: &str) -> Option<ApiKey> {
    let [key] = parse(text)?.try_into().ok()?;
    Some(key)
}

/// Gives the key of an operator the scopes of its role, whatever is stored, and its last use.
pub(crate) fn of_role(key: ApiKey, role: Role, last_used_at: Option<Timestamp>) -> ApiKey {
    ApiKey {
        scopes: role.scopes(),
        last_used_at,
        ..key
    }
}

/// Returns the last uses of these keys.
pub(crate) fn uses_of(keys: &[ApiKey]) -> Uses {
    let uses = keys
        .iter()
        .filter_map(|key| Some((key.id.to_string(), key.last_used_at?)));
    uses.collect()
}

/// Gives each key its last use. Those of keys that are gone are left out.
pub(crate) fn with_uses(mut keys: Vec<ApiKey>, uses: &Uses) -> Vec<ApiKey> {
    for key in &mut keys {
        key.last_used_at = uses.get(&key.id.to_string()).copied();
    }
    keys
}

fn fields_of(key: &ApiKey) -> KeyFields {
    let secret = |secret: &KeySecret| SecretFields {
        hash: STANDARD_NO_PAD.encode(&secret.hash),
        prefix: secret.prefix.clone(),
        valid_until: secret.valid_until.map(Timestamp::as_millis),
    };
    KeyFields {
        id: key.id.to_string(),
        name: key.name.clone(),
        scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        networks: key.networks.iter().map(ToString::to_string).collect(),
        expires_at: key.expires_at.map(Timestamp::as_millis),
        secrets: key.secrets.iter().map(secret).collect(),
        created_at: key.created_at.as_millis(),
    }
}

fn key_of(fields: KeyFields) -> Option<ApiKey> {
    // A scope that this build does not know makes the key unreadable: nobody may guess what it is for.
    let scopes = fields.scopes.iter().map(|scope| Scope::parse(scope));
    let networks = fields.networks.iter().map(|network| parse_network(network));
    let secret = |secret: SecretFields| {
        Some(KeySecret {
            hash: STANDARD_NO_PAD.decode(secret.hash).ok()?,
            prefix: secret.prefix,
            valid_until: secret.valid_until.map(Timestamp::from_millis),
        })
    };
    Some(ApiKey {
        id: ApiKeyId::parse(&fields.id).ok()?,
        name: fields.name,
        scopes: scopes.collect::<Option<Scopes>>()?,
        // A range that cannot be read must not open the key to everybody.
        networks: networks.collect::<Option<_>>()?,
        expires_at: fields.expires_at.map(Timestamp::from_millis),
        secrets: fields.secrets.into_iter().map(secret).collect::<Option<_>>()?,
        created_at: Timestamp::from_millis(fields.created_at),
        last_used_at: None,
    })
}
