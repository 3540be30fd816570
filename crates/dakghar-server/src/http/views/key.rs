//! API keys. The key itself is shown when it is made, and never again.

use dakghar_core::app::{ShownKey, ShownOperatorKey};
use dakghar_core::domain::{ApiKey, KeySecret, OperatorKey, Role, Scope, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};

/// An API key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Key)]
pub(in crate::http) struct KeyView {
    /// Its id, which is no secret.
    #[schema(example = "key_01kb1xn6ab0000000000000001")]
    key_id: String,
    /// What people call it.
    name: String,
    /// What it may do.
    #[schema(schema_with = scope_names)]
    scopes: Vec<&'static str>,
    /// The addresses that it may be used from; any if there is none.
    addresses: Vec<String>,
    /// The time from which it is not valid any more.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Its secrets, the present one first.
    secrets: Vec<KeySecretView>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was used last, exact to about a minute; `null` if nobody noted a use.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

/// A secret of a key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KeySecret)]
struct KeySecretView {
    /// How it begins; `null` for one that an earlier release made.
    #[schema(example = "dk_h7Qx2bTz")]
    prefix: Option<String>,
    /// The time from which it is not valid any more; `null` for the present one.
    #[schema(format = DateTime)]
    valid_until: Option<String>,
}

/// A key with its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ShownKey)]
pub(in crate::http) struct ShownKeyView {
    #[serde(flatten)]
    key: KeyView,
    /// What its owner sends as `Authorization: Bearer …`. It is shown only now.
    #[serde(rename = "key")]
    #[schema(example = "dk_h7Qx2bTz…")]
    secret: String,
}

impl From<&ApiKey> for KeyView {
    fn from(key: &ApiKey) -> Self {
        let secret = |secret: &KeySecret| KeySecretView {
            prefix: secret.prefix.clone(),
            valid_until: secret.valid_until.map(text),
        };
        Self {
            key_id: key.id.to_string(),
            name: key.name.clone(),
            scopes: key.scopes.iter().map(Scope::as_str).collect(),
            addresses: key.networks.iter().map(ToString::to_string).collect(),
            expires_at: key.expires_at.map(text),
            secrets: key.secrets.iter().map(secret).collect(),
            created_at: text(key.created_at),
            last_used_at: key.last_used_at.map(text),
        }
    }
}

impl From<&ShownKey> for ShownKeyView {
    fn from(shown: &ShownKey) -> Self {
        Self {
            key: KeyView::from(&shown.key),
            secret: shown.secret.reveal().to_owned(),
        }
    }
}

/// A key of an operator.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OperatorKey)]
pub(in crate::http) struct OperatorKeyView {
    /// What its owner may do.
    #[schema(schema_with = role_names)]
    role: &'static str,
    #[serde(flatten)]
    key: KeyView,
}

/// A key of an operator with its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ShownOperatorKey)]
pub(in crate::http) struct ShownOperatorKeyView {
    #[serde(flatten)]
    shown: OperatorKeyView,
    /// What its owner sends as `Authorization: Bearer …`. It is shown only now.
    #[schema(example = "dko_h7Qx2bTz…")]
    key: String,
}

impl From<&OperatorKey> for OperatorKeyView {
    fn from(key: &OperatorKey) -> Self {
        Self {
            role: key.role.as_str(),
            key: KeyView::from(&key.key),
        }
    }
}

impl From<&ShownOperatorKey> for ShownOperatorKeyView {
    fn from(shown: &ShownOperatorKey) -> Self {
        Self {
            shown: OperatorKeyView::from(&shown.key),
            key: shown.secret.reveal().to_owned(),
        }
    }
}

/// Returns the schema of the name of a role.
pub(in crate::http) fn role_names() -> ObjectBuilder {
    let names = Role::ALL.map(Role::as_str);
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names))
}

fn text(at: Timestamp) -> String {
    at.to_string()
}

/// Returns the schema of the names of scopes.
pub(in crate::http) fn scope_names() -> ArrayBuilder {
    let names = Scope::ALL.map(Scope::as_str);
    ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)))
}
