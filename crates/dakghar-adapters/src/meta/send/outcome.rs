//! The meaning of Meta's answer to a send: accepted, refused, or nothing that could be relied on.
//!
//! Only two answers are verdicts: a success that names a wamid, and an `error` object of Meta's with a code. Everything
//! else (an error page of the edge, an empty body, a foreign document) leaves the outcome unknown, because the request
//! may have been carried out before the answer was lost.

use dakghar_core::domain::ids::Wamid;
use dakghar_core::domain::message::SendOutcome;
use dakghar_core::domain::time::Timestamp;

use super::super::http::GraphAnswer;
use super::super::lenient_json::{Fields, elements};
use super::super::refusal::refusal;

/// The longest wamid that is believed; Meta's have about a hundred characters.
const WAMID_CHARS_MAX: usize = 256;

/// Judges a complete answer that came at `now`.
pub(super) fn judge(answer: &GraphAnswer, now: Timestamp) -> SendOutcome {
    let code = answer.status.as_u16();
    let Some(fields) = std::str::from_utf8(&answer.body).ok().and_then(Fields::parse) else {
        return unknown(&format!("the answer is not a JSON object (HTTP {code})"));
    };
    if answer.status.is_success()
        && let Some(id) = first_message_id(&fields)
    {
        return match Wamid::parse(&id).ok().filter(|_| id.len() <= WAMID_CHARS_MAX) {
            Some(wamid) => SendOutcome::Accepted { wamid },
            None => unknown(&format!("the answer names an impossible message id (HTTP {code})")),
        };
    }
    if let Some(refusal) = refusal(code, &answer.headers, &fields, now) {
        return SendOutcome::Refused(refusal);
    }
    unknown(&format!(
        "the answer is neither an acceptance nor a refusal (HTTP {code})"
    ))
}

fn unknown(why: &str) -> SendOutcome {
    SendOutcome::Unknown { why: why.into() }
}

fn first_message_id(answer: &Fields<'_>) -> Option<String> {
    let messages = elements(answer.get("messages")?)?;
    let first = Fields::of(messages.first()?)?;
    first.text("id").map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests;
