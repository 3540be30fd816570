//! The stage of a number on its way to the Cloud API.

use serde::{Deserialize, Serialize};

/// The stage of a number, as the control API describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The number.
    pub phone_number_id: String,
    /// True if it is registered for the Cloud API.
    #[serde(default)]
    pub is_registered: bool,
    /// Its PIN, if it has one.
    #[serde(default)]
    pub pin: Option<String>,
    /// True if its owner has shown that it is theirs.
    #[serde(default = "yes")]
    pub is_verified: bool,
    /// True if it is used with the WhatsApp Business app.
    #[serde(default)]
    pub is_on_biz_app: bool,
    /// The seconds since it was connected from the WhatsApp Business app. Its contents can be asked for during a day.
    #[serde(default)]
    pub connected_seconds_ago: u64,
    /// `STANDARD` or `HIGH`.
    #[serde(default = "standard")]
    pub throughput: String,
    /// `GREEN`, `YELLOW`, `RED`.
    #[serde(default = "green")]
    pub quality: String,
    /// The number of people it may write to first in a day.
    #[serde(default = "first_tier")]
    pub messaging_limit: String,
}

const fn yes() -> bool {
    true
}

fn standard() -> String {
    "STANDARD".to_owned()
}

fn green() -> String {
    "GREEN".to_owned()
}

fn first_tier() -> String {
    "TIER_250".to_owned()
}

impl Registration {
    /// A new number: verified, and not registered.
    pub fn new(phone_number_id: &str) -> Self {
        Self {
            is_registered: false,
            ..Self::long_ago(phone_number_id)
        }
    }

    /// A number that was registered long ago.
    pub(crate) fn long_ago(phone_number_id: &str) -> Self {
        Self {
            phone_number_id: phone_number_id.to_owned(),
            is_registered: true,
            pin: None,
            is_verified: true,
            is_on_biz_app: false,
            connected_seconds_ago: 0,
            throughput: standard(),
            quality: green(),
            messaging_limit: first_tier(),
        }
    }

    /// A number that stays in the WhatsApp Business app, connected just now.
    pub fn on_biz_app(phone_number_id: &str) -> Self {
        Self {
            is_on_biz_app: true,
            ..Self::long_ago(phone_number_id)
        }
    }
}
