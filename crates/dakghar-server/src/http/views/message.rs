//! Messages and their history.

mod amended;

use std::sync::Arc;

use dakghar_core::domain::message::{
    DeadReason, Direction, Message, Origin, Priority, Status, StatusRecord, TimelineEvent,
};
use dakghar_core::domain::webhook::{contact_in, framed, list_of};
use dakghar_core::domain::{AmendedMessage, Amendment, ConversationKind, HoldReason, Timestamp, Wamid};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use amended::VersionView;

use super::error::ErrorView;
use super::status::StatusView;
use super::tenant::unknown_outcomes;
use super::timeline::{TimelineEntryView, WaitView};
use super::{delay_ms, names, raw_json};

/// A message, in either direction.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Message)]
pub(in crate::http) struct MessageView {
    /// Our id.
    #[schema(example = "msg_01kamt5c8x7v3b9q2w4e6r8t0y")]
    id: String,
    /// The owner.
    tenant_id: String,
    /// The tenant's number that it goes out from or came in on.
    #[schema(example = "111111111111111")]
    phone_number_id: String,
    /// Where it was written: by a `client` of the API, by a `person`, in the business's own app (`business_app`), or by
    /// either before the number came here (`history`).
    #[schema(schema_with = origins)]
    origin: &'static str,
    /// The group that it was written in or goes to; `null` for a conversation with one person.
    group_id: Option<String>,
    /// Which way it goes.
    #[schema(schema_with = directions)]
    direction: &'static str,
    /// Where it stands.
    #[schema(schema_with = statuses)]
    status: &'static str,
    /// Meta's name of the type.
    #[serde(rename = "type")]
    #[schema(example = "text")]
    kind: String,
    /// The receiving end: a person, or for inbound messages the tenant's number.
    #[schema(example = "+919111111111")]
    to: Option<String>,
    /// The sending end: the tenant's number, or for inbound messages the person who wrote: their number, or Meta's id of
    /// somebody who hides it. `null` when Meta tells neither.
    #[schema(example = "111111111111111")]
    from: Option<String>,
    /// Meta's object of that type, untouched: of an edited message its last edit, of a revoked one `null`. Here and in
    /// the other fields that hold Meta's JSON, a value with more than 48 objects and arrays inside each other is a string
    /// with its text.
    #[schema(value_type = serde_json::Value, example = json!({"body": "Hello"}))]
    content: Box<RawValue>,
    /// When the content was removed, because it is older than contents are kept. Then `content` is `null`, and what else
    /// told of it is gone.
    content_removed_at: Option<String>,
    /// Outbound: the other fields of Meta's message that the client gave, such as `context`. Inbound: the whole
    /// message as received.
    #[schema(value_type = Option<serde_json::Value>)]
    envelope: Option<Box<RawValue>>,
    /// Of a message that Meta reported: what it said of the person: name, username, ids.
    #[schema(value_type = Option<Object>, example = json!({"profile": {"name": "Asha"}, "wa_id": "919111111111"}))]
    contact: Option<Box<RawValue>>,
    /// Meta's id; known once it was sent.
    wamid: Option<String>,
    /// Outbound: what Meta said of it when it took it, if that was more than `accepted`. One that is
    /// `held_for_quality_assessment` may stay silent for long, or never go out.
    #[schema(example = "held_for_quality_assessment")]
    message_status: Option<String>,
    /// Outbound: the number under which WhatsApp knows the person, in digits, as Meta told it with its answer; the
    /// person may reply from that one.
    #[schema(example = "919111111111")]
    wa_id: Option<String>,
    /// Outbound: the id of the person for this business, if Meta's answer told it.
    #[schema(example = "IN.13491208655302741918")]
    user_id: Option<String>,
    /// The client's key against sending twice.
    idempotency_key: Option<String>,
    /// Calls to Meta so far.
    attempts: u32,
    /// The latest refusal or failure.
    error: Option<ErrorView>,
    /// Why it was given up.
    #[schema(schema_with = dead_reasons_or_null)]
    dead_reason: Option<&'static str>,
    /// Why it is held.
    #[schema(schema_with = hold_reasons_or_null)]
    hold_reason: Option<&'static str>,
    /// Which of the number's messages goes first.
    #[schema(schema_with = priorities)]
    priority: &'static str,
    /// What happens when nobody knows whether Meta took it.
    #[schema(schema_with = unknown_outcomes)]
    unknown_outcome: &'static str,
    /// Outbound: whether it is marketing, because the client or Meta's endpoint for it says so.
    marketing: bool,
    /// Outbound: whether it goes out only while the person's customer service window is open.
    require_open_window: bool,
    /// When it may be sent.
    scheduled_at: Option<String>,
    /// No call to Meta starts after this.
    expires_at: Option<String>,
    /// The client's own data.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// The client's own callback data.
    biz_opaque_callback_data: Option<String>,
    /// The conversation it belongs to; outbound messages join it with their first attempt.
    conversation_id: Option<String>,
    /// Inbound: when the person last edited it.
    edited_at: Option<String>,
    /// Inbound: when the person revoked it. What it said is then shown with `raw=true` only.
    revoked_at: Option<String>,
    /// Of a message that Meta reported: when it was written, according to Meta.
    reported_at: Option<String>,
    /// When it was accepted or received.
    created_at: String,
    /// Of a message that Meta reported: the milliseconds from when it was written until it came. `null` for a history.
    delay_ms: Option<u64>,
    /// When it last changed.
    updated_at: String,
    /// What it waits for, if it waits. Only when one message is asked for, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<WaitView>,
    /// What happened, oldest first. Only when one message is asked for, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<Vec<TimelineEntryView>>,
    /// What it said before and after each edit, oldest first; of more than 64 edits the latest. Only of an edited message,
    /// when it alone is asked for, and of a revoked one only with `raw=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<Vec<VersionView>>,
    /// Outbound: what Meta reported, oldest first. Only when one message is asked for, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    statuses: Option<Vec<StatusView>>,
    /// Inbound: Meta's entry with this message only, as it came. Only when one message is asked for with `raw=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    raw: Option<Box<RawValue>>,
}

impl From<&Message> for MessageView {
    /// As lists show it: without the timeline.
    fn from(message: &Message) -> Self {
        let peer_id = message.accepted.peer_id.as_ref().map(ToString::to_string);
        let is_group = message.accepted.conversation_kind == ConversationKind::Group;
        let (to, from) = ends_of(message);
        let content = &message.accepted.content;
        let reported_at = reported_at(message);
        let (receipt, idempotency) = (&message.delivery.receipt, &message.accepted.idempotency);
        let (receipt, idempotency) = (receipt.as_ref(), idempotency.as_ref());
        let owned = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let is_news = message.accepted.origin != Origin::History;
        Self {
            origin: message.accepted.origin.as_str(),
            group_id: peer_id.filter(|_| is_group),
            id: message.accepted.id.to_string(),
            tenant_id: message.accepted.tenant_id.to_string(),
            phone_number_id: message.accepted.phone_number_id.to_string(),
            direction: message.accepted.direction.as_str(),
            status: message.delivery.status.as_str(),
            kind: message.accepted.content.kind.as_ref().to_owned(),
            to,
            from,
            content: raw_json(&content.body),
            content_removed_at: content.removed_at.as_ref().map(Timestamp::to_string),
            envelope: content.envelope.as_deref().map(raw_json),
            contact: content.frame.as_deref().and_then(contact_in).map(raw_json),
            wamid: message.delivery.wamid.as_ref().map(Wamid::to_string),
            message_status: receipt.and_then(|receipt| owned(&receipt.status)),
            wa_id: receipt.and_then(|receipt| owned(&receipt.wa_id)),
            user_id: receipt.and_then(|receipt| owned(&receipt.user_id)),
            idempotency_key: idempotency.map(|idempotency| idempotency.key.to_string()),
            attempts: message.delivery.attempt,
            error: message.delivery.error.as_ref().map(ErrorView::from),
            dead_reason: message.delivery.dead_reason.map(DeadReason::as_str),
            hold_reason: message.delivery.hold_reason.map(HoldReason::as_str),
            priority: message.accepted.priority.as_str(),
            unknown_outcome: message.accepted.unknown_outcome.as_str(),
            marketing: message.accepted.terms.marketing,
            require_open_window: message.accepted.terms.open_window,
            scheduled_at: message.delivery.slot_at.as_ref().map(Timestamp::to_string),
            expires_at: message.delivery.expires_at.as_ref().map(Timestamp::to_string),
            metadata: message.accepted.metadata.as_deref().map(raw_json),
            biz_opaque_callback_data: message.accepted.client_opaque.as_deref().map(str::to_owned),
            conversation_id: message.delivery.conversation_id.as_ref().map(ToString::to_string),
            edited_at: None,
            revoked_at: None,
            reported_at: reported_at.as_ref().map(Timestamp::to_string),
            created_at: message.accepted.created_at.to_string(),
            delay_ms: reported_at
                .filter(|_| is_news)
                .map(|at| delay_ms(message.accepted.created_at, at)),
            updated_at: message.delivery.updated_at.to_string(),
            waits_for: None,
            timeline: None,
            versions: None,
            statuses: None,
            raw: None,
        }
    }
}

/// The receiving end and the sending one.
fn ends_of(message: &Message) -> (Option<String>, Option<String>) {
    let accepted = &message.accepted;
    let number = Some(accepted.phone_number_id.to_string());
    let given = accepted.peer.as_deref().map(str::to_owned);
    let peer = given.or_else(|| accepted.peer_id.as_ref().map(ToString::to_string));
    match accepted.direction {
        Direction::Outbound => (peer, number),
        Direction::Inbound if accepted.conversation_kind == ConversationKind::Group => {
            (number, accepted.sender.as_deref().map(str::to_owned))
        }
        Direction::Inbound => (number, peer),
    }
}

/// When Meta says that it was written.
fn reported_at(message: &Message) -> Option<Timestamp> {
    let mut timeline = message.delivery.timeline.iter();
    timeline.find(|entry| entry.event == TimelineEvent::Received)?.until
}

/// Returns a message as JSON in one line, with everything that happened to it.
pub fn message_json(message: &Message) -> String {
    serde_json::to_string(&MessageView::full(message)).expect("texts, numbers and JSON")
}

impl MessageView {
    /// With everything that happened to it, as it was left by its amendments.
    pub(in crate::http) fn exported(amended: &AmendedMessage) -> Self {
        Self::full(&amended.message).amended(amended)
    }
}

impl From<&AmendedMessage> for MessageView {
    /// As lists show it.
    fn from(amended: &AmendedMessage) -> Self {
        Self::from(&amended.message).amended(amended)
    }
}

impl MessageView {
    /// With everything that happened to it, and what Meta reported.
    pub(in crate::http) fn with_statuses(amended: &AmendedMessage, statuses: &[StatusRecord], wants_raw: bool) -> Self {
        let statuses = statuses.iter().map(|status| StatusView::new(status, wants_raw));
        let view = if wants_raw {
            Self::with_raw(amended)
        } else {
            Self::whole(amended)
        };
        Self {
            statuses: (amended.message.accepted.direction == Direction::Outbound).then(|| statuses.collect()),
            ..view
        }
    }

    /// Without what Meta reported, which is told elsewhere.
    pub(super) fn without_statuses(self) -> Self {
        Self { statuses: None, ..self }
    }

    /// With everything that happened to it.
    pub(in crate::http) fn full(message: &Message) -> Self {
        Self {
            waits_for: message.wait().map(WaitView::from),
            timeline: Some(message.delivery.timeline.iter().map(TimelineEntryView::from).collect()),
            ..Self::from(message)
        }
    }

    /// As the strongest amendment left it.
    fn amended(mut self, amended: &AmendedMessage) -> Self {
        let Some(strongest) = amended.amendments.first() else {
            return self;
        };
        let at = Some(strongest.at.to_string());
        match &strongest.content {
            // What it said later is no more to be shown than what it said first.
            Some(_) if amended.message.accepted.content.removed_at.is_some() => self.edited_at = at,
            Some(content) => {
                content.kind.as_ref().clone_into(&mut self.kind);
                self.content = raw_json(&content.body);
                self.edited_at = at;
            }
            None => {
                self.content = raw_json("null");
                self.envelope = None;
                self.revoked_at = at;
            }
        }
        self
    }

    /// With everything that happened to it and was done to it.
    fn whole(amended: &AmendedMessage) -> Self {
        let is_revoked = amended.amendments.first().is_some_and(Amendment::revokes);
        let is_removed = amended.message.accepted.content.removed_at.is_some();
        Self {
            versions: if is_revoked || is_removed {
                None
            } else {
                amended::versions(amended)
            },
            ..Self::full(&amended.message).amended(amended)
        }
    }

    /// With everything that happened to it, and as it came from Meta.
    fn with_raw(amended: &AmendedMessage) -> Self {
        let message = &amended.message;
        let content = &message.accepted.content;
        let element = content.envelope.as_deref().filter(|_| message.is_reported());
        let list = list_of(message.accepted.origin);
        let framed = element.and_then(|element| framed(content.frame.as_deref()?, list, element));
        Self {
            raw: framed.as_deref().or(element).map(raw_json),
            versions: amended::versions(amended).filter(|_| content.removed_at.is_none()),
            ..Self::whole(amended)
        }
    }
}

fn origins() -> ObjectBuilder {
    names(Origin::ALL.map(Origin::as_str))
}

fn directions() -> ObjectBuilder {
    names([Direction::Outbound, Direction::Inbound].map(Direction::as_str))
}

/// The statuses, for the document.
pub(in crate::http) fn statuses() -> ObjectBuilder {
    names(Status::ALL.map(Status::as_str))
}

/// The statuses, and `null`, for the document.
pub(in crate::http) fn statuses_or_null() -> ObjectBuilder {
    names_or_null(&Status::ALL.map(Status::as_str))
}

fn dead_reasons_or_null() -> ObjectBuilder {
    names_or_null(&DeadReason::ALL.map(DeadReason::as_str))
}

fn hold_reasons_or_null() -> ObjectBuilder {
    names_or_null(&HoldReason::ALL.map(HoldReason::as_str))
}

fn names_or_null(names: &[&'static str]) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(names.iter().copied().map(Some).chain([None])))
}

/// The priorities, for the document.
pub(in crate::http) fn priorities() -> ObjectBuilder {
    names(Priority::ALL.map(Priority::as_str))
}
