//! What Meta said of an access token, as both stores keep it: one text, JSON.

use dakghar_core::domain::access_token::{KnownToken, TokenFacts};
use dakghar_core::domain::ids::{AppId, WabaId};
use dakghar_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KnownFields {
    checked_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warned_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<FactFields>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FactFields {
    app_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accounts: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

/// Returns the text of what is known.
pub(crate) fn text_of(known: &KnownToken) -> String {
    let facts = known.facts.as_ref().map(|facts| FactFields {
        app_id: facts.app_id.to_string(),
        kind: facts.kind.as_deref().map(str::to_owned),
        scopes: facts.scopes.iter().map(ToString::to_string).collect(),
        accounts: facts.accounts.iter().map(ToString::to_string).collect(),
        expires_at: facts.expires_at.map(Timestamp::as_millis),
    });
    let fields = KnownFields {
        checked_at: known.checked_at.as_millis(),
        warned_days: known.warned_days,
        facts,
    };
    serde_json::to_string(&fields).expect("texts and numbers become JSON")
}

/// Reads the text; `None` if it cannot be understood.
pub(crate) fn parse(text: &str) -> Option<KnownToken> {
    let fields: KnownFields = serde_json::from_str(text).ok()?;
    let facts = match fields.facts {
        Some(facts) => Some(TokenFacts {
            app_id: AppId::parse(&facts.app_id).ok()?,
            kind: facts.kind.map(Into::into),
            scopes: facts.scopes.into_iter().map(Into::into).collect(),
            accounts: facts
                .accounts
                .iter()
                .map(|id| WabaId::parse(id).ok())
                .collect::<Option<_>>()?,
            expires_at: facts.expires_at.map(Timestamp::from_millis),
        }),
        None => None,
    };
    Some(KnownToken {
        facts,
        checked_at: Timestamp::from_millis(fields.checked_at),
        warned_days: fields.warned_days,
    })
}
