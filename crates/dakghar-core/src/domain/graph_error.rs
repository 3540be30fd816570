//! Meta's error codes as data: what each means for the message and for its number.

use std::sync::Arc;
use std::time::Duration;

use super::message::SendError;
use super::message::evidence::clip;

/// Meta answered a send with an error of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphRefusal {
    /// The HTTP status; a hint only.
    pub http_status: u16,
    /// Meta's code.
    pub code: i64,
    /// Meta's subcode.
    pub subcode: Option<i64>,
    /// Meta's message.
    pub message: Arc<str>,
    /// Meta's details.
    pub details: Option<Arc<str>>,
    /// Meta's own hint that trying again may help.
    pub is_transient: Option<bool>,
    /// How long the `Retry-After` header asks to wait.
    pub retry_after: Option<Duration>,
    /// What Meta's support asks for.
    pub fbtrace_id: Option<Arc<str>>,
}

impl GraphRefusal {
    /// The refusal as the message keeps it.
    pub fn to_send_error(&self) -> SendError {
        SendError {
            code: Some(self.code),
            subcode: self.subcode,
            http_status: Some(self.http_status),
            message: clip(&self.message),
            details: self.details.as_deref().map(clip),
            fbtrace_id: self.fbtrace_id.clone(),
        }
    }
}

/// What a refusal means for the message and for its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalClass {
    /// Meta did not take it and may later: try again, after `after` at the earliest.
    Retry {
        /// The least wait.
        after: Option<Duration>,
    },
    /// Meta failed and does not say whether it took the message: wait for evidence.
    Service,
    /// The number sends too fast.
    PaceNumber,
    /// The number sends too fast to this one person.
    PacePair,
    /// The whole app calls too fast.
    PaceApp,
    /// The access token is not valid any more.
    Token,
    /// The number or the account may not send.
    Account,
    /// This message will never be taken.
    Fail,
}

/// What Dakghar makes of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it means for the message and the number.
    pub class: RefusalClass,
    /// What the code means, in our words.
    pub meaning: &'static str,
    /// What a person can do about it.
    pub advice: &'static str,
    /// Whether the code is in the table.
    pub is_known: bool,
}

/// Looks the refusal up; a code that is not in the table is judged by Meta's hint and the HTTP status.
pub fn classify(refusal: &GraphRefusal) -> Verdict {
    let _ = refusal;
    Verdict {
        class: RefusalClass::Fail,
        meaning: "",
        advice: "",
        is_known: false,
    }
}
