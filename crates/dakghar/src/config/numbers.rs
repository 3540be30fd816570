//! The way in which numbers are checked at Meta.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::CheckSettings;
use dakghar_core::domain::meta_app::WEBHOOK_PATH;

use super::reader::Reader;
use super::variable::{Kind, Variable, table};

table! {
    "Numbers" {
        NUMBER_CHECK_SECONDS: Kind::Integer { min: 0, max: 604_800 }, "21600", "How often Meta is asked about each number, in seconds: name, quality, limits, status, PIN, review and webhooks. What has changed is told in the feed (number.changed). 0: never, unless somebody asks for it.";
        NUMBER_SUBSCRIBE_AGAIN: Kind::OneOf(&["yes", "no"]), "no", "Whether the app is subscribed again, once a day at most, to the webhooks of an account that lost its subscription.";
    }
}

/// Reads the section. `public_url` is the URL under which Meta reaches this server.
pub(super) fn read(reader: &mut Reader<'_>, public_url: Option<&str>) -> CheckSettings {
    let seconds: u64 = reader.integer(&NUMBER_CHECK_SECONDS);
    let own = public_url.map(|url| Arc::from(format!("{}{WEBHOOK_PATH}", url.trim_end_matches('/'))));
    CheckSettings {
        every: (seconds > 0).then(|| Duration::from_secs(seconds)),
        subscribes_again: reader.text(&NUMBER_SUBSCRIBE_AGAIN).as_deref() == Some("yes"),
        own_urls: own.into_iter().collect(),
    }
}
