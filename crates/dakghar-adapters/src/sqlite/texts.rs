//! The small structures that are kept as JSON text in one column: timelines, errors, wamids. They are only ever read
//! whole, together with their message.

use std::borrow::Cow;

use dakghar_core::domain::ids::{MessageId, MessageKey, TenantId, Wamid};
use dakghar_core::domain::message::{SendError, TimelineEntry, TimelineEvent};
use dakghar_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::cells::{Damaged, Read};

/// Sorts behind every id: where a list without a cursor starts.
const BEHIND_ALL: &str = "~";

/// The text for "only older than this id".
pub(super) fn before_text(before: Option<impl ToString>) -> String {
    before.map_or_else(|| BEHIND_ALL.to_owned(), |id| id.to_string())
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorText<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subcode: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    details: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    fbtrace_id: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct EntryText<'a> {
    at: i64,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorText<'a>>,
}

impl<'a> From<&'a SendError> for ErrorText<'a> {
    fn from(error: &'a SendError) -> Self {
        Self {
            code: error.code,
            subcode: error.subcode,
            http_status: error.http_status,
            message: Cow::Borrowed(&error.message),
            details: error.details.as_deref().map(Cow::Borrowed),
            fbtrace_id: error.fbtrace_id.as_deref().map(Cow::Borrowed),
        }
    }
}

impl From<ErrorText<'_>> for SendError {
    fn from(text: ErrorText<'_>) -> Self {
        Self {
            code: text.code,
            subcode: text.subcode,
            http_status: text.http_status,
            message: text.message.as_ref().into(),
            details: text.details.as_deref().map(Into::into),
            fbtrace_id: text.fbtrace_id.as_deref().map(Into::into),
        }
    }
}

impl<'a> From<&'a TimelineEntry> for EntryText<'a> {
    fn from(entry: &'a TimelineEntry) -> Self {
        Self {
            at: entry.at.as_millis(),
            event: Cow::Borrowed(entry.event.as_str()),
            attempt: entry.attempt,
            detail: entry.detail.as_deref().map(Cow::Borrowed),
            until: entry.until.map(Timestamp::as_millis),
            error: entry.error.as_ref().map(ErrorText::from),
        }
    }
}

impl TryFrom<EntryText<'_>> for TimelineEntry {
    type Error = Damaged;

    fn try_from(text: EntryText<'_>) -> Read<Self> {
        let event = TimelineEvent::parse(&text.event)
            .ok_or_else(|| Damaged("the timeline holds an unknown event".to_owned()))?;
        Ok(Self {
            at: Timestamp::from_millis(text.at),
            event,
            attempt: text.attempt,
            detail: text.detail.as_deref().map(Into::into),
            until: text.until.map(Timestamp::from_millis),
            error: text.error.map(SendError::from),
        })
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain structures of text and numbers have a JSON form")
}

fn from_json<'a, T: Deserialize<'a>>(text: &'a str, what: &str) -> Read<T> {
    // The parser's own words may quote a value.
    serde_json::from_str(text)
        .map_err(|error| Damaged(format!("{what} is not understood at its byte {}", error.column())))
}

pub(super) fn timeline_text(timeline: &[TimelineEntry]) -> String {
    let entries: Vec<EntryText<'_>> = timeline.iter().map(EntryText::from).collect();
    to_json(&entries)
}

pub(super) fn parse_timeline(text: &str) -> Read<Vec<TimelineEntry>> {
    let entries: Vec<EntryText<'_>> = from_json(text, "the timeline")?;
    entries.into_iter().map(TimelineEntry::try_from).collect()
}

pub(super) fn error_text(error: &SendError) -> String {
    to_json(&ErrorText::from(error))
}

pub(super) fn parse_error(text: &str) -> Read<SendError> {
    let error: ErrorText<'_> = from_json(text, "the error")?;
    Ok(error.into())
}

/// `None` for no wamids, which is what most rows hold.
pub(super) fn wamids_text(wamids: &[Wamid]) -> Option<String> {
    if wamids.is_empty() {
        return None;
    }
    let texts: Vec<&str> = wamids.iter().map(Wamid::as_str).collect();
    Some(to_json(&texts))
}

pub(super) fn parse_wamids(text: Option<&str>) -> Read<Vec<Wamid>> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let wamids: Vec<Cow<'_, str>> = from_json(text, "the list of wamids")?;
    wamids
        .iter()
        .map(|wamid| Wamid::parse(wamid).map_err(|error| Damaged(error.to_string())))
        .collect()
}

/// Keys of messages: the tenant and the message, with a space between.
pub(super) fn keys_text(keys: &[MessageKey]) -> String {
    let texts: Vec<String> = keys
        .iter()
        .map(|key| format!("{} {}", key.tenant_id, key.message_id))
        .collect();
    to_json(&texts)
}

pub(super) fn parse_keys(text: &str) -> Read<Vec<MessageKey>> {
    let keys: Vec<Cow<'_, str>> = from_json(text, "the list of keys")?;
    let key = |text: &str| {
        let (tenant_id, message_id) = text.split_once(' ')?;
        Some(MessageKey {
            tenant_id: TenantId::parse(tenant_id).ok()?,
            message_id: MessageId::parse(message_id).ok()?,
        })
    };
    let wrong = || Damaged("the list of keys holds something else".to_owned());
    keys.iter().map(|text| key(text).ok_or_else(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_comes_back_as_it_was() {
        let at = Timestamp::from_millis(1_763_805_600_120);
        let error = SendError {
            code: Some(131_026),
            subcode: Some(-1),
            http_status: Some(400),
            message: "Message \"undeliverable\"\n\u{1f4ee}".into(),
            details: Some("".into()),
            fbtrace_id: Some("Az8or2yhqkZfEZ-_4Qn_Bam".into()),
        };
        let timeline: Vec<_> = TimelineEvent::ALL
            .into_iter()
            .map(|event| TimelineEntry::new(at, event))
            .chain([TimelineEntry::new(at, TimelineEvent::Attempt)
                .attempt(7)
                .detail("refused")
                .until(at)
                .error(Some(error))])
            .collect();
        assert_eq!(parse_timeline(&timeline_text(&timeline)).expect("readable"), timeline);
    }

    #[test]
    fn damaged_text_is_an_error_and_not_an_empty_value() {
        assert!(parse_timeline("").is_err());
        assert!(parse_timeline(r#"[{"at":1,"event":"invented"}]"#).is_err());
        assert!(parse_error("{}").is_err());
        assert!(parse_wamids(Some(r#"["with space "]"#)).is_err());
    }
}
