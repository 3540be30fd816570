//! What is known of access tokens: the app that each is of, its end, its scopes.
//!
//! A token that nobody described is of whichever app asks, sends for every account, and does not end.

use std::collections::HashMap;

use aws_lc_rs::hmac;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// How long a token lasts that was given in place of another one: 60 days, in seconds.
const RENEWED_FOR: i64 = 60 * 24 * 60 * 60;
/// Tokens that are described at most.
const TOKENS_MAX: usize = 100_000;

/// One token, as the control API describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The token itself.
    pub token: String,
    /// The app that it was issued for; of whichever app asks when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// Meta's name of its kind.
    #[serde(default = "system_user")]
    pub kind: String,
    /// When it ends, in seconds since the Unix epoch; 0 is never.
    #[serde(default)]
    pub expires_at: i64,
    /// False once it was revoked.
    #[serde(default = "yes")]
    pub is_valid: bool,
    /// What it may do.
    #[serde(default = "all_scopes")]
    pub scopes: Vec<String>,
    /// The accounts that its scopes are limited to; none are all.
    #[serde(default)]
    pub waba_ids: Vec<String>,
}

fn system_user() -> String {
    "SYSTEM_USER".to_owned()
}

const fn yes() -> bool {
    true
}

fn all_scopes() -> Vec<String> {
    let scopes = [
        "business_management",
        "whatsapp_business_management",
        "whatsapp_business_messaging",
    ];
    scopes.map(str::to_owned).into()
}

impl Token {
    /// A token of which nothing was said.
    pub fn plain(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            app_id: None,
            kind: system_user(),
            expires_at: 0,
            is_valid: true,
            scopes: all_scopes(),
            waba_ids: Vec::new(),
        }
    }

    /// True if it may call at this time.
    pub(crate) const fn works(&self, now: i64) -> bool {
        self.is_valid && (self.expires_at == 0 || now < self.expires_at)
    }
}

/// The tokens that were described, and what the apps are asked to prove.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_token: HashMap<String, Token>,
    renewed: u64,
    /// Calls without a proof are refused.
    requires_proof: bool,
}

impl Tokens {
    /// Describes a token, in place of what was said of it before. Returns false if there is no room.
    pub(crate) fn put(&self, token: Token) -> bool {
        let mut known = self.known.lock();
        let has_room = known.by_token.len() < TOKENS_MAX || known.by_token.contains_key(&token.token);
        if has_room {
            known.by_token.insert(token.token.clone(), token);
        }
        has_room
    }

    pub(crate) fn all(&self) -> Vec<Token> {
        self.known.lock().by_token.values().cloned().collect()
    }

    /// What was said of a token.
    pub(crate) fn described(&self, token: &str) -> Option<Token> {
        self.known.lock().by_token.get(token).cloned()
    }

    pub(crate) fn get(&self, token: &str) -> Token {
        self.described(token).unwrap_or_else(|| Token::plain(token))
    }

    /// A token of this app that lasts 60 days in place of this one, which stays as it is.
    pub(crate) fn renew(&self, token: &str, app_id: &str, now: i64) -> Token {
        let before = self.get(token);
        let mut known = self.known.lock();
        known.renewed += 1;
        let renewed = Token {
            token: format!("{token}-renewed-{}", known.renewed),
            app_id: Some(app_id.to_owned()),
            expires_at: now + RENEWED_FOR,
            ..before
        };
        known.by_token.insert(renewed.token.clone(), renewed.clone());
        renewed
    }

    pub(crate) fn require_proof(&self, requires: bool) {
        self.known.lock().requires_proof = requires;
    }

    pub(crate) fn requires_proof(&self) -> bool {
        self.known.lock().requires_proof
    }
}

/// True if this is the proof that the caller knows the secret of the token's app.
pub(crate) fn is_proof(proof: &str, token: &str, app_secret: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, app_secret.as_bytes());
    let Ok(given) = hex::decode(proof) else { return false };
    hmac::verify(&key, token.as_bytes(), &given).is_ok()
}
