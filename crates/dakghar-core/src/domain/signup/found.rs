//! What Meta says of an account, its numbers and its subscriptions.

use std::sync::Arc;

use crate::domain::ids::{AppId, PhoneNumberId, WabaId};

/// Bytes of a profile that is kept; a larger one is left out.
pub const PROFILE_BYTES_MAX: usize = 4 * 1_024;

/// What Meta says of an account. Texts are Meta's own words, some of which are new each year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its id.
    pub id: WabaId,
    /// Its name.
    pub name: Option<Arc<str>>,
    /// The currency that Meta charges it in.
    pub currency: Option<Arc<str>>,
    /// Whether Meta has reviewed it.
    pub review_status: Option<Arc<str>>,
    /// True if somebody pays for it: an own means of payment, or a shared credit line.
    pub has_funding: bool,
}

/// What Meta says of a number. Texts are Meta's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberFacts {
    /// Its id.
    pub id: PhoneNumberId,
    /// The number as people write it.
    pub display: Option<Arc<str>>,
    /// The name that Meta has verified.
    pub verified_name: Option<Arc<str>>,
    /// Whether it can send: `CONNECTED`.
    pub status: Option<Arc<str>>,
    /// What it is registered for: `CLOUD_API`.
    pub platform: Option<Arc<str>>,
    /// True if it is used with the WhatsApp Business app; `None` if Meta did not say.
    pub is_on_app: Option<bool>,
    /// Whether its owner has shown that it is theirs.
    pub code_verification: Option<Arc<str>>,
    /// `GREEN`, `YELLOW`, `RED`.
    pub quality: Option<Arc<str>>,
    /// How many people it may write to first in a day.
    pub messaging_limit: Option<Arc<str>>,
    /// `STANDARD` or `HIGH`.
    pub throughput: Option<Arc<str>>,
}

impl NumberFacts {
    /// A number of which nothing is known but its id.
    pub const fn only(id: PhoneNumberId) -> Self {
        Self {
            id,
            display: None,
            verified_name: None,
            status: None,
            platform: None,
            is_on_app: None,
            code_verification: None,
            quality: None,
            messaging_limit: None,
            throughput: None,
        }
    }

    /// True if it is registered and can send.
    pub fn is_registered(&self) -> bool {
        self.platform.as_deref() == Some("CLOUD_API") && self.status.as_deref() == Some("CONNECTED")
    }

    /// The messages a second that Meta says, where it is not the usual number.
    pub fn messages_per_second(&self) -> Option<u32> {
        const HIGH: u32 = 1_000;
        const ON_APP: u32 = 20;
        match self.throughput.as_deref() {
            _ if self.is_on_app == Some(true) => Some(ON_APP),
            Some("HIGH") => Some(HIGH),
            _ => None,
        }
    }
}

/// An app that gets the webhooks of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The app.
    pub app_id: AppId,
    /// Where they go instead of the app's own URL.
    pub override_url: Option<Arc<str>>,
}
