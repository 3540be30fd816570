//! Meta's webhooks, after parsing and before they are stored.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::amendment::Amendment;
use super::conversation::ConversationKind;
use super::ids::{EventId, PhoneNumberId, TenantId, WaId, WabaId, Wamid};
use super::message::evidence::EvidenceStatus;
use super::message::{Direction, Origin, ReportedStatus, SendError};
use super::person_name::PersonName;
use super::standing::{AccountNews, Wave};
use super::time::Timestamp;

/// One part of a webhook POST. A part that could not be understood is [`WebhookPart::Other`].
#[derive(Clone, Debug, PartialEq)]
pub enum WebhookPart {
    /// A message that somebody wrote elsewhere: a person, or the business in its app.
    Message(InboundMessage),
    /// Meta reports on a message of ours.
    Status(StatusReport),
    /// Anything else: account events, unknown fields, parts that do not have the documented shape.
    Other(OtherPart),
}

impl WebhookPart {
    /// Returns the business number it is about; `None` if it concerns a whole account, or names no number.
    pub const fn phone_number_id(&self) -> Option<&PhoneNumberId> {
        match self {
            Self::Message(inbound) => Some(&inbound.phone_number_id),
            Self::Status(report) => Some(&report.phone_number_id),
            Self::Other(other) => other.phone_number_id.as_ref(),
        }
    }
}

/// A message that was written elsewhere, as the webhook reports it: by a person, or by the business in its app.
#[derive(Clone, Debug, PartialEq)]
pub struct InboundMessage {
    /// The business number it came in on.
    pub phone_number_id: PhoneNumberId,
    /// The account named by the entry.
    pub waba_id: Option<WabaId>,
    /// Meta's id, by which duplicates are recognised.
    pub wamid: Wamid,
    /// Where it was written; never by a client of ours.
    pub origin: Origin,
    /// How it stands.
    pub status: ReportedStatus,
    /// What the other end is.
    pub conversation_kind: ConversationKind,
    /// The person or group at the other end, as given; absent if the person hides the number.
    pub peer: Option<Arc<str>>,
    /// The other end as a key: digits without `+`, the business-scoped user id, or the group's id.
    pub peer_id: Option<WaId>,
    /// In a group: the person who wrote, as given.
    pub sender: Option<Arc<str>>,
    /// Further ids of the person at the other end, in their order and each once.
    pub also: Vec<WaId>,
    /// How that person is called.
    pub name: Option<PersonName>,
    /// Meta's name of the type; `unknown` when absent.
    pub kind: Arc<str>,
    /// Meta's object of that type as JSON text; `null` when absent.
    pub body: Arc<str>,
    /// The whole message as received, as JSON text.
    pub raw: Arc<str>,
    /// The time Meta says it was sent; `None` if absent or not believable.
    pub sent_at: Option<Timestamp>,
    /// What stood around it: see [`framed`].
    pub frame: Option<Arc<str>>,
}

impl InboundMessage {
    /// Returns the list in which Meta's value has it.
    pub const fn list(&self) -> &'static str {
        list_of(self.origin)
    }

    /// Returns which way it went.
    pub const fn direction(&self) -> Direction {
        match self.status {
            ReportedStatus::Received => Direction::Inbound,
            ReportedStatus::Sent(_) => Direction::Outbound,
        }
    }
}

/// Returns the list in which Meta's value has messages of this origin. Those of the history lie deeper, and are shown as
/// messages.
pub const fn list_of(origin: Origin) -> &'static str {
    match origin {
        Origin::BusinessApp => "message_echoes",
        Origin::Client | Origin::Person | Origin::History => "messages",
    }
}

/// Meta's report on one message of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusReport {
    /// The business number.
    pub phone_number_id: PhoneNumberId,
    /// The account named by the entry.
    pub waba_id: Option<WabaId>,
    /// Meta's id of the message.
    pub wamid: Wamid,
    /// The reported status.
    pub status: EvidenceStatus,
    /// The time Meta says it happened.
    pub reported_at: Option<Timestamp>,
    /// The `biz_opaque_callback_data` that comes back.
    pub opaque: Option<Arc<str>>,
    /// The error, if it failed.
    pub error: Option<SendError>,
    /// Of a message to a group: the one participant whom it is about.
    pub participant: Option<Arc<str>>,
    /// The whole status as received, as JSON text.
    pub raw: Arc<str>,
    /// What stood around it: see [`framed`].
    pub frame: Option<Arc<str>>,
}

/// How every frame ends: the value, the change, the list of changes and the entry.
pub const FRAME_END: &str = "}}]}";

/// Puts an element back into its frame: Meta's entry with this element only, in a list of this name. A frame is what
/// stood around the element, as JSON text in Meta's own form: the entry's id and time, the value's metadata, and the
/// contacts of the element's own person. `None` if the text is no frame.
pub fn framed(frame: &str, list: &str, element: &str) -> Option<String> {
    let open = frame.strip_suffix(FRAME_END)?;
    let comma = if open.ends_with('{') { "" } else { "," };
    Some(format!(r#"{open}{comma}"{list}":[{element}]{FRAME_END}"#))
}

/// Returns the contact in a frame, as JSON text: the name, the username and the ids of the person. `None` if there is
/// none.
pub fn contact_in(frame: &str) -> Option<&str> {
    let frame: Frame<'_> = serde_json::from_str(frame).ok()?;
    let change = frame.changes.into_iter().next()?;
    Some(change.value.contacts.first()?.get())
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    changes: Vec<FramedChange<'a>>,
}

#[derive(Deserialize)]
struct FramedChange<'a> {
    #[serde(borrow)]
    value: FramedValue<'a>,
}

#[derive(Deserialize)]
struct FramedValue<'a> {
    #[serde(borrow, default)]
    contacts: Vec<&'a RawValue>,
}

/// Something that people did which Meta reports without a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalKind {
    /// They told Meta that they want no marketing of the business.
    StopsMarketing,
    /// They told Meta that they want it again.
    ResumesMarketing,
    /// They called the number.
    Calls,
}

/// What one person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonSignal {
    /// The ids under which Meta names the person; never empty.
    pub ids: Vec<WaId>,
    /// The deed.
    pub kind: SignalKind,
    /// The time Meta says it happened; `None` if absent or not believable.
    pub at: Option<Timestamp>,
}

/// A part of a webhook that is neither a message nor a status we understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherPart {
    /// The number it names, if it does.
    pub phone_number_id: Option<PhoneNumberId>,
    /// The digits of the number that it names as people write it, if it does.
    pub display_digits: Option<Arc<str>>,
    /// The account it names, if it does.
    pub waba_id: Option<WabaId>,
    /// Meta's name of the field; empty when absent.
    pub field: Arc<str>,
    /// The reason it is neither a message nor a status; `None` for an ordinary account event.
    pub problem: Option<Arc<str>>,
    /// The part as received: JSON text, or lossy text of the bytes if they were not JSON.
    pub raw: Arc<str>,
    /// What it changes of a message.
    pub amends: Option<Amendment>,
    /// What people did, as it tells.
    pub signals: Vec<PersonSignal>,
    /// Its news of the standing of its account.
    pub news: Option<AccountNews>,
    /// Of a history: the pieces that it brought, or that it is not shared.
    pub waves: Vec<Wave>,
    /// The time that Meta gives its entry; `None` if absent or not believable.
    pub told_at: Option<Timestamp>,
}

/// The reason a part of a webhook is kept as an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventReason {
    /// An account event of a known tenant.
    Routed,
    /// No tenant has this number; or one that is named as people write it cannot be told from those of others.
    UnknownNumber,
    /// No tenant has a number of this account.
    UnknownWaba,
    /// A status of a message that Dakghar does not know.
    UnknownMessage,
    /// A message that is known, and comes again with another content.
    Corrected,
    /// Signed by Meta, but not of the documented shape.
    Malformed,
    /// Nothing of Meta's: Dakghar tells of an endpoint of the tenant.
    Endpoint,
    /// Nothing of Meta's: Dakghar tells that sending is held, or is not held any more.
    Hold,
    /// Nothing of Meta's: Dakghar tells that an access token ends soon.
    Token,
    /// Nothing of Meta's: Dakghar tells what a check of a number found changed.
    Number,
}

impl EventReason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Routed,
        Self::UnknownNumber,
        Self::UnknownWaba,
        Self::UnknownMessage,
        Self::Corrected,
        Self::Malformed,
        Self::Endpoint,
        Self::Hold,
        Self::Token,
        Self::Number,
    ];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Routed => "routed",
            Self::UnknownNumber => "unknown_number",
            Self::UnknownWaba => "unknown_waba",
            Self::UnknownMessage => "unknown_message",
            Self::Corrected => "corrected",
            Self::Malformed => "malformed",
            Self::Endpoint => "endpoint",
            Self::Hold => "hold",
            Self::Token => "token",
            Self::Number => "number",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// Meta's fields that tell what people wrote or how they are called, and the list names that stand for them. Without a field, nobody knows.
const FIELDS_OF_CONTENTS: [&str; 6] = [
    "",
    "messages",
    "message_echoes",
    "smb_message_echoes",
    "smb_app_state_sync",
    "history",
];

/// True if an event of this field tells what somebody wrote, as far as can be told; then it goes when contents do. One that
/// holds nothing but statuses, as those of payments, does not. What amends a message does.
pub fn tells_contents(field: &str, amends: bool, raw: &str) -> bool {
    amends || (FIELDS_OF_CONTENTS.contains(&field) && !holds_only_statuses(raw))
}

fn holds_only_statuses(raw: &str) -> bool {
    let Ok(entry) = serde_json::from_str::<StatusesOnly>(raw) else {
        return false;
    };
    !entry.changes.is_empty() && entry.changes.iter().all(|change| !change.value.statuses.is_empty())
}

#[derive(Deserialize)]
struct StatusesOnly {
    changes: Vec<StatusesChange>,
}

#[derive(Deserialize)]
struct StatusesChange {
    value: StatusesValue,
}

/// Any other list makes it more than statuses.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusesValue {
    #[serde(default, rename = "messaging_product")]
    _messaging_product: IgnoredAny,
    #[serde(default, rename = "metadata")]
    _metadata: IgnoredAny,
    #[serde(default, rename = "contacts")]
    _contacts: IgnoredAny,
    #[serde(default)]
    statuses: Vec<IgnoredAny>,
}

/// An event, kept as it came. Events without a tenant are the unrouted ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Our id.
    pub id: EventId,
    /// The tenant it belongs to; `None` if there is none.
    pub tenant_id: Option<TenantId>,
    /// The reason it is kept.
    pub reason: EventReason,
    /// Meta's name of the field.
    pub field: Arc<str>,
    /// The number it names.
    pub phone_number_id: Option<PhoneNumberId>,
    /// The account it names.
    pub waba_id: Option<WabaId>,
    /// The exact fault, for a person.
    pub problem: Option<Arc<str>>,
    /// The part as received, JSON text where it was JSON.
    pub raw: Arc<str>,
    /// What it changes of a message of the same number.
    pub amends: Option<Amendment>,
    /// SHA-256 over tenant and part. The same part received twice is kept once.
    pub fingerprint: [u8; 32],
    /// The time it came.
    pub received_at: Timestamp,
}
