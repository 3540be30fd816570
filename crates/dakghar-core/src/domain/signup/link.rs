//! Links: signups that begin in the browser of a tenant's customer, on a page of Dakghar's own.
//!
//! A link is a signup that has not begun. It is used once: the browser that begins with it is the only one that it answers
//! from then on. What the browser tells of Meta's dialog before that is kept for the tenant, and the link stays open.

use std::sync::Arc;
use std::time::Duration;

use super::{NewSignup, Retried, Signup, SignupState, Trouble};
use crate::domain::time::Timestamp;

/// The life of a link for which nobody says another.
pub const LINK_LIFE: Duration = Duration::from_hours(7 * 24);
/// The shortest life of a link.
pub const LINK_LIFE_MIN: Duration = Duration::from_mins(5);
/// The longest life of a link.
pub const LINK_LIFE_MAX: Duration = Duration::from_hours(30 * 24);
/// Links of one tenant that may be open at a time.
pub const OPEN_LINKS_MAX: usize = 100;
/// The most bytes of a URL that leads back from the page.
pub const RETURN_URL_BYTES_MAX: usize = 2_048;
/// The least time between two reports of a browser that are kept.
const REPORTS_APART: Duration = Duration::from_secs(1);

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Bengali.
    Bengali,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::English, Self::Bengali];

    /// The name used in requests, pages and the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Bengali => "bn",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.as_str() == text)
    }
}

/// What a signup knows of the link that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// When it cannot be used any more.
    pub expires_at: Timestamp,
    /// Where the page leads back to.
    pub return_url: Option<Arc<str>>,
    /// The language of the page; that of the browser when absent.
    pub language: Option<Language>,
    /// A keyed hash of the cookie of the browser that used it.
    pub browser: Option<Vec<u8>>,
}

impl Signup {
    /// Makes a signup that waits for somebody to use its link.
    pub fn invited(new: NewSignup, link: Link, now: Timestamp) -> Self {
        Self {
            state: SignupState::Invited,
            link: Some(link),
            ..Self::new(new, now)
        }
    }

    /// The signup as it is at `now`: a link whose time is over has expired, which nobody saves.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        let is_over = self.link.as_ref().is_some_and(|link| link.expires_at <= now);
        if self.state == SignupState::Invited && is_over {
            self.state = SignupState::Expired;
        }
        self
    }

    /// True if its link can be used.
    pub fn is_open_link(&self, now: Timestamp) -> bool {
        let link = self.link.as_ref();
        self.state == SignupState::Invited && link.is_some_and(|link| now < link.expires_at)
    }

    /// True if its link was used by the browser of this hash.
    pub fn is_of_browser(&self, is_same: impl FnOnce(&[u8]) -> bool) -> bool {
        let browser = self.link.as_ref().and_then(|link| link.browser.as_deref());
        browser.is_some_and(is_same)
    }

    /// Begins, with what the browser of this hash brought. Returns false if the link cannot be used.
    pub fn begin_in_browser(&mut self, with: Retried, browser: Vec<u8>, now: Timestamp) -> bool {
        if !self.is_open_link(now) {
            return false;
        }
        let Some(link) = &mut self.link else { return false };
        link.browser = Some(browser);
        self.state = SignupState::Running;
        self.trouble = None;
        if let Some(code) = with.code {
            (self.sealed_code, self.code_until) = (Some(code.sealed), code.until);
        }
        self.sealed_pin = with.sealed_pin;
        (self.asked_account, self.asked_number) = (with.account, with.number);
        self.updated_at = now;
        true
    }

    /// Keeps what a browser reports of the dialog. Returns false if there is nothing to keep: the link is not open, or
    /// something was reported a moment ago.
    pub fn report(&mut self, trouble: Trouble, now: Timestamp) -> bool {
        let last = self.trouble.as_ref();
        let is_too_soon = last.is_some_and(|last| now < last.at + REPORTS_APART);
        if !self.is_open_link(now) || is_too_soon {
            return false;
        }
        self.trouble = Some(trouble);
        self.updated_at = now;
        true
    }

    /// Takes its link back. Returns false if it is not open any more.
    pub fn cancel(&mut self, now: Timestamp) -> bool {
        if !self.is_open_link(now) {
            return false;
        }
        self.state = SignupState::Cancelled;
        (self.ended_at, self.updated_at) = (Some(now), now);
        true
    }
}
