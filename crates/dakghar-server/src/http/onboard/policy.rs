//! The headers that bind the page: what it may load, whom it may ask, and who may show it.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use dakghar_core::app::OnboardingPage;

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
/// The script of Meta's SDK is there.
const SDK: &str = "https://connect.facebook.net";
/// The SDK asks there.
const ASKED: &str = "https://graph.facebook.com https://www.facebook.com https://web.facebook.com";
/// The SDK shows these in frames.
const FRAMED: &str = "https://www.facebook.com https://web.facebook.com";

/// Sets the headers of a page.
pub(super) fn apply(headers: &mut HeaderMap, settings: &OnboardingPage) {
    let fixed = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        // The dialog tells the page how it ended, so the page must know it.
        (OPENER_POLICY, "same-origin-allow-popups"),
        // The path is a secret.
        (REFERRER_POLICY, "strict-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::try_from(policy(settings)) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
}

fn policy(settings: &OnboardingPage) -> String {
    let other = settings.other_sdk.as_ref().map_or("", |sdk| &*sdk.origin);
    let with = |known: &str| {
        if other.is_empty() {
            known.to_owned()
        } else {
            format!("{known} {other}")
        }
    };
    let (scripts, asked, framed) = (with(SDK), with(ASKED), with(FRAMED));
    format!(
        "default-src 'none'; script-src 'self' {scripts}; style-src 'self'; connect-src 'self' {asked}; \
         frame-src {framed}; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}
