//! The media types that a client accepts.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// True if one of the types that a request accepts is this very one. A range like `*/*` asks for nothing special.
pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(','));
    types.any(|range| {
        let found = range.split(';').next().unwrap_or_default();
        found.trim().eq_ignore_ascii_case(media_type)
    })
}
