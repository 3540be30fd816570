//! New API keys, as clients describe them, and their secrets.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;

use super::tenants::checks::check;
use crate::domain::api_key::{
    ApiKey, KEY_NAME_CHARS_MAX, KEY_OVERLAP_DEFAULT, KEY_OVERLAP_MAX, KeySecret, Lacking, NETWORKS_MAX, parse_network,
};
use crate::domain::{ErrorCode, Problem, Scope, Scopes, Secret, Timestamp};
use crate::ports::{IdGenerator, Ports};
use crate::vault::InstallationSecrets;

/// Prefix of every API key of a tenant, which lets scanners of leaked secrets find it.
pub const API_KEY_PREFIX: &str = "dk_";
/// The same of every key of an operator.
pub const OPERATOR_KEY_PREFIX: &str = "dko_";
/// Random characters by which people recognise a key. The 35 others are more than anybody can guess.
const SHOWN_CHARS: usize = 8;

/// A new key, as a client describes it.
#[derive(Clone, Debug, Default)]
pub struct NewApiKey {
    /// The name for people.
    pub name: String,
    /// The scopes that it has.
    pub scopes: Scopes,
    /// Where it may be used from: anywhere if there is none.
    pub addresses: Vec<String>,
    /// The time from which it is not valid any more.
    pub expires_at: Option<Timestamp>,
}

/// A key, and its secret, which is shown only this once.
#[derive(Clone, Debug)]
pub struct ShownKey {
    /// The key.
    pub key: ApiKey,
    /// The text that its owner presents.
    pub secret: Secret,
}

/// Makes a secret of a key. Returns it, and what is kept of it.
pub(super) fn make_secret(start: &str, ids: &dyn IdGenerator, secrets: &InstallationSecrets) -> (Secret, KeySecret) {
    let random = URL_SAFE_NO_PAD.encode(ids.secret_bytes());
    let secret = Secret::new(format!("{start}{random}"));
    let shown = random.chars().take(SHOWN_CHARS);
    let kept = KeySecret {
        hash: secrets.hash_api_key(secret.reveal()),
        prefix: Some(start.chars().chain(shown).collect()),
        valid_until: None,
    };
    (secret, kept)
}

/// Makes a key of what a client describes, or says everything that is wrong with it.
pub(super) fn make_key(ports: &Ports, start: &str, new: &NewApiKey) -> Result<ShownKey, Problem> {
    let wall = ports.clock.wall();
    let networks: Vec<Option<IpNet>> = new.addresses.iter().map(|text| parse_network(text)).collect();
    check(&[
        check_name(&new.name),
        check_scopes(new.scopes),
        check_addresses(&networks),
        check_expiry(new.expires_at, wall),
    ])?;
    let (secret, kept) = make_secret(start, &*ports.ids, &ports.secrets);
    let key = ApiKey {
        name: new.name.trim().to_owned(),
        scopes: new.scopes,
        networks: networks.into_iter().flatten().collect(),
        expires_at: new.expires_at,
        ..ApiKey::first(ports.ids.api_key_id(), kept, wall)
    };
    Ok(ShownKey { key, secret })
}

/// Reads how long the secret before a new one stays valid.
pub(super) fn overlap_of(asked: Option<Duration>) -> Result<Duration, Problem> {
    let overlap = asked.unwrap_or(KEY_OVERLAP_DEFAULT);
    if overlap > KEY_OVERLAP_MAX {
        let message = format!("must be 0 to {}", KEY_OVERLAP_MAX.as_secs());
        return Err(Problem::field(ErrorCode::InvalidField, "/overlapSeconds", message));
    }
    Ok(overlap)
}

fn check_name(name: &str) -> Option<Problem> {
    let chars = name.trim().chars().count();
    (chars == 0 || chars > KEY_NAME_CHARS_MAX || name.chars().any(char::is_control)).then(|| {
        let message = format!("must be 1 to {KEY_NAME_CHARS_MAX} printable characters");
        Problem::field(ErrorCode::InvalidName, "/name", message)
    })
}

fn check_scopes(scopes: Scopes) -> Option<Problem> {
    let message = "must name at least one scope";
    scopes
        .is_empty()
        .then(|| Problem::field(ErrorCode::InvalidField, "/scopes", message))
}

fn check_addresses(networks: &[Option<IpNet>]) -> Option<Problem> {
    if networks.len() > NETWORKS_MAX {
        let message = format!("must be {NETWORKS_MAX} at most");
        return Some(Problem::field(ErrorCode::InvalidField, "/addresses", message));
    }
    let wrong = networks.iter().position(Option::is_none)?;
    let message =
        "must be an address, or a range such as 203.0.113.0/24 or 2001:db8::/32 with no bits behind its prefix";
    Some(Problem::field(
        ErrorCode::InvalidField,
        format!("/addresses/{wrong}"),
        message,
    ))
}

fn check_expiry(expires_at: Option<Timestamp>, wall: Timestamp) -> Option<Problem> {
    let is_past = expires_at.is_some_and(|at| at <= wall);
    is_past.then(|| Problem::field(ErrorCode::InvalidField, "/expiresAt", "must be in the future"))
}

/// Fails if a key would give what it has not itself: a scope, an address, or time.
pub(super) fn check_giver(giver: &ApiKey, given: &ApiKey) -> Result<(), Problem> {
    match giver.lacks_to_give(given) {
        None => Ok(()),
        Some(Lacking::Scope(scope)) => Err(missing_scope(scope)),
        Some(Lacking::Addresses) => {
            let detail = "A key gives only addresses from which it may be used itself.";
            Err(Problem::new(ErrorCode::Forbidden, detail))
        }
        Some(Lacking::Time) => {
            let detail = "A key gives none that expires later than itself, or never.";
            Err(Problem::new(ErrorCode::Forbidden, detail))
        }
    }
}

/// The problem of a request whose key was revoked meanwhile.
pub(super) fn key_is_gone() -> Problem {
    let detail = "The key that this request was made with was revoked.";
    Problem::new(ErrorCode::Forbidden, detail)
}

/// The problem of a key that may not do what it was used for.
pub fn missing_scope(scope: Scope) -> Problem {
    let detail = format!("The key lacks the scope `{}`.", scope.as_str());
    Problem::new(ErrorCode::MissingScope, detail)
}
