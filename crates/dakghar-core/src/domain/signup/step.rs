//! The steps of a signup, and what became of each.

use std::sync::Arc;

use crate::domain::send_error::SendError;
use crate::domain::time::Timestamp;

/// A step of a signup, in the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SignupStep {
    /// The code is exchanged for a token.
    Exchange,
    /// The token is of our app, may do what is needed, and names the account.
    Token,
    /// The account and its numbers are read, and nobody else has them.
    Account,
    /// The app gets the webhooks of the account.
    Subscribe,
    /// The number is registered for the Cloud API.
    Register,
    /// Profile, quality, limit and throughput of the number are read.
    Facts,
    /// The operator's credit line is shared with the account.
    Credit,
    /// The tenant gets the number with its token.
    Tenant,
    /// Meta is asked for the contacts of the WhatsApp Business app.
    Contacts,
    /// Meta is asked for the history of the WhatsApp Business app.
    History,
}

impl SignupStep {
    /// All steps, in their order.
    pub const ALL: [Self; 10] = [
        Self::Exchange,
        Self::Token,
        Self::Account,
        Self::Subscribe,
        Self::Register,
        Self::Facts,
        Self::Credit,
        Self::Tenant,
        Self::Contacts,
        Self::History,
    ];

    /// The name used in answers, settings and the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Token => "token",
            Self::Account => "account",
            Self::Subscribe => "subscribe",
            Self::Register => "register",
            Self::Facts => "facts",
            Self::Credit => "credit",
            Self::Tenant => "tenant",
            Self::Contacts => "contacts",
            Self::History => "history",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }

    /// True if an installation may choose that a signup goes on without it.
    pub const fn may_be_optional(self) -> bool {
        matches!(self, Self::Subscribe | Self::Register | Self::Facts | Self::Credit)
    }

    /// True if only a number of the WhatsApp Business app has it. The number can send already, whatever becomes of it.
    pub const fn is_of_app(self) -> bool {
        matches!(self, Self::Contacts | Self::History)
    }

    pub(super) fn next(self, is_on_app: bool) -> Option<Self> {
        let is_due = |step: &Self| *step > self && (is_on_app || !step.is_of_app());
        Self::ALL.into_iter().find(is_due)
    }
}

/// What became of a step that a signup has behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepEnd {
    /// It was done, now or before.
    Done,
    /// There was nothing to do.
    Skipped,
    /// It failed, and the signup went on without it.
    Failed,
}

impl StepEnd {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Skipped, Self::Failed];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == text)
    }
}

/// A step that a signup has behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// Which.
    pub step: SignupStep,
    /// What became of it.
    pub end: StepEnd,
    /// When.
    pub at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// What else is to be said: why it was skipped, or the advice where it failed.
    pub note: Option<Arc<str>>,
    /// Meta's refusal, if it failed.
    pub error: Option<SendError>,
    /// Meta's id of what was asked for, if it gave one.
    pub request_id: Option<Arc<str>>,
}
