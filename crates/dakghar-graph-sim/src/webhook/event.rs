//! One update that Meta reports: a status of a sent message, or an inbound message.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::number::Number;

/// What a status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusKind {
    /// Left Meta's servers.
    Sent,
    /// On the device.
    Delivered,
    /// Seen by the person.
    Read,
    /// First play of a voice message.
    Played,
    /// Could not be sent or delivered.
    Failed,
}

/// A single status to post, made by a test or through the control API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusEvent {
    /// The business number.
    pub phone_number_id: String,
    /// The message.
    pub wamid: String,
    /// What happened to it.
    pub status: StatusKind,
    /// The person's phone number, digits only.
    #[serde(default)]
    pub recipient_id: Option<String>,
    /// The person's business-scoped user id.
    #[serde(default)]
    pub recipient_user_id: Option<String>,
    /// Our own string, echoed.
    #[serde(default)]
    pub biz_opaque_callback_data: Option<String>,
    /// Unix seconds; now if absent.
    #[serde(default)]
    pub timestamp: Option<i64>,
    /// The code in `errors[]`; 131026 for `failed` if absent.
    #[serde(default)]
    pub error_code: Option<u32>,
}

/// The parts of an accepted message that its statuses repeat.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) wamid: String,
    pub(crate) number: Arc<Number>,
    pub(crate) wa_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) group_id: Option<String>,
    pub(crate) biz_opaque: Option<String>,
    /// The pricing category shown on `sent`.
    pub(crate) category: &'static str,
}

/// One update, ready to be put in a post.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Status {
        message: Arc<Outgoing>,
        kind: StatusKind,
        timestamp_seconds: i64,
        error_code: Option<u32>,
    },
    Inbound {
        number: Arc<Number>,
        contact: Option<Value>,
        message: Value,
    },
}

impl Event {
    pub(super) fn number(&self) -> &Number {
        match self {
            Self::Status { message, .. } => &message.number,
            Self::Inbound { number, .. } => number,
        }
    }
}
