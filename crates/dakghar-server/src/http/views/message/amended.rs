//! Messages that people edited or revoked.

use dakghar_core::domain::message::TimelineEvent;
use dakghar_core::domain::{AmendedMessage, Message, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::http::views::raw_json;

/// What a message said for a time.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MessageVersion)]
pub(super) struct VersionView {
    /// Since when, according to Meta.
    at: String,
    /// Meta's id: of the message itself, or of the edit.
    wamid: Option<String>,
    /// Meta's name of the type.
    #[serde(rename = "type")]
    #[schema(example = "text")]
    kind: String,
    /// Meta's object of that type, untouched.
    #[schema(value_type = serde_json::Value, example = json!({"body": "Hello"}))]
    content: Box<RawValue>,
}

/// What it said, oldest first; `None` if it was never edited.
pub(super) fn versions(amended: &AmendedMessage) -> Option<Vec<VersionView>> {
    let message = &amended.message;
    let mut versions = vec![VersionView {
        at: said_at(message).to_string(),
        wamid: message.delivery.wamid.as_ref().map(ToString::to_string),
        kind: message.accepted.content.kind.as_ref().to_owned(),
        content: raw_json(&message.accepted.content.body),
    }];
    let edits = amended.amendments.iter().rev();
    versions.extend(edits.filter_map(|edit| {
        let content = edit.content.as_ref()?;
        Some(VersionView {
            at: edit.at.to_string(),
            wamid: Some(edit.by.to_string()),
            kind: content.kind.as_ref().to_owned(),
            content: raw_json(&content.body),
        })
    }));
    (versions.len() > 1).then_some(versions)
}

fn said_at(message: &Message) -> Timestamp {
    let first = message.delivery.timeline.first();
    let reported = first
        .filter(|entry| entry.event == TimelineEvent::Received)
        .and_then(|entry| entry.until);
    reported.unwrap_or(message.accepted.created_at)
}
