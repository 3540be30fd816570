//! A message as a document, in two parts: what is fixed at acceptance, and what every save writes anew.
//!
//! Both parts lie side by side in one flat document. The message's content is kept as the JSON text it came as.

mod fields;

use std::borrow::Cow;
use std::sync::Arc;

use bson::oid::ObjectId;
use bson::raw::{CStr, cstr};
use bson::{RawDocument, RawDocumentBuf};
use dakghar_core::domain::hold::HoldReason;
use dakghar_core::domain::ids::{ConversationId, IdempotencyKey, MessageId, PhoneNumberId, TenantId, WaId, Wamid};
use dakghar_core::domain::message::{
    Accepted, Content, DeadReason, Delivery, Direction, Idempotency, Lease, Message, Priority, SendError, Status,
    TimelineEntry, TimelineEvent, UnknownOutcome,
};
use dakghar_core::ports::StoreError;

use crate::stored::id_time;

use fields::{AcceptedFields, ClaimFields, DeliveryFields, ErrorFields, LeaseFields, TimelineFields};

use super::{SCHEMA_VERSION, Unreadable, binary, counter, date, from_raw, timestamp, to_raw};

/// Every field of [`DeliveryFields`] that can be absent: what a save must unset when the message has no value.
pub(in crate::mongo) const OPTIONAL_DELIVERY_FIELDS: [&str; 16] = [
    "lease",
    "calledAt",
    "graceUntil",
    "slotAt",
    "wakeAt",
    "enqueuedAt",
    "expiresAt",
    "deadReason",
    "deadLetter",
    "holdReason",
    "wamid",
    "wamids",
    "error",
    "statusSeenAt",
    "conversationId",
    "timeline",
];

/// The field that a claim takes away.
pub(in crate::mongo) const FIELD_A_CLAIM_UNSETS: &CStr = cstr!("enqueuedAt");

/// A new message as a whole document.
pub(in crate::mongo) fn encode(message: &Message) -> Result<RawDocumentBuf, StoreError> {
    let mut document = to_raw(&accepted_fields(message))?;
    for field in &to_raw(&delivery_fields(&message.delivery, message.delivery.version, None))? {
        let (name, value) = field.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        document.append(name, value);
    }
    Ok(document)
}

/// What a save under `save_id` sets; it raises the version by one.
pub(in crate::mongo) fn encode_delivery(delivery: &Delivery, save_id: ObjectId) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&delivery_fields(delivery, delivery.version + 1, Some(save_id)))
}

/// What a claim under `save_id` sets, which is all that it changes but for [`FIELD_A_CLAIM_UNSETS`]. The same for
/// messages that are claimed together for the same attempt.
pub(in crate::mongo) fn encode_claim(delivery: &Delivery, save_id: ObjectId) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&ClaimFields {
        status: delivery.status.as_str().into(),
        epoch: counter(delivery.epoch),
        attempt: delivery.attempt.into(),
        lease: delivery.lease.as_ref().map(lease_fields),
        called_at: delivery.called_at.map(date),
        wake_at: delivery.wake_at.map(date),
        updated_at: date(delivery.updated_at),
        version: counter(delivery.version + 1),
        save_id,
    })
}

/// Reads a message.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<Message, Unreadable> {
    let accepted: AcceptedFields<'_> = from_raw("message", raw)?;
    if accepted.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version("message", &accepted.id, accepted.schema_version));
    }
    let delivery: DeliveryFields<'_> = from_raw("message", raw)?;
    assemble(&accepted, delivery)
}

/// The key under which an inbound message is received once; `None` for an outbound one.
pub(in crate::mongo) fn inbound_key(message: &Message) -> Option<String> {
    let wamid = message
        .delivery
        .wamid
        .as_ref()
        .filter(|_| message.accepted.direction == Direction::Inbound)?;
    Some(format!("{}:{wamid}", message.accepted.phone_number_id))
}

fn accepted_fields(message: &Message) -> AcceptedFields<'_> {
    AcceptedFields {
        id: message.accepted.id.to_string(),
        schema_version: SCHEMA_VERSION,
        tenant_id: message.accepted.tenant_id.to_string(),
        phone_number_id: message.accepted.phone_number_id.as_str().into(),
        direction: message.accepted.direction.as_str().into(),
        peer: message.accepted.peer.as_deref().map(Cow::from),
        peer_id: message.accepted.peer_id.as_ref().map(|id| id.as_str().into()),
        kind: (&*message.accepted.content.kind).into(),
        content: (&*message.accepted.content.body).into(),
        envelope: message.accepted.content.envelope.as_deref().map(Cow::from),
        idempotency_key: message
            .accepted
            .idempotency
            .as_ref()
            .map(|idempotency| idempotency.key.as_str().into()),
        fingerprint: message
            .accepted
            .idempotency
            .as_ref()
            .map(|idempotency| binary(&idempotency.fingerprint)),
        metadata: message.accepted.metadata.as_deref().map(Cow::from),
        biz_opaque_callback_data: message.accepted.client_opaque.as_deref().map(Cow::from),
        priority: message.accepted.priority.as_str().into(),
        unknown_outcome: message.accepted.unknown_outcome.as_str().into(),
        attempts_max: message.accepted.attempts_max.into(),
        created_at: date(message.accepted.created_at),
        inbound_key: inbound_key(message),
        id_time_off: id_time::is_off(message).then_some(true),
    }
}

fn lease_fields(lease: &Lease) -> LeaseFields<'_> {
    LeaseFields {
        owner: (&*lease.owner).into(),
        until: date(lease.until),
    }
}

fn delivery_fields(delivery: &Delivery, version: u64, save_id: Option<ObjectId>) -> DeliveryFields<'_> {
    DeliveryFields {
        status: delivery.status.as_str().into(),
        epoch: counter(delivery.epoch),
        attempt: delivery.attempt.into(),
        attempts_refunded: delivery.attempts_refunded.into(),
        strikes: delivery.strikes.into(),
        lease: delivery.lease.as_ref().map(lease_fields),
        called_at: delivery.called_at.map(date),
        maybe_sent: delivery.maybe_sent,
        grace_until: delivery.grace_until.map(date),
        slot_at: delivery.slot_at.map(date),
        drive: delivery.drive.into(),
        wake_at: delivery.wake_at.map(date),
        enqueued_at: delivery.enqueued_at.map(date),
        expires_at: delivery.expires_at.map(date),
        dead_reason: delivery.dead_reason.map(|reason| reason.as_str().into()),
        dead_letter: delivery.status.is_dead_letter().then_some(true),
        hold_reason: delivery.hold_reason.map(|reason| reason.as_str().into()),
        wamid: delivery.wamid.as_ref().map(|wamid| wamid.as_str().into()),
        wamids: delivery.wamids.iter().map(|wamid| wamid.as_str().into()).collect(),
        error: delivery.error.as_ref().map(error_fields),
        status_seen_at: delivery.status_seen_at.map(date),
        conversation_id: delivery.conversation_id.map(|id| id.to_string()),
        timeline: delivery.timeline.iter().map(timeline_fields).collect(),
        updated_at: date(delivery.updated_at),
        version: counter(version),
        save_id,
    }
}

fn error_fields(error: &SendError) -> ErrorFields<'_> {
    ErrorFields {
        code: error.code,
        subcode: error.subcode,
        http_status: error.http_status.map(i32::from),
        message: (&*error.message).into(),
        details: error.details.as_deref().map(Cow::from),
        fbtrace_id: error.fbtrace_id.as_deref().map(Cow::from),
    }
}

fn timeline_fields(entry: &TimelineEntry) -> TimelineFields<'_> {
    TimelineFields {
        at: date(entry.at),
        event: entry.event.as_str().into(),
        attempt: entry.attempt.map(i64::from),
        detail: entry.detail.as_deref().map(Cow::from),
        until: entry.until.map(date),
        error: entry.error.as_ref().map(error_fields),
    }
}

/// Names the field when a value in it is not understood.
struct Reader<'a> {
    id: &'a str,
}

impl Reader<'_> {
    fn some<T>(&self, field: &'static str, value: Option<T>) -> Result<T, Unreadable> {
        value.ok_or_else(|| Unreadable::field("message", self.id, field))
    }

    fn count(&self, field: &'static str, value: i64) -> Result<u32, Unreadable> {
        self.some(field, u32::try_from(value).ok())
    }

    fn count_u64(&self, field: &'static str, value: i64) -> Result<u64, Unreadable> {
        self.some(field, u64::try_from(value).ok())
    }

    /// A value that may be absent, but not wrong.
    fn optional<V, T>(
        &self,
        field: &'static str,
        value: Option<V>,
        parse: impl FnOnce(V) -> Option<T>,
    ) -> Result<Option<T>, Unreadable> {
        value.map(|value| self.some(field, parse(value))).transpose()
    }
}

fn assemble(accepted: &AcceptedFields<'_>, delivery: DeliveryFields<'_>) -> Result<Message, Unreadable> {
    let read = Reader { id: &accepted.id };
    let fingerprint = read.optional("fingerprint", accepted.fingerprint.as_ref(), |value| {
        <[u8; 32]>::try_from(value.bytes.as_slice()).ok()
    })?;
    let key = read.optional("idempotencyKey", accepted.idempotency_key.as_deref(), |key| {
        IdempotencyKey::parse(key).ok()
    })?;
    let idempotency = match (key, fingerprint) {
        (Some(key), Some(fingerprint)) => Some(Idempotency { key, fingerprint }),
        (None, None) => None,
        _ => return Err(Unreadable::field("message", &accepted.id, "fingerprint")),
    };
    Ok(Message {
        accepted: Accepted {
            id: read.some("_id", MessageId::parse(&accepted.id).ok())?,
            tenant_id: read.some("tenantId", TenantId::parse(&accepted.tenant_id).ok())?,
            phone_number_id: read.some("phoneNumberId", PhoneNumberId::parse(&accepted.phone_number_id).ok())?,
            direction: read.some("direction", Direction::parse(&accepted.direction))?,
            peer: shared(accepted.peer.as_deref()),
            peer_id: read.optional("peerId", accepted.peer_id.as_deref(), |id| WaId::parse(id).ok())?,
            content: Content {
                kind: (&*accepted.kind).into(),
                body: (&*accepted.content).into(),
                envelope: shared(accepted.envelope.as_deref()),
            },
            idempotency,
            metadata: shared(accepted.metadata.as_deref()),
            client_opaque: shared(accepted.biz_opaque_callback_data.as_deref()),
            priority: read.some("priority", Priority::parse(&accepted.priority))?,
            unknown_outcome: read.some("unknownOutcome", UnknownOutcome::parse(&accepted.unknown_outcome))?,
            attempts_max: read.count("attemptsMax", accepted.attempts_max)?,
            created_at: timestamp(accepted.created_at),
        },
        delivery: Delivery {
            expires_at: delivery.expires_at.map(timestamp),
            status: read.some("status", Status::parse(&delivery.status))?,
            epoch: read.count_u64("epoch", delivery.epoch)?,
            attempt: read.count("attempt", delivery.attempt)?,
            attempts_refunded: read.count("attemptsRefunded", delivery.attempts_refunded)?,
            strikes: read.count("strikes", delivery.strikes)?,
            lease: delivery.lease.map(|lease| Lease {
                owner: lease.owner.into(),
                until: timestamp(lease.until),
            }),
            called_at: delivery.called_at.map(timestamp),
            maybe_sent: delivery.maybe_sent,
            grace_until: delivery.grace_until.map(timestamp),
            slot_at: delivery.slot_at.map(timestamp),
            drive: read.count("drive", delivery.drive)?,
            wake_at: delivery.wake_at.map(timestamp),
            enqueued_at: delivery.enqueued_at.map(timestamp),
            dead_reason: read.optional("deadReason", delivery.dead_reason, |reason| DeadReason::parse(&reason))?,
            hold_reason: read.optional("holdReason", delivery.hold_reason, |reason| HoldReason::parse(&reason))?,
            wamid: read.optional("wamid", delivery.wamid, |wamid| Wamid::parse(&wamid).ok())?,
            wamids: delivery
                .wamids
                .iter()
                .map(|wamid| read.some("wamids", Wamid::parse(wamid).ok()))
                .collect::<Result<_, _>>()?,
            error: delivery.error.map(|error| read_error(&read, error)).transpose()?,
            status_seen_at: delivery.status_seen_at.map(timestamp),
            conversation_id: read.optional("conversationId", delivery.conversation_id, |id| {
                ConversationId::parse(&id).ok()
            })?,
            timeline: delivery
                .timeline
                .into_iter()
                .map(|entry| read_timeline(&read, entry))
                .collect::<Result<_, _>>()?,
            updated_at: timestamp(delivery.updated_at),
            version: read.count_u64("version", delivery.version)?,
        },
    })
}

fn shared(text: Option<&str>) -> Option<Arc<str>> {
    text.map(Arc::from)
}

fn read_error(read: &Reader<'_>, error: ErrorFields<'_>) -> Result<SendError, Unreadable> {
    Ok(SendError {
        code: error.code,
        subcode: error.subcode,
        http_status: read.optional("error.httpStatus", error.http_status, |status| {
            u16::try_from(status).ok()
        })?,
        message: error.message.into(),
        details: shared(error.details.as_deref()),
        fbtrace_id: shared(error.fbtrace_id.as_deref()),
    })
}

fn read_timeline(read: &Reader<'_>, entry: TimelineFields<'_>) -> Result<TimelineEntry, Unreadable> {
    Ok(TimelineEntry {
        at: timestamp(entry.at),
        event: read.some("timeline.event", TimelineEvent::parse(&entry.event))?,
        attempt: read.optional("timeline.attempt", entry.attempt, |attempt| u32::try_from(attempt).ok())?,
        detail: shared(entry.detail.as_deref()),
        until: entry.until.map(timestamp),
        error: entry.error.map(|error| read_error(read, error)).transpose()?,
    })
}

#[cfg(test)]
mod tests;
