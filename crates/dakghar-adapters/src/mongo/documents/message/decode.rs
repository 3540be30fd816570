//! A message as its document has it.

use std::sync::Arc;

use bson::RawDocument;
use dakghar_core::domain::conversation::ConversationKind;
use dakghar_core::domain::hold::HoldReason;
use dakghar_core::domain::ids::{
    ConversationId, IdempotencyKey, MessageId, MessageKey, PhoneNumberId, TenantId, WaId, Wamid,
};
use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::message::{
    Accepted, Content, DeadReason, Delivery, Direction, Idempotency, Message, Origin, Priority, SendError, Status,
    Terms, TimelineEntry, TimelineEvent, UnknownOutcome,
};
use dakghar_core::domain::trace::TraceContext;
use dakghar_core::ports::{JobKey, QueueEntry};

use super::super::{SCHEMA_VERSION, Unreadable, from_raw, timestamp};
use super::shape::{AcceptedFields, DeliveryFields, ErrorFields, TimelineFields};
use crate::stored::receipt;

/// Reads a message.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<Message, Unreadable> {
    let accepted: AcceptedFields<'_> = from_raw("message", raw)?;
    if accepted.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version("message", &accepted.id, accepted.schema_version));
    }
    let delivery: DeliveryFields<'_> = from_raw("message", raw)?;
    assemble(&accepted, delivery)
}

/// The fields of a queue entry.
pub(in crate::mongo) const ENTRY_FIELDS: [&str; 7] = [
    "_id",
    "tenantId",
    "phoneNumberId",
    "slotAt",
    "createdAt",
    "drive",
    "priority",
];

/// Reads a message's place in time from [`ENTRY_FIELDS`].
pub(in crate::mongo) fn decode_entry(raw: &RawDocument) -> Result<QueueEntry, Unreadable> {
    let id = raw.get_str("_id").unwrap_or("(unknown)");
    let read = Reader { id };
    let text = |field| read.some(field, raw.get_str(field).ok());
    let time = |field| read.some(field, raw.get_datetime(field).ok()).map(timestamp);
    let slot_at = match raw.get("slotAt") {
        Ok(None) => time("createdAt")?,
        _ => time("slotAt")?,
    };
    Ok(QueueEntry {
        key: JobKey::Send(MessageKey {
            tenant_id: read.some("tenantId", TenantId::parse(text("tenantId")?).ok())?,
            message_id: read.some("_id", MessageId::parse(text("_id")?).ok())?,
        }),
        phone_number_id: read.some("phoneNumberId", PhoneNumberId::parse(text("phoneNumberId")?).ok())?,
        slot_at,
        drive: read.count("drive", read.some("drive", raw.get_i64("drive").ok())?)?,
        priority: read.some("priority", Priority::parse(text("priority")?))?,
    })
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
    Ok(Message {
        accepted: read_accepted(&read, accepted)?,
        delivery: read_delivery(&read, delivery)?,
    })
}

fn read_accepted(read: &Reader<'_>, accepted: &AcceptedFields<'_>) -> Result<Accepted, Unreadable> {
    let fingerprint = read.optional("fingerprint", accepted.fingerprint.as_ref(), |value| {
        <[u8; 32]>::try_from(value.bytes.as_slice()).ok()
    })?;
    let key = read.optional("idempotencyKey", accepted.idempotency_key.as_deref(), |key| {
        IdempotencyKey::parse(key).ok()
    })?;
    let idempotency = match (key, fingerprint) {
        (Some(key), Some(fingerprint)) => Some(Idempotency { key, fingerprint }),
        (None, None) => None,
        _ => return Err(Unreadable::field("message", read.id, "fingerprint")),
    };
    let direction = read.some("direction", Direction::parse(&accepted.direction))?;
    let origin = read.optional("origin", accepted.origin.as_deref(), Origin::parse)?;
    let kind = accepted.conversation_kind.as_deref();
    let kind = read.optional("conversationKind", kind, ConversationKind::parse)?;
    Ok(Accepted {
        origin: origin.unwrap_or_else(|| Origin::of(direction)),
        conversation_kind: kind.unwrap_or_default(),
        sender: shared(accepted.sender.as_deref()),
        trace: read.optional("trace", accepted.trace.as_ref(), |trace| {
            TraceContext::from_bytes(&trace.bytes)
        })?,
        terms: read
            .optional("terms", accepted.terms.as_deref(), Terms::parse)?
            .unwrap_or_default(),
        id: read.some("_id", MessageId::parse(&accepted.id).ok())?,
        tenant_id: read.some("tenantId", TenantId::parse(&accepted.tenant_id).ok())?,
        phone_number_id: read.some("phoneNumberId", PhoneNumberId::parse(&accepted.phone_number_id).ok())?,
        direction,
        peer: shared(accepted.peer.as_deref()),
        peer_id: read.optional("peerId", accepted.peer_id.as_deref(), |id| WaId::parse(id).ok())?,
        content: Content {
            kind: (&*accepted.kind).into(),
            body: (&*accepted.content).into(),
            envelope: shared(accepted.envelope.as_deref()),
            frame: shared(accepted.frame.as_deref()),
            removed_at: accepted.content_removed_at.map(timestamp),
        },
        idempotency,
        metadata: shared(accepted.metadata.as_deref()),
        client_opaque: shared(accepted.biz_opaque_callback_data.as_deref()),
        priority: read.some("priority", Priority::parse(&accepted.priority))?,
        unknown_outcome: read.some("unknownOutcome", UnknownOutcome::parse(&accepted.unknown_outcome))?,
        attempts_max: read.count("attemptsMax", accepted.attempts_max)?,
        created_at: timestamp(accepted.created_at),
    })
}

fn read_delivery(read: &Reader<'_>, delivery: DeliveryFields<'_>) -> Result<Delivery, Unreadable> {
    Ok(Delivery {
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
        error: delivery.error.map(|error| read_error(read, &error)).transpose()?,
        receipt: read.optional("receipt", delivery.receipt, |text| receipt::parse(&text))?,
        status_seen_at: delivery.status_seen_at.map(timestamp),
        conversation_id: read.optional("conversationId", delivery.conversation_id, |id| {
            ConversationId::parse(&id).ok()
        })?,
        timeline: delivery
            .timeline
            .into_iter()
            .map(|entry| read_timeline(read, entry))
            .collect::<Result<_, _>>()?,
        updated_at: timestamp(delivery.updated_at),
        version: read.count_u64("version", delivery.version)?,
    })
}

fn shared(text: Option<&str>) -> Option<Arc<str>> {
    text.map(Arc::from)
}

fn read_error(read: &Reader<'_>, error: &ErrorFields<'_>) -> Result<SendError, Unreadable> {
    read.some("error.httpStatus", error.read())
}

fn read_timeline(read: &Reader<'_>, entry: TimelineFields<'_>) -> Result<TimelineEntry, Unreadable> {
    Ok(TimelineEntry {
        at: timestamp(entry.at),
        event: read.some("timeline.event", TimelineEvent::parse(&entry.event))?,
        attempt: read.optional("timeline.attempt", entry.attempt, |attempt| u32::try_from(attempt).ok())?,
        detail: shared(entry.detail.as_deref()),
        until: entry.until.map(timestamp),
        error: entry.error.map(|error| read_error(read, &error)).transpose()?,
    })
}
