//! What Meta tells us, after parsing and before it is stored.

use std::sync::Arc;

use super::ids::{EventId, PhoneNumberId, TenantId, WaId, WabaId, Wamid};
use super::message::SendError;
use super::message::evidence::EvidenceStatus;
use super::time::Timestamp;

/// One webhook POST, taken apart. Whatever could not be understood is among the parts as [`WebhookPart::Other`].
#[derive(Clone, Debug, PartialEq)]
pub enum WebhookPart {
    /// A person wrote.
    Message(InboundMessage),
    /// Meta reports on a message of ours.
    Status(StatusReport),
    /// Anything else: account events, unknown fields, parts that do not have the documented shape.
    Other(OtherPart),
}

impl WebhookPart {
    /// The business number it is about; `None` for what concerns a whole account, or names no number.
    pub const fn phone_number_id(&self) -> Option<&PhoneNumberId> {
        match self {
            Self::Message(inbound) => Some(&inbound.phone_number_id),
            Self::Status(report) => Some(&report.phone_number_id),
            Self::Other(other) => other.phone_number_id.as_ref(),
        }
    }
}

/// A message a person sent, as the webhook tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct InboundMessage {
    /// The business number it came in on.
    pub phone_number_id: PhoneNumberId,
    /// The account named by the entry.
    pub waba_id: Option<WabaId>,
    /// Meta's id; the key against duplicates.
    pub wamid: Wamid,
    /// Who wrote, as given; absent when the person hides the number.
    pub from: Option<Arc<str>>,
    /// Who wrote, as a key: digits without `+`, or the business-scoped user id.
    pub from_id: Option<WaId>,
    /// Meta's name of the type; `unknown` when absent.
    pub kind: Arc<str>,
    /// Meta's object of that type as JSON text; `null` when absent.
    pub body: Arc<str>,
    /// The whole message as received, as JSON text.
    pub raw: Arc<str>,
    /// When Meta says it was sent; `None` when absent or not believable.
    pub sent_at: Option<Timestamp>,
}

/// What Meta says about one message of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusReport {
    /// The business number.
    pub phone_number_id: PhoneNumberId,
    /// The account named by the entry.
    pub waba_id: Option<WabaId>,
    /// Meta's id of the message.
    pub wamid: Wamid,
    /// What is reported.
    pub status: EvidenceStatus,
    /// When Meta says it happened.
    pub reported_at: Option<Timestamp>,
    /// The `biz_opaque_callback_data` that comes back.
    pub opaque: Option<Arc<str>>,
    /// Why it failed.
    pub error: Option<SendError>,
    /// The whole status as received, as JSON text.
    pub raw: Arc<str>,
}

/// A part of a webhook that is neither a message nor a status we understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherPart {
    /// The number it names, if it does.
    pub phone_number_id: Option<PhoneNumberId>,
    /// The account it names, if it does.
    pub waba_id: Option<WabaId>,
    /// Meta's name of the field; empty when absent.
    pub field: Arc<str>,
    /// Why it could not be taken as a message or a status; `None` for an ordinary account event.
    pub problem: Option<Arc<str>>,
    /// The part as received. JSON text, or whatever bytes came as lossy text when it was not JSON.
    pub raw: Arc<str>,
}

/// Why an event is kept as an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventReason {
    /// An account event of a known tenant.
    Routed,
    /// No tenant has this phone number id.
    UnknownNumber,
    /// No tenant has a number of this account.
    UnknownWaba,
    /// A status of a message that Dakghar does not know.
    UnknownMessage,
    /// Signed by Meta, but not of the documented shape.
    Malformed,
}

impl EventReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Routed,
        Self::UnknownNumber,
        Self::UnknownWaba,
        Self::UnknownMessage,
        Self::Malformed,
    ];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Routed => "routed",
            Self::UnknownNumber => "unknown_number",
            Self::UnknownWaba => "unknown_waba",
            Self::UnknownMessage => "unknown_message",
            Self::Malformed => "malformed",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// An event kept as it came. Those without a tenant are the unrouted ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Our id.
    pub id: EventId,
    /// Whom it belongs to; `None` when nobody could be found.
    pub tenant_id: Option<TenantId>,
    /// Why it is kept.
    pub reason: EventReason,
    /// Meta's name of the field.
    pub field: Arc<str>,
    /// The number it names.
    pub phone_number_id: Option<PhoneNumberId>,
    /// The account it names.
    pub waba_id: Option<WabaId>,
    /// What exactly was wrong, for a person.
    pub problem: Option<Arc<str>>,
    /// The part as received, JSON text where it was JSON.
    pub raw: Arc<str>,
    /// SHA-256 over tenant and part: the same part received twice is kept once.
    pub fingerprint: [u8; 32],
    /// When it came.
    pub received_at: Timestamp,
}
