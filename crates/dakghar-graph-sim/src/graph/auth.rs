//! Bearer tokens: which are accepted, and how they show in the journal.

use std::collections::HashSet;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::error::GraphError;
use crate::config::AcceptedTokens;

/// The check behind [`AcceptedTokens`].
#[derive(Debug)]
pub(crate) enum TokenCheck {
    Any,
    Only(HashSet<String>),
}

impl From<AcceptedTokens> for TokenCheck {
    fn from(accepted: AcceptedTokens) -> Self {
        match accepted {
            AcceptedTokens::Any => Self::Any,
            AcceptedTokens::Only(tokens) => Self::Only(tokens.into_iter().collect()),
        }
    }
}

impl TokenCheck {
    /// Meta's code 190 unless the token may call.
    pub(crate) fn allow(&self, token: Option<&str>) -> Result<(), GraphError> {
        let Some(token) = token else {
            return Err(GraphError::of(190));
        };
        match self {
            Self::Any => Ok(()),
            Self::Only(tokens) if tokens.contains(token) => Ok(()),
            Self::Only(_) => Err(GraphError::of(190)),
        }
    }
}

/// The token of `Authorization: Bearer <token>`, if there is one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Twelve hex digits of the token's SHA-256: enough to tell tokens apart, useless to call with.
pub(crate) fn fingerprint(token: &str) -> String {
    hex::encode(&digest(&SHA256, token.as_bytes()).as_ref()[..6])
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn reads_only_a_bearer_token() {
        let check = |value: &'static str, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            assert_eq!(bearer(&headers), expected, "{value}");
        };
        check("Bearer abc", Some("abc"));
        check("bearer abc", Some("abc"));
        check("Bearer ", None);
        check("Basic abc", None);
        check("abc", None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn a_fingerprint_does_not_show_the_token() {
        assert_eq!(fingerprint("abc"), "ba7816bf8f01");
    }
}
