//! The cookie that binds a link to the browser in which it was opened.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use dakghar_core::app::{Onboarding, OnboardingPage};

const NAME: &str = "dakghar_onboarding";
/// As long as the longest link: whoever comes back to a signup comes back to its link.
const SECONDS: u32 = 30 * 24 * 60 * 60;

/// A browser, as its request shows it.
pub(super) struct Browser {
    cookie: Option<String>,
}

impl Browser {
    /// Reads the cookie, if there is one of ours.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = all
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let found = pairs.find(|(name, value)| *name == NAME && Onboarding::is_cookie(value));
        Self {
            cookie: found.map(|(_, value)| value.to_owned()),
        }
    }

    /// The cookie.
    pub(super) fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }
}

/// Returns the header that gives a browser its cookie, or lets it keep it longer.
pub(super) fn set_cookie(settings: &OnboardingPage, cookie: &str) -> HeaderValue {
    let secure = if settings.is_https() { "; Secure" } else { "" };
    let path = settings.path();
    let text = format!("{NAME}={cookie}; Path={path}; Max-Age={SECONDS}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
