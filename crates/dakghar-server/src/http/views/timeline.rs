//! What happened to a message.

use dakghar_core::domain::Timestamp;
use dakghar_core::domain::message::{TimelineEntry, TimelineEvent, Wait};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::error::ErrorView;
use super::names;

/// One thing that happened to a message. Fields that do not apply are left out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimelineEntry)]
pub(in crate::http) struct TimelineEntryView {
    /// When, by our clock.
    at: String,
    /// What.
    #[schema(schema_with = timeline_events)]
    event: &'static str,
    /// The number of the call to Meta that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// Of an attempt: how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "sent")]
    outcome: Option<String>,
    /// Of a status: what Meta reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// Why it waits, is held or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The redrive that sent it again, when that was not for this message alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_id: Option<String>,
    /// Until when it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// When it happened, according to Meta.
    #[serde(skip_serializing_if = "Option::is_none")]
    reported_at: Option<String>,
    /// What was said against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorView>,
}

/// What a message waits for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Wait)]
pub(in crate::http) struct WaitView {
    /// `turn` among the messages of its number, `send_at`, `pace`, `pair_pace` behind others to the same person,
    /// `meta_allowance` of the account or the app, `slow_down` that Meta asked for, `retry`, `calls_under_way`,
    /// `host_unreachable`, `quiet_hours`, `hold`, `evidence` of what became of a call, and others as they come.
    #[schema(example = "pair_pace")]
    reason: String,
    /// Until when, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl From<Wait<'_>> for WaitView {
    fn from(wait: Wait<'_>) -> Self {
        Self {
            reason: wait.reason.to_owned(),
            until: wait.until.as_ref().map(Timestamp::to_string),
        }
    }
}

impl From<&TimelineEntry> for TimelineEntryView {
    fn from(entry: &TimelineEntry) -> Self {
        let detail = entry.detail.as_deref().map(str::to_owned);
        let time = entry.until.as_ref().map(Timestamp::to_string);
        let mut view = Self {
            at: entry.at.to_string(),
            event: entry.event.as_str(),
            attempt: entry.attempt,
            outcome: None,
            status: None,
            reason: None,
            redrive_id: None,
            until: None,
            reported_at: None,
            error: entry.error.as_ref().map(ErrorView::from),
        };
        match entry.event {
            TimelineEvent::Status => (view.status, view.reported_at) = (detail, time),
            TimelineEvent::Received => (view.reason, view.reported_at) = (detail, time),
            TimelineEvent::Attempt => (view.outcome, view.until) = (detail, time),
            TimelineEvent::Redriven => view.redrive_id = detail,
            _ => (view.reason, view.until) = (detail, time),
        }
        view
    }
}

fn timeline_events() -> ObjectBuilder {
    names(TimelineEvent::ALL.map(TimelineEvent::as_str))
}
