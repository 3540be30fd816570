//! Links to the page on which a tenant's customer connects a number, as far as a signup knows them.

use std::sync::Arc;
use std::time::Duration;

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

/// The link that leads to a signup. Its secret is not kept.
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
