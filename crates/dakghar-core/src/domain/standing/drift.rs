//! The kinds of drift at Meta, and advice about each.

use std::sync::Arc;

use super::Standing;
use super::seen::{Seen, WebhooksGo};
use crate::domain::hold::HoldReason;
use crate::domain::tenant::PhoneNumber;

/// A thing at Meta that may change without anybody here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drift {
    /// Meta's willingness to tell of the number.
    Access,
    /// The account of the number.
    Account,
    /// An event of the account that stopped sending.
    AccountEvent,
    /// The mode of the account: for real, or for tests.
    AccountMode,
    /// Meta's review of the account.
    AccountReview,
    /// The use with the WhatsApp Business app.
    BusinessApp,
    /// Meta's own word on whether the number can send.
    Health,
    /// The number of people that it may write to first in a day.
    MessagingLimit,
    /// The name that people see.
    Name,
    /// Meta's approval of the name.
    NameStatus,
    /// The two-step PIN.
    Pin,
    /// The quality that people's reports give it.
    Quality,
    /// The status of the number.
    Status,
    /// The way of its webhooks.
    Subscription,
    /// The level of its throughput.
    Throughput,
    /// The access token.
    Token,
    /// The URL of others that gets the webhooks.
    WebhookUrl,
}

impl Drift {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Access,
        Self::Account,
        Self::AccountEvent,
        Self::AccountMode,
        Self::AccountReview,
        Self::BusinessApp,
        Self::Health,
        Self::MessagingLimit,
        Self::Name,
        Self::NameStatus,
        Self::Pin,
        Self::Quality,
        Self::Status,
        Self::Subscription,
        Self::Throughput,
        Self::Token,
        Self::WebhookUrl,
    ];

    /// The name used in events, answers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Account => "account",
            Self::AccountEvent => "account_event",
            Self::AccountMode => "account_mode",
            Self::AccountReview => "account_review",
            Self::BusinessApp => "business_app",
            Self::Health => "health",
            Self::MessagingLimit => "messaging_limit",
            Self::Name => "name",
            Self::NameStatus => "name_status",
            Self::Pin => "pin",
            Self::Quality => "quality",
            Self::Status => "status",
            Self::Subscription => "subscription",
            Self::Throughput => "throughput",
            Self::Token => "token",
            Self::WebhookUrl => "webhook_url",
        }
    }
}

/// A difference between two checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The kind.
    pub drift: Drift,
    /// The value before; `None` if it was not known.
    pub before: Option<Arc<str>>,
    /// The value now.
    pub after: Arc<str>,
}

/// Something about a number that a person should see to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// The kind.
    pub drift: Drift,
    /// The state.
    pub value: Arc<str>,
    /// The advice.
    pub advice: &'static str,
}

impl Change {
    /// The advice, if there is anything to do.
    pub fn advice(&self) -> Option<&'static str> {
        advice(self.drift, &self.after)
    }
}

impl Seen {
    /// Returns the value of a thing, if that was seen.
    pub(super) fn value(&self, drift: Drift) -> Option<Arc<str>> {
        let number = &self.number;
        match drift {
            Drift::Access => Some(match self.refused {
                Some(refused) => format!("refused with {}", refused.code).into(),
                None => GRANTED.into(),
            }),
            Drift::AccountMode => number.mode.clone(),
            Drift::AccountReview => self.review.clone(),
            Drift::BusinessApp => number
                .is_on_app
                .map(|is| if is { CONNECTED } else { NOT_CONNECTED }.into()),
            Drift::Health => number.health.clone(),
            Drift::MessagingLimit => number.messaging_limit.clone(),
            Drift::Name => number.name.clone(),
            Drift::NameStatus => number.name_status.clone(),
            Drift::Pin => number.has_pin.map(|has| if has { SET } else { NOT_SET }.into()),
            Drift::Quality => number.quality.clone(),
            Drift::Status => number.status.clone(),
            Drift::Subscription => self.webhooks.map(|go| go.as_str().into()),
            Drift::Throughput => match number.is_on_app {
                Some(true) => Some(ON_APP.into()),
                _ => number.throughput.clone(),
            },
            Drift::WebhookUrl => self.webhook_url.clone(),
            // These are the number's own, and not seen at Meta.
            Drift::Account | Drift::AccountEvent | Drift::Token => None,
        }
    }

    /// The differences from what was seen before. Where nothing was, only what a person should see to is one.
    pub(super) fn changes(&self, before: Option<&Self>) -> Vec<Change> {
        let change = |drift: Drift| {
            let (was, is) = (before.and_then(|seen| seen.value(drift)), self.value(drift)?);
            let is_new = match &was {
                Some(was) => *was != is,
                None => advice(drift, &is).is_some(),
            };
            is_new.then_some(Change {
                drift,
                before: was,
                after: is,
            })
        };
        Drift::ALL.into_iter().filter_map(change).collect()
    }
}

impl PhoneNumber {
    /// Returns the things that a person should see to, as far as they are known.
    pub fn concerns(&self) -> Vec<Concern> {
        let value = |drift: Drift| match drift {
            Drift::AccountEvent => self.standing.open_stop(),
            Drift::Token => {
                let hold = self.hold.filter(|hold| hold.reason == HoldReason::CredentialsInvalid);
                hold.map(|_| "refused".into())
            }
            _ => self.standing.seen.as_ref()?.value(drift),
        };
        let concern = |drift: Drift| {
            let value = value(drift)?;
            let advice = advice(drift, &value)?;
            Some(Concern { drift, value, advice })
        };
        Drift::ALL.into_iter().filter_map(concern).collect()
    }
}

impl Standing {
    fn open_stop(&self) -> Option<Arc<str>> {
        Some(self.stop.as_ref().filter(|stop| !stop.is_over)?.event.clone())
    }
}

const GRANTED: &str = "granted";
const SET: &str = "set";
const NOT_SET: &str = "not set";
const ON_APP: &str = "WhatsApp Business app";
const CONNECTED: &str = "connected";
const NOT_CONNECTED: &str = "not connected";

/// The advice to a person about a thing that is like this; `None` if it is as it should be, or nobody can do anything.
fn advice(drift: Drift, value: &str) -> Option<&'static str> {
    match (drift, value.to_ascii_uppercase().as_str()) {
        (Drift::Access, _) if value != GRANTED => Some(
            "Meta does not tell of the number: its token must see it and have whatsapp_business_management; connect it again, or replace the token.",
        ),
        (Drift::AccountEvent, _) => {
            Some("Meta stopped the account; WhatsApp Manager tells why. It sends again when Meta says that it may.")
        }
        (Drift::AccountMode, "SANDBOX") => {
            Some("The number is a test number, which reaches only the people on its list.")
        }
        (Drift::AccountReview, "PENDING") => Some("Meta is still reviewing the account."),
        (Drift::AccountReview, "REJECTED") => Some("Meta rejected the account; appeal in Business Support Home."),
        (Drift::Health, "BLOCKED") => Some("Meta lets the number send nothing; WhatsApp Manager tells why."),
        (Drift::Health, "LIMITED") => Some("Meta limits what the number may send; WhatsApp Manager tells why."),
        (Drift::NameStatus, "DECLINED" | "EXPIRED" | "NONE") => {
            Some("Meta did not approve the name that people see; ask for another one in WhatsApp Manager.")
        }
        (Drift::Pin, _) if value == NOT_SET => {
            Some("Switch on two-step verification, so that nobody else registers the number.")
        }
        (Drift::Quality, "RED") => {
            Some("People block or report the number: write less, and only to those who want it, before Meta limits it.")
        }
        (Drift::Quality, "YELLOW") => Some("Some people block or report the number; look at what it sends."),
        (Drift::Status, status) if status != "CONNECTED" => {
            Some("The number is not connected as it should be; WhatsApp Manager tells what Meta wants.")
        }
        (Drift::Subscription, _) if value == WebhooksGo::Nowhere.as_str() => Some(
            "Our app gets no webhooks of the account: connect it again, set NUMBER_SUBSCRIBE_AGAIN, or post to its subscribed_apps.",
        ),
        (Drift::Subscription, _) if value == WebhooksGo::Elsewhere.as_str() => Some(
            "Somebody sends the webhooks to another URL. If that is this gateway, name it in SIGNUP_WEBHOOK_URL or PUBLIC_URL; if not, remove the override or ask who set it.",
        ),
        (Drift::Token, _) => Some("Meta refuses the access token: replace it, or connect the number again."),
        _ => None,
    }
}
