//! What Meta's answer to a send means: accepted, refused, or nothing that could be relied on.
//!
//! Only two answers are verdicts: a success that names a wamid, and an `error` object of Meta's with a code. Everything
//! else (an error page of the edge, an empty body, a foreign document) leaves the outcome unknown, because the request
//! may have been carried out before the answer was lost.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::graph_error::GraphRefusal;
use dakghar_core::domain::ids::Wamid;
use dakghar_core::domain::message::SendOutcome;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::fields::{Fields, elements};

/// The longest wamid that is believed; Meta's have about a hundred characters.
const WAMID_CHARS_MAX: usize = 256;
/// The longest wait a `Retry-After` header can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);
/// The longest trace id that is kept.
const TRACE_ID_BYTES_MAX: usize = 128;

/// Judges a complete answer.
pub(super) fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> SendOutcome {
    let code = status.as_u16();
    let Some(fields) = std::str::from_utf8(body).ok().and_then(Fields::parse) else {
        return unknown(format!("the answer is not a JSON object (HTTP {code})"));
    };
    if status.is_success()
        && let Some(id) = first_message_id(&fields)
    {
        return match Wamid::parse(&id).ok().filter(|_| id.len() <= WAMID_CHARS_MAX) {
            Some(wamid) => SendOutcome::Accepted { wamid },
            None => unknown(format!("the answer names an impossible message id (HTTP {code})")),
        };
    }
    if let Some(refusal) = refusal(code, headers, &fields) {
        return SendOutcome::Refused(refusal);
    }
    unknown(format!(
        "the answer is neither an acceptance nor a refusal (HTTP {code})"
    ))
}

pub(super) fn unknown(why: impl Into<Arc<str>>) -> SendOutcome {
    SendOutcome::Unknown { why: why.into() }
}

fn first_message_id(answer: &Fields<'_>) -> Option<String> {
    let messages = elements(answer.get("messages")?)?;
    let first = Fields::of(messages.first()?)?;
    first.text("id").map(std::borrow::Cow::into_owned)
}

fn refusal(http_status: u16, headers: &HeaderMap, answer: &Fields<'_>) -> Option<GraphRefusal> {
    let error = answer.object("error")?;
    let owned = |name: &str| error.text(name).map(|text| Arc::<str>::from(&*text));
    Some(GraphRefusal {
        http_status,
        code: error.integer("code")?,
        subcode: error.integer("error_subcode"),
        message: owned("message").unwrap_or_default(),
        details: details(&error),
        is_transient: error.get("is_transient").and_then(|raw| raw.get().parse().ok()),
        retry_after: retry_after(headers),
        fbtrace_id: owned("fbtrace_id")
            .or_else(|| header_text(headers, "x-fb-trace-id").map(Arc::from))
            .or_else(|| header_text(headers, "x-fb-request-id").map(Arc::from))
            .filter(|id| id.len() <= TRACE_ID_BYTES_MAX),
    })
}

/// `error_data` is an object with `details`, or on some endpoints a plain string.
pub(super) fn details(error: &Fields<'_>) -> Option<Arc<str>> {
    match error.object("error_data") {
        Some(data) => data.text("details"),
        None => error.text("error_data"),
    }
    .filter(|text| !text.is_empty())
    .map(|text| Arc::from(&*text))
}

/// Seconds, or a date; a date is judged by the clock of the answer where it has one, so that ours may be wrong.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = header_text(headers, RETRY_AFTER.as_str())?.trim();
    let wait = if let Ok(seconds) = asked.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let until = http_date(asked)?;
        let now = header_text(headers, DATE.as_str())
            .and_then(http_date)
            .unwrap_or_else(Timestamp::now);
        Duration::try_from(until.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text)
        .ok()
}

pub(super) fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests;
