//! The trace that a client's request belongs to.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use dakghar_core::domain::TraceContext;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Returns the client's span. A header that is malformed, or comes twice, counts as none.
pub(super) fn trace_parent(headers: &HeaderMap) -> Option<TraceContext> {
    let mut given = headers.get_all(TRACEPARENT).iter().map(HeaderValue::as_bytes);
    match (given.next(), given.next()) {
        (Some(only), None) => TraceContext::parse(only),
        _ => None,
    }
}
