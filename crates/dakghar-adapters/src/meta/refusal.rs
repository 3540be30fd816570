//! Meta's `error` object: why it did not do what it was asked.

use std::sync::Arc;

use dakghar_core::domain::graph_error::GraphRefusal;
use dakghar_core::domain::time::Timestamp;
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

use super::http::header_text;
use super::lenient_json::Fields;
use crate::retry_after::retry_after;

/// The longest trace id that is kept.
const TRACE_ID_BYTES_MAX: usize = 128;

/// The refusal in an answer that came at `now`, if there is an `error` with a code.
pub(super) fn refusal(
    http_status: u16,
    headers: &HeaderMap,
    answer: &Fields<'_>,
    now: Timestamp,
) -> Option<GraphRefusal> {
    let error = answer.object("error")?;
    let owned = |name: &str| error.text(name).map(|text| Arc::<str>::from(&*text));
    Some(GraphRefusal {
        http_status,
        code: error.integer("code")?,
        subcode: error.integer("error_subcode"),
        message: owned("message").unwrap_or_default(),
        details: details(&error),
        is_transient: error.get("is_transient").and_then(|raw| raw.get().parse().ok()),
        retry_after: retry_after(
            headers.get(RETRY_AFTER).map(HeaderValue::as_bytes),
            headers.get(DATE).map(HeaderValue::as_bytes),
            now,
            None,
        ),
        fbtrace_id: owned("fbtrace_id")
            .or_else(|| header_text(headers, "x-fb-trace-id").map(Arc::from))
            .or_else(|| header_text(headers, "x-fb-request-id").map(Arc::from))
            .filter(|id| id.len() <= TRACE_ID_BYTES_MAX),
    })
}

/// `error_data` is an object with `details`, or on some endpoints a plain string.
pub(super) fn details(error: &Fields<'_>) -> Option<Arc<str>> {
    match error.object("error_data") {
        Some(data) => data.text("details"),
        // Older forms have the details beside the code.
        None => error.text("error_data").or_else(|| error.text("details")),
    }
    .filter(|text| !text.is_empty())
    .map(|text| Arc::from(&*text))
}
