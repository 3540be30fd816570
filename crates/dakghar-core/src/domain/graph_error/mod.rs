//! The meaning of Meta's refusals, for the message and for its number.
//!
//! The codes are data, in [`TABLE`]. The code decides, then the subcode. The HTTP status and Meta's own hint only help
//! where the code says too little. This module never decides when or how often to try again.

mod class;
mod table;

use std::sync::Arc;
use std::time::Duration;

use super::send_error::{SendError, clip};

pub use class::{RefusalClass, Verdict};
pub use table::{Row, TABLE};

/// Meta's code for a wrong parameter, whichever it is.
const WRONG_PARAMETER: i64 = 100;
/// The parameter whose absence says something of the app, and nothing of the message.
const PROOF: &str = "appsecret_proof";

/// Meta's answer to a send that it refused.
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
    /// The wait that the `Retry-After` header asks for.
    pub retry_after: Option<Duration>,
    /// The trace id that Meta's support asks for.
    pub fbtrace_id: Option<Arc<str>>,
}

impl GraphRefusal {
    /// Returns the refusal in the form that the message keeps.
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

/// Looks the refusal up. For a code that is not in the table, Meta's hint and the HTTP status decide.
pub fn classify(refusal: &GraphRefusal) -> Verdict {
    if refusal.code == WRONG_PARAMETER && refusal.message.contains(PROOF) {
        return Verdict {
            class: RefusalClass::Token,
            meaning: "The app of the access token requires a proof of its secret with each call.",
            advice: "Tell Dakghar the app's id and its present secret: APP_ID and APP_SECRET, or dakghar app.",
            is_known: true,
        };
    }
    let row = TABLE.iter().find(|row| row.covers(refusal.code, refusal.subcode));
    row.map_or_else(|| judge_unknown(refusal), Row::verdict)
}

/// True if the code says that the number or its account may not send. It means the same in the answer of a call and in
/// a `failed` status.
pub fn is_of_account(code: i64, subcode: Option<i64>) -> bool {
    let row = TABLE.iter().find(|row| row.covers(code, subcode));
    row.is_some_and(|row| row.class == RefusalClass::Account)
}

/// Returns the class of a code that is in the table, whatever its subcode.
pub fn class_of(code: i64) -> Option<RefusalClass> {
    let row = TABLE.iter().find(|row| row.covers(code, None));
    row.map(|row| row.class)
}

/// Returns the meaning of a code and its subcode, and the advice, in our words; `None` for a code that is not in the
/// table.
pub fn describe(code: i64, subcode: Option<i64>) -> Option<(&'static str, &'static str)> {
    let row = TABLE.iter().find(|row| row.covers(code, subcode))?;
    Some((row.meaning, row.advice))
}

fn judge_unknown(refusal: &GraphRefusal) -> Verdict {
    let (class, advice) = match refusal.http_status {
        _ if refusal.is_transient == Some(true) => (
            RefusalClass::Retry { after: None },
            "Nothing to do: Meta calls it temporary and it is tried again.",
        ),
        429 => (
            RefusalClass::PaceNumber,
            "Nothing to do: the number slows down and the message is tried again.",
        ),
        401 => (
            RefusalClass::Token,
            "Check the access token of the number and store a new one.",
        ),
        400..=499 if refusal.is_transient == Some(false) => (
            RefusalClass::Fail,
            "Read Meta's message and details, which say what was wrong.",
        ),
        _ => (
            RefusalClass::Retry { after: None },
            "Nothing to do unless it repeats; then read Meta's message and details.",
        ),
    };
    Verdict {
        class,
        meaning: "Meta answered with a code that Dakghar does not know.",
        advice,
        is_known: false,
    }
}

#[cfg(test)]
mod tests;
