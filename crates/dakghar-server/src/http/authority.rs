//! Checks keys: the operator's admin key, and keys with the form of a tenant's.
//!
//! Keys come in headers only; a key in the query string is ignored. Wrong keys are counted and slowed down in
//! [`super::wrong_keys`].

use aws_lc_rs::{constant_time, digest};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderName};
use dakghar_core::app::{API_KEY_PREFIX, OPERATOR_KEY_PREFIX};
use dakghar_core::domain::{ErrorCode, Problem};

use super::config::HttpConfig;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const BEARER: &str = "bearer ";
/// Characters of a key after its prefix: 32 bytes in base64url.
const API_KEY_CHARS: usize = 43;

/// The kind of key in a request.
pub(super) enum Credential<'a> {
    /// No key, where none is needed.
    Anonymous,
    /// The operator's key.
    Admin,
    /// A key with the form of those that operators are given.
    Operator(&'a str),
    /// A key with the form of a tenant's. The tenant checks that it is its own.
    Tenant(&'a str),
}

/// Checks keys.
pub(super) struct Authority {
    /// SHA-256 of the admin key. A comparison of digests reveals nothing about the key's length or its first bytes.
    admin_digest: Option<digest::Digest>,
    key_required: bool,
}

impl Authority {
    pub(super) fn new(config: &HttpConfig) -> Self {
        let admin_digest = config.admin_api_key.as_ref().map(|key| digest_of(key.reveal()));
        Self {
            key_required: config.production || admin_digest.is_some(),
            admin_digest,
        }
    }

    /// Returns the kind of a key. Fails if a needed key is missing, or the key cannot be anybody's.
    pub(super) fn credential<'a>(&self, presented: Presented<'a>) -> Result<Credential<'a>, Problem> {
        match presented {
            Presented::Nothing if self.key_required => Err(unauthenticated("Send it as Authorization: Bearer <key>.")),
            Presented::Nothing => Ok(Credential::Anonymous),
            Presented::Key(key) if self.is_admin_key(key) => Ok(Credential::Admin),
            Presented::Key(key) if has_form(OPERATOR_KEY_PREFIX, key) => Ok(Credential::Operator(key)),
            Presented::Key(key) if has_form(API_KEY_PREFIX, key) => Ok(Credential::Tenant(key)),
            Presented::Blank => Err(unauthenticated("The key is blank.")),
            Presented::Key(_) | Presented::Unreadable => Err(unauthenticated("The key is not known.")),
        }
    }

    fn is_admin_key(&self, key: &str) -> bool {
        self.admin_digest.as_ref().is_some_and(|admin| {
            constant_time::verify_slices_are_equal(digest_of(key).as_ref(), admin.as_ref()).is_ok()
        })
    }
}

fn digest_of(key: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, key.as_bytes())
}

fn has_form(prefix: &str, key: &str) -> bool {
    key.strip_prefix(prefix).is_some_and(|random| {
        random.len() == API_KEY_CHARS
            && random
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

/// What the headers of a request present as a key.
#[derive(Clone, Copy)]
pub(super) enum Presented<'a> {
    /// No key.
    Nothing,
    /// Something that is no key, or more than one.
    Unreadable,
    /// Blanks, or nothing, where the key should be: mostly a variable that nobody has set.
    Blank,
    /// This key.
    Key(&'a str),
}

/// Returns what the headers present as a key.
pub(super) fn presented_key(headers: &HeaderMap) -> Presented<'_> {
    let mut bearers = headers.get_all(AUTHORIZATION).iter();
    let mut keys = headers.get_all(X_API_KEY).iter();
    // With more than one key, the intended one is unknown.
    let (value, is_bearer) = match (bearers.next(), bearers.next(), keys.next(), keys.next()) {
        (None, _, None, _) => return Presented::Nothing,
        (Some(value), None, None, _) => (value, true),
        (None, _, Some(value), None) => (value, false),
        _ => return Presented::Unreadable,
    };
    let Ok(text) = value.to_str() else {
        return Presented::Unreadable;
    };
    let key = match text.split_at_checked(BEARER.len()) {
        _ if !is_bearer => text,
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(BEARER) => key,
        // What reads headers cuts blanks off their ends.
        _ if text.trim().is_empty() || text.trim().eq_ignore_ascii_case(BEARER.trim_end()) => "",
        _ => return Presented::Unreadable,
    };
    match key.trim() {
        "" => Presented::Blank,
        key => Presented::Key(key),
    }
}

/// True if the headers present something with the form of a tenant's key.
pub(super) fn presents_tenant_key(headers: &HeaderMap) -> bool {
    matches!(presented_key(headers), Presented::Key(key) if has_form(API_KEY_PREFIX, key))
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(ErrorCode::Unauthenticated, detail)
}
