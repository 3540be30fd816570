//! A message on its way into its document.

use std::borrow::Cow;

use bson::RawDocumentBuf;
use bson::oid::ObjectId;
use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::message::{Delivery, Message, SendError, TimelineEntry};
use dakghar_core::ports::StoreError;

use crate::stored::{id_time, receipt};

use super::super::{SCHEMA_VERSION, binary, counter, date, to_raw};
use super::inbound_key;
use super::shape::{AcceptedFields, ClaimFields, DeliveryFields, ErrorFields, LeaseFields, TimelineFields};

/// A new message as a whole document.
pub(in crate::mongo) fn encode(message: &Message) -> Result<RawDocumentBuf, StoreError> {
    let mut document = to_raw(&accepted_fields(message))?;
    for field in &to_raw(&delivery_fields(&message.delivery, message.delivery.version, None))? {
        let (name, value) = field.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        document.append(name, value);
    }
    Ok(document)
}

/// The fields that a save under `save_id` sets; it raises the version by one.
pub(in crate::mongo) fn encode_delivery(delivery: &Delivery, save_id: ObjectId) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&delivery_fields(delivery, delivery.version + 1, Some(save_id)))
}

/// The fields that a claim under `save_id` sets, which is all that it changes but for
/// [`FIELD_A_CLAIM_UNSETS`](super::FIELD_A_CLAIM_UNSETS). The same for messages that are claimed together for the same
/// attempt.
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
        frame: message.accepted.content.frame.as_deref().map(Cow::from),
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
        origin: message
            .accepted
            .origin
            .stored(message.accepted.direction)
            .map(Cow::from),
        conversation_kind: message.accepted.conversation_kind.stored().map(Cow::from),
        sender: message.accepted.sender.as_deref().map(Cow::from),
        trace: message.accepted.trace.map(|trace| binary(&trace.to_bytes())),
        content_removed_at: message.accepted.content.removed_at.map(date),
        terms: message.accepted.terms.stored().map(Cow::from),
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
        receipt: delivery
            .receipt
            .as_ref()
            .map(|receipt| receipt::text_of(receipt).into()),
        status_seen_at: delivery.status_seen_at.map(date),
        conversation_id: delivery.conversation_id.map(|id| id.to_string()),
        timeline: delivery.timeline.iter().map(timeline_fields).collect(),
        updated_at: date(delivery.updated_at),
        version: counter(version),
        save_id,
    }
}

pub(in crate::mongo::documents) fn error_fields(error: &SendError) -> ErrorFields<'_> {
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
