//! The script and the style of the page.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

const CSS: &str = include_str!("assets/page.css");
const JS: &str = include_str!("assets/page.js");
/// They are asked for by their hash, so they may be kept.
const KEPT: &str = "public, max-age=31536000, immutable";

/// The hash of the style, for its URL.
pub(super) static CSS_VERSION: LazyLock<String> = LazyLock::new(|| version_of(CSS));
/// The hash of the script, for its URL.
pub(super) static JS_VERSION: LazyLock<String> = LazyLock::new(|| version_of(JS));

pub(super) async fn css() -> Response {
    asset("text/css; charset=utf-8", CSS)
}

pub(super) async fn js() -> Response {
    asset("text/javascript; charset=utf-8", JS)
}

fn asset(media_type: &'static str, text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, KEPT)];
    (headers, text).into_response()
}

fn version_of(text: &str) -> String {
    const BYTES: usize = 8;
    let hash = digest(&SHA256, text.as_bytes());
    hex::encode(&hash.as_ref()[..BYTES])
}
