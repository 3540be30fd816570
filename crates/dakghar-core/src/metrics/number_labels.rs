//! The labels of checks of numbers.

use super::instruments::Label;
use super::labels::label;
use crate::domain::standing::Drift;

label! {
    /// The result of a check of a number.
    NumberChecked "result" {
        /// Nothing new.
        Same = "same",
        /// A difference.
        Changed = "changed",
        /// Meta does not tell of the number.
        Refused = "refused",
        /// Meta says that the access token does not work.
        Token = "token",
        /// Meta gave no answer, or wants fewer calls.
        NoAnswer = "no_answer",
    }
}

label! {
    /// The thing of a number that has changed, or is wrong.
    NumberDrift "kind" {
        /// Meta's willingness to tell of it.
        Access = "access",
        /// Its account.
        Account = "account",
        /// An event of the account that stopped sending.
        AccountEvent = "account_event",
        /// The mode of the account: for real, or for tests.
        AccountMode = "account_mode",
        /// Meta's review of the account.
        AccountReview = "account_review",
        /// Its use with the WhatsApp Business app.
        BusinessApp = "business_app",
        /// Meta's own word on whether it can send.
        Health = "health",
        /// The number of people that it may write to first in a day.
        MessagingLimit = "messaging_limit",
        /// The name that people see.
        Name = "name",
        /// Meta's approval of the name.
        NameStatus = "name_status",
        /// The two-step PIN.
        Pin = "pin",
        /// The quality that people's reports give it.
        Quality = "quality",
        /// Its status.
        Status = "status",
        /// The way of its webhooks.
        Subscription = "subscription",
        /// The level of its throughput.
        Throughput = "throughput",
        /// Its access token.
        Token = "token",
        /// The URL of others that gets the webhooks.
        WebhookUrl = "webhook_url",
    }
}

impl From<Drift> for NumberDrift {
    fn from(drift: Drift) -> Self {
        match drift {
            Drift::Access => Self::Access,
            Drift::Account => Self::Account,
            Drift::AccountEvent => Self::AccountEvent,
            Drift::AccountMode => Self::AccountMode,
            Drift::AccountReview => Self::AccountReview,
            Drift::BusinessApp => Self::BusinessApp,
            Drift::Health => Self::Health,
            Drift::MessagingLimit => Self::MessagingLimit,
            Drift::Name => Self::Name,
            Drift::NameStatus => Self::NameStatus,
            Drift::Pin => Self::Pin,
            Drift::Quality => Self::Quality,
            Drift::Status => Self::Status,
            Drift::Subscription => Self::Subscription,
            Drift::Throughput => Self::Throughput,
            Drift::Token => Self::Token,
            Drift::WebhookUrl => Self::WebhookUrl,
        }
    }
}
