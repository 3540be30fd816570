//! The headers of requests that may be repeated.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use dakghar_core::domain::ids::IdempotencyKey;
use dakghar_core::domain::{Problem, send_request};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Tells that the answer is about what an earlier request has done.
pub(super) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The values of all `Idempotency-Key` headers.
pub(super) fn idempotency_keys(headers: &HeaderMap) -> Vec<&[u8]> {
    headers
        .get_all(IDEMPOTENCY_KEY)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect()
}

/// The key of a request that has it in a header only.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    send_request::key_in_headers(&idempotency_keys(headers))
}
