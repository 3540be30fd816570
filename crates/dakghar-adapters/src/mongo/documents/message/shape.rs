//! The shape of a message's document: its fields as they lie in it.

use std::borrow::Cow;
use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Binary, DateTime};
use dakghar_core::domain::message::SendError;
use serde::{Deserialize, Serialize};

/// The fields that are fixed at acceptance.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AcceptedFields<'a> {
    #[serde(rename = "_id")]
    pub(super) id: String,
    pub(super) schema_version: i32,
    pub(super) tenant_id: String,
    pub(super) phone_number_id: Cow<'a, str>,
    pub(super) direction: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) peer: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) peer_id: Option<Cow<'a, str>>,
    #[serde(rename = "type")]
    pub(super) kind: Cow<'a, str>,
    pub(super) content: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) envelope: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) frame: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) idempotency_key: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fingerprint: Option<Binary>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) biz_opaque_callback_data: Option<Cow<'a, str>>,
    pub(super) priority: Cow<'a, str>,
    pub(super) unknown_outcome: Cow<'a, str>,
    pub(super) attempts_max: i64,
    pub(super) created_at: DateTime,
    /// Absent where the direction says it, also in documents of earlier builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Cow<'a, str>>,
    /// Absent for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) conversation_kind: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sender: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<Binary>,
    /// Set when the content was removed, and nothing but its type is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_removed_at: Option<DateTime>,
    /// Absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) terms: Option<Cow<'a, str>>,
    /// Set if its client was answered with its gateway id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by_gateway_id: Option<bool>,
    /// Only of what Meta reports: `<phoneNumberId>:<wamid>`, under which a message is received once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) inbound_key: Option<String>,
    /// Set when the time in the id is not that of `createdAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id_time_off: Option<bool>,
}

/// The fields that every save writes anew.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliveryFields<'a> {
    pub(super) status: Cow<'a, str>,
    pub(super) epoch: i64,
    pub(super) attempt: i64,
    pub(super) attempts_refunded: i64,
    pub(super) strikes: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lease: Option<LeaseFields<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) called_at: Option<DateTime>,
    pub(super) maybe_sent: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) grace_until: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) slot_at: Option<DateTime>,
    pub(super) drive: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wake_at: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enqueued_at: Option<DateTime>,
    /// Fixed at acceptance, but a message that is sent again from the dead letters loses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dead_reason: Option<Cow<'a, str>>,
    /// Present while the message is a dead letter; only the index of dead letters reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dead_letter: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hold_reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wamid: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) wamids: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorFields<'a>>,
    /// The words of Meta's answer: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) receipt: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status_seen_at: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) conversation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) timeline: Vec<TimelineFields<'a>>,
    pub(super) updated_at: DateTime,
    pub(super) version: i64,
    /// Names the save that wrote this version, so that a save whose answer was lost can be recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) save_id: Option<ObjectId>,
}

/// The fields that a claim writes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimFields<'a> {
    pub(super) status: Cow<'a, str>,
    pub(super) epoch: i64,
    pub(super) attempt: i64,
    pub(super) lease: Option<LeaseFields<'a>>,
    pub(super) called_at: Option<DateTime>,
    pub(super) wake_at: Option<DateTime>,
    pub(super) updated_at: DateTime,
    pub(super) version: i64,
    pub(super) save_id: ObjectId,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LeaseFields<'a> {
    pub(super) owner: Cow<'a, str>,
    pub(super) until: DateTime,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::mongo::documents) struct ErrorFields<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subcode: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) http_status: Option<i32>,
    pub(super) message: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) details: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fbtrace_id: Option<Cow<'a, str>>,
}

impl ErrorFields<'_> {
    /// The error; `None` if its HTTP status is none.
    pub(in crate::mongo::documents) fn read(&self) -> Option<SendError> {
        let shared = |text: &Option<Cow<'_, str>>| text.as_deref().map(Arc::from);
        Some(SendError {
            code: self.code,
            subcode: self.subcode,
            http_status: self.http_status.map(u16::try_from).transpose().ok()?,
            message: (&*self.message).into(),
            details: shared(&self.details),
            fbtrace_id: shared(&self.fbtrace_id),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimelineFields<'a> {
    pub(super) at: DateTime,
    pub(super) event: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) attempt: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorFields<'a>>,
}
