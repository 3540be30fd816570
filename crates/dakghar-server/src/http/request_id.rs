//! The id of a request, as an extension of it.

use std::sync::Arc;

use axum::http::{Extensions, HeaderValue};

/// The id by which the answer, the log and the audit log name a request.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) HeaderValue);

impl RequestId {
    /// Returns the id of the request with these extensions.
    pub(super) fn of(extensions: &Extensions) -> Option<Arc<str>> {
        let Self(id) = extensions.get::<Self>()?;
        id.to_str().ok().map(Into::into)
    }
}
