//! What Meta reported on a message.

use dakghar_core::domain::Timestamp;
use dakghar_core::domain::message::{EvidenceStatus, StatusRecord};
use dakghar_core::domain::webhook::{contact_in, framed};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::{delay_ms, names, raw_json};

/// A report of Meta's on a message. What Meta did not say is left out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Status)]
pub(in crate::http) struct StatusView {
    /// What Meta reported.
    #[schema(schema_with = reported_statuses)]
    status: &'static str,
    /// The number of the call to Meta that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// Meta's id of the message.
    wamid: String,
    /// When it happened, according to Meta.
    #[serde(skip_serializing_if = "Option::is_none")]
    reported_at: Option<String>,
    /// When the report came.
    received_at: String,
    /// The milliseconds from the one to the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    /// Of a message to a group: the one participant whom it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    participant: Option<String>,
    /// Whom the message reached, as Meta names them: number, group or user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>, example = json!("919111111111"))]
    recipient_id: Option<Box<RawValue>>,
    /// The user id of the one whom it reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    recipient_user_id: Option<Box<RawValue>>,
    /// What Meta bills, in Meta's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>, example = json!({"billable": true, "category": "utility"}))]
    pricing: Option<Box<RawValue>>,
    /// Meta's conversation, in Meta's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    conversation: Option<Box<RawValue>>,
    /// Every error, in Meta's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    errors: Option<Box<RawValue>>,
    /// What Meta said of the one whom it reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    contact: Option<Box<RawValue>>,
    /// Meta's entry with this status only, as it came. Only with `raw=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    raw: Option<Box<RawValue>>,
}

/// The members of Meta's status that are handed on as they are.
#[derive(Default, Deserialize)]
struct Members<'a> {
    #[serde(borrow, default)]
    recipient_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    recipient_user_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pricing: Option<&'a RawValue>,
    #[serde(borrow, default)]
    conversation: Option<&'a RawValue>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
}

impl StatusView {
    pub(super) fn new(status: &StatusRecord, wants_raw: bool) -> Self {
        // A status with a member twice is no plain object; it can be read raw.
        let members: Members<'_> = serde_json::from_str(&status.raw).unwrap_or_default();
        let own = |member: Option<&RawValue>| member.map(|member| raw_json(member.get()));
        let frame = status.frame.as_deref();
        let evidence = &status.reported.evidence;
        Self {
            status: evidence.status.as_str(),
            attempt: evidence.attempt,
            wamid: evidence.wamid.to_string(),
            reported_at: evidence.reported_at.as_ref().map(Timestamp::to_string),
            received_at: status.reported.received_at.to_string(),
            delay_ms: evidence.reported_at.map(|at| delay_ms(status.reported.received_at, at)),
            participant: evidence.participant.as_deref().map(str::to_owned),
            recipient_id: own(members.recipient_id),
            recipient_user_id: own(members.recipient_user_id),
            pricing: own(members.pricing),
            conversation: own(members.conversation),
            errors: own(members.errors),
            contact: frame.and_then(contact_in).map(raw_json),
            raw: wants_raw.then(|| {
                let whole = frame.and_then(|frame| framed(frame, "statuses", &status.raw));
                raw_json(whole.as_deref().unwrap_or(&status.raw))
            }),
        }
    }
}

fn reported_statuses() -> ObjectBuilder {
    names(EvidenceStatus::ALL.map(EvidenceStatus::as_str))
}
