//! The documentation that the service carries: the OpenAPI document, a page that shows it, and the error codes.
//!
//! The page loads nothing from other hosts and runs only its own script. Its content security policy enforces both.

use std::fmt::Write as _;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use dakghar_core::domain::ErrorCode;
use utoipa::openapi::OpenApi as Document;

use super::openapi;
use super::state::HttpState;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";

/// Returns the table of error codes, as it is kept in the repository.
pub fn error_codes_markdown() -> String {
    let mut text = String::from(
        "# Error codes\n\n\
         Every failure is answered as `application/problem+json` with one of these codes. A code never changes its\n\
         meaning; titles and details may.\n\n\
         | code | HTTP status | title |\n| --- | --- | --- |\n",
    );
    for code in ErrorCode::ALL {
        writeln!(
            text,
            "| `{}` | {} | {} |",
            code.as_str(),
            code.http_status(),
            code.title()
        )
        .expect("a string takes everything");
    }
    text
}

pub(super) fn routes(document: &Document) -> Router<HttpState> {
    Router::new()
        .route("/openapi.json", asset("application/json", openapi::to_json(document)))
        .route("/docs", asset(HTML, include_str!("page.html")))
        .route(
            "/docs/page.css",
            asset("text/css; charset=utf-8", include_str!("page.css")),
        )
        .route(
            "/docs/page.js",
            asset("text/javascript; charset=utf-8", include_str!("page.js")),
        )
        .route("/docs/errors", asset(HTML, error_codes_html()))
}

fn asset(media_type: &'static str, text: impl Into<Bytes>) -> MethodRouter<HttpState> {
    let text = text.into();
    get(async move || page(media_type, text))
}

fn page(media_type: &'static str, text: Bytes) -> Response {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // Revalidated after every upgrade of the service.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}

/// Returns the page that the `type` of every problem leads to; the code is the fragment.
fn error_codes_html() -> String {
    let mut rows = String::new();
    for code in ErrorCode::ALL {
        let (name, status, title) = (code.as_str(), code.http_status(), code.title());
        writeln!(
            rows,
            "<tr id=\"{name}\"><td><a href=\"#{name}\"><code>{name}</code></a></td><td>{status}</td><td>{title}</td></tr>"
        )
        .expect("a string takes everything");
    }
    include_str!("errors.html").replace("{rows}", &rows)
}
