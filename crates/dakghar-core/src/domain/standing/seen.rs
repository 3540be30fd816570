//! Meta's words on a number and its account.

use std::sync::Arc;

use crate::domain::graph_error;
use crate::domain::ids::{AppId, WabaId};
use crate::domain::send_error::clip;
use crate::domain::signup::Subscription;

/// Statuses in which Meta refuses what a number sends. Of others, some of which are new each year, it is only told.
const STOPPED: [&str; 5] = ["BANNED", "RESTRICTED", "DELETED", "MIGRATED", "DISCONNECTED"];
/// Meta's word for something that cannot send at all.
const BLOCKED: &str = "BLOCKED";
/// Meta's word for something that nothing stops from sending.
const AVAILABLE: &str = "AVAILABLE";
/// Meta's limits for a number whose throughput was raised, one that is used with the WhatsApp Business app, and any other.
const HIGH_PER_SECOND: u32 = 1_000;
const ON_APP_PER_SECOND: u32 = 20;
pub(super) const STANDARD_PER_SECOND: u32 = 80;

/// Meta's words on a number alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenNumber {
    /// The number as people write it.
    pub display: Option<Arc<str>>,
    /// The name that people see.
    pub name: Option<Arc<str>>,
    /// Meta's approval of that.
    pub name_status: Option<Arc<str>>,
    /// `CONNECTED` if it can send.
    pub status: Option<Arc<str>>,
    /// `GREEN`, `YELLOW`, `RED`.
    pub quality: Option<Arc<str>>,
    /// The number of people that it may write to first in a day.
    pub messaging_limit: Option<Arc<str>>,
    /// `STANDARD` or `HIGH`.
    pub throughput: Option<Arc<str>>,
    /// True if it is used with the WhatsApp Business app.
    pub is_on_app: Option<bool>,
    /// True if it has a two-step PIN.
    pub has_pin: Option<bool>,
    /// `LIVE` or `SANDBOX`.
    pub mode: Option<Arc<str>>,
    /// Meta's verdict on number, account, business and app together: `AVAILABLE`, `LIMITED`, `BLOCKED`.
    pub health: Option<Arc<str>>,
    /// Where the number's own webhooks go in place of the app's URL.
    pub webhook_url: Option<Arc<str>>,
    /// Its account.
    pub waba_id: Option<WabaId>,
}

/// Where webhooks of a number go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhooksGo {
    /// To our app, at its own URL or at one of ours.
    Here,
    /// To our app, at a URL that is not ours.
    Elsewhere,
    /// Not to our app.
    Nowhere,
}

impl WebhooksGo {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Here, Self::Elsewhere, Self::Nowhere];

    /// The name used in answers, events and the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Here => "subscribed",
            Self::Elsewhere => "overridden",
            Self::Nowhere => "lost",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == text)
    }
}

/// Meta's code for a check that it refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code.
    pub code: i64,
    /// The subcode.
    pub subcode: Option<i64>,
}

/// The sight of a number and its account at a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Of the number.
    pub number: SeenNumber,
    /// Meta's review of its account.
    pub review: Option<Arc<str>>,
    /// Where its webhooks go.
    pub webhooks: Option<WebhooksGo>,
    /// The URL that gets them, if that is not ours.
    pub webhook_url: Option<Arc<str>>,
    /// Set if Meta refused to tell of the number. The rest is then what was seen before.
    pub refused: Option<Refused>,
}

impl Seen {
    /// Fills in what Meta did not say this time.
    pub(super) fn after(mut self, before: Option<&Self>) -> Self {
        let Some(before) = before else { return self };
        let fill = |is: &mut Option<Arc<str>>, was: &Option<Arc<str>>| {
            if is.is_none() {
                is.clone_from(was);
            }
        };
        let (is, was) = (&mut self.number, &before.number);
        fill(&mut is.display, &was.display);
        fill(&mut is.name, &was.name);
        fill(&mut is.name_status, &was.name_status);
        fill(&mut is.status, &was.status);
        fill(&mut is.quality, &was.quality);
        fill(&mut is.messaging_limit, &was.messaging_limit);
        fill(&mut is.throughput, &was.throughput);
        fill(&mut is.mode, &was.mode);
        fill(&mut self.review, &before.review);
        is.is_on_app = is.is_on_app.or(was.is_on_app);
        is.has_pin = is.has_pin.or(was.has_pin);
        // Meta says of health what it knows at the moment, so an old word is worth nothing but for a check that was refused.
        if self.refused.is_some() {
            fill(&mut is.health, &was.health);
        }
        if self.webhooks.is_none() {
            self.webhooks = before.webhooks;
            self.webhook_url.clone_from(&before.webhook_url);
        }
        self
    }

    /// Says why the number cannot send, as far as Meta said so.
    pub(super) fn stop_reason(&self) -> Option<String> {
        let of = |word: &Option<Arc<str>>| word.as_deref().map(str::to_ascii_uppercase);
        if let Some(refused) = self
            .refused
            .filter(|is| graph_error::is_of_account(is.code, is.subcode))
        {
            return Some(format!("code {}", refused.code));
        }
        let status = of(&self.number.status).filter(|status| STOPPED.contains(&status.as_str()));
        if let Some(status) = status {
            return Some(format!("status {status}"));
        }
        let health = of(&self.number.health).filter(|health| health == BLOCKED);
        health.map(|health| format!("health {health}"))
    }

    /// True if Meta says in so many words that nothing stops the number.
    pub(super) fn is_available(&self) -> bool {
        self.refused.is_none() && self.number.health.as_deref() == Some(AVAILABLE) && self.stop_reason().is_none()
    }

    /// The messages a second that Meta allows the number, if it says so.
    pub fn messages_per_second(&self) -> Option<u32> {
        match (self.number.is_on_app, self.number.throughput.as_deref()) {
            (Some(true), _) => Some(ON_APP_PER_SECOND),
            (_, Some("HIGH")) => Some(HIGH_PER_SECOND),
            (_, Some("STANDARD")) => Some(STANDARD_PER_SECOND),
            _ => None,
        }
    }
}

/// Says where the webhooks of a number go, and the URL that gets them if it is not ours.
///
/// `apps` are those of ours that the number may be connected with; without any, only an account that nobody is subscribed to
/// says something. `own_urls` are the URLs of ours that an override may name. Below each, every app has one for itself, and what it posts
/// to that of another app is refused. The override of the number itself goes first.
pub fn webhooks_of(
    subscriptions: &[Subscription],
    of_number: Option<&Arc<str>>,
    apps: &[AppId],
    own_urls: &[Arc<str>],
) -> (Option<WebhooksGo>, Option<Arc<str>>) {
    if apps.is_empty() {
        return (subscriptions.is_empty().then_some(WebhooksGo::Nowhere), None);
    }
    let Some(ours) = subscriptions.iter().find(|known| apps.contains(&known.app_id)) else {
        return (Some(WebhooksGo::Nowhere), None);
    };
    let is_own = |url: &str| {
        own_urls.iter().any(|own| {
            let below = url.strip_prefix(&**own);
            below.is_some_and(|below| below.is_empty() || below.strip_prefix('/') == Some(ours.app_id.as_str()))
        })
    };
    match of_number.or(ours.override_url.as_ref()) {
        Some(url) if !is_own(url) => (Some(WebhooksGo::Elsewhere), Some(clip(url))),
        _ => (Some(WebhooksGo::Here), None),
    }
}
