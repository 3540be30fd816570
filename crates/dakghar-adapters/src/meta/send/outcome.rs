//! The meaning of Meta's answer to a send: accepted, refused, or nothing that could be relied on.
//!
//! Meta gives two verdicts: a success that names a wamid, and an `error` object with a code. Without either, a status
//! that blames the request comes from something in between (a proxy, a filter, the edge) that did not pass it on.
//! Everything else leaves the outcome unknown, because the request may have been carried out before the answer was lost.

use std::sync::Arc;

use dakghar_core::domain::ids::{WaId, Wamid};
use dakghar_core::domain::message::{Receipt, SendOutcome};
use dakghar_core::domain::time::Timestamp;

use super::super::http::GraphAnswer;
use super::super::lenient_json::{Fields, elements};
use super::super::refusal::refusal;

/// The longest wamid that is believed; Meta's have about a hundred characters.
const WAMID_CHARS_MAX: usize = 256;
/// The longest text beside it that is kept.
const RECEIPT_CHARS_MAX: usize = 160;

/// Judges a complete answer that came at `now`.
pub(super) fn judge(answer: &GraphAnswer, now: Timestamp) -> SendOutcome {
    let code = answer.status.as_u16();
    let Some(fields) = std::str::from_utf8(&answer.body).ok().and_then(Fields::parse) else {
        return not_from_meta(code, "the answer is not a JSON object");
    };
    if answer.status.is_success()
        && let Some(id) = first_message_id(&fields)
    {
        return match Wamid::parse(&id).ok().filter(|_| id.len() <= WAMID_CHARS_MAX) {
            Some(wamid) => SendOutcome::Accepted {
                wamid,
                known_as: recipients(&fields),
                receipt: receipt(&fields),
            },
            None => unknown(&format!("the answer names an impossible message id (HTTP {code})")),
        };
    }
    if let Some(refusal) = refusal(code, &answer.headers, &fields, now) {
        return SendOutcome::Refused(refusal);
    }
    not_from_meta(code, "the answer is neither an acceptance nor a refusal")
}

/// Judges an answer without a verdict of Meta's. A gateway that gave up waiting (502, 504, 408, 499) or failed (500,
/// 503) may have passed the request on before.
///
/// A page in place of Meta's error is a doubt and no retry, although it is from Meta's edge and mostly means that the
/// application was not reached. Nothing in such an answer proves that: the edge says 502 when what stands behind it broke
/// off while it answered, and 503 when it gave up on it. A second attempt would be a second message to the person each time
/// that the first had arrived. As a doubt, the message is settled by the webhook about it where it did go out, and where no
/// webhook came by the policy that the tenant chose (`unknownOutcome`), which may well be to send it again. Refusals of the
/// request itself (4xx) are another matter: who refuses does not pass on.
fn not_from_meta(code: u16, what: &str) -> SendOutcome {
    match code {
        408 | 499 => unknown(&format!("{what} (HTTP {code})")),
        400..=498 | 511 => SendOutcome::TurnedAway {
            http_status: code,
            why: format!("something between here and Meta refused the request (HTTP {code})").into(),
        },
        _ => unknown(&format!("{what} (HTTP {code})")),
    }
}

fn unknown(why: &str) -> SendOutcome {
    SendOutcome::Unknown { why: why.into() }
}

fn first_message_id(answer: &Fields<'_>) -> Option<String> {
    let messages = elements(answer.get("messages")?)?;
    let first = Fields::of(messages.first()?)?;
    first.text("id").map(std::borrow::Cow::into_owned)
}

/// The ids of the recipient. More than one is none of ours: a message has one.
fn recipients(answer: &Fields<'_>) -> Vec<WaId> {
    let contacts = answer.get("contacts").and_then(elements).unwrap_or_default();
    let [only] = contacts[..] else { return Vec::new() };
    let Some(contact) = Fields::of(only) else {
        return Vec::new();
    };
    let ids = ["wa_id", "user_id"].map(|name| contact.text(name));
    let ids = ids.iter().flatten().map(|id| id.strip_prefix('+').unwrap_or(id));
    ids.filter_map(|id| WaId::parse(id).ok()).collect()
}

/// The words of the answer on the message and its only recipient, as far as they are short enough to be true.
fn receipt(answer: &Fields<'_>) -> Receipt {
    let only = |name: &str| {
        let elements = answer.get(name).and_then(elements).unwrap_or_default();
        let [only] = elements[..] else { return None };
        Fields::of(only)
    };
    let text = |fields: &Option<Fields<'_>>, name: &str| {
        let text = fields.as_ref()?.text(name)?;
        let text = text.strip_prefix('+').unwrap_or(&text);
        (1..=RECEIPT_CHARS_MAX)
            .contains(&text.len())
            .then(|| Arc::<str>::from(text))
    };
    let (message, contact) = (only("messages"), only("contacts"));
    Receipt {
        status: text(&message, "message_status"),
        wa_id: text(&contact, "wa_id"),
        user_id: text(&contact, "user_id"),
    }
}

#[cfg(test)]
mod tests;
