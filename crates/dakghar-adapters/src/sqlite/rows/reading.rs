//! A message as its row has it.

use std::sync::Arc;

use dakghar_core::domain::conversation::ConversationKind;
use dakghar_core::domain::hold::HoldReason;
use dakghar_core::domain::ids::{ConversationId, IdempotencyKey, MessageId, PhoneNumberId, TenantId, WaId, Wamid};
use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::message::{
    Accepted, Content, DeadReason, Delivery, Direction, Idempotency, Message, Origin, Priority, Status, Terms,
    UnknownOutcome,
};
use dakghar_core::domain::trace::TraceContext;
use rusqlite::Row;

use super::super::cells::{Cells, Damaged, Read};
use super::super::texts;
use crate::stored::receipt;

/// Reads a row of [`COLUMNS`](super::COLUMNS).
pub(in crate::sqlite) fn message(row: &Row<'_>) -> Read<Message> {
    let mut cells = Cells::of(row);
    let cells = &mut cells;
    // The fields of a struct expression are evaluated in the order in which they are written.
    Ok(Message {
        accepted: accepted(cells)?,
        delivery: Delivery {
            wamid: cells.maybe_parse(Wamid::parse)?,
            wamids: texts::parse_wamids(cells.get::<Option<String>>()?.as_deref())?,
            conversation_id: cells.maybe_parse(ConversationId::parse)?,
            expires_at: cells.maybe_time()?,
            status: cells.parse(Status::parse)?,
            epoch: cells.count()?,
            attempt: cells.get()?,
            attempts_refunded: cells.get()?,
            strikes: cells.get()?,
            lease: lease(cells)?,
            called_at: cells.maybe_time()?,
            maybe_sent: cells.get()?,
            grace_until: cells.maybe_time()?,
            slot_at: cells.maybe_time()?,
            drive: cells.get()?,
            wake_at: cells.maybe_time()?,
            enqueued_at: cells.maybe_time()?,
            dead_reason: cells.maybe_parse(DeadReason::parse)?,
            hold_reason: cells.maybe_parse(HoldReason::parse)?,
            error: cells
                .get::<Option<String>>()?
                .as_deref()
                .map(texts::parse_error)
                .transpose()?,
            receipt: cells.maybe_parse(receipt::parse)?,
            status_seen_at: cells.maybe_time()?,
            timeline: texts::parse_timeline(&cells.get::<String>()?)?,
            updated_at: cells.time()?,
            version: cells.count()?,
        },
    })
}

/// The part that is fixed at acceptance.
fn accepted(cells: &mut Cells<'_>) -> Read<Accepted> {
    let mut accepted = Accepted {
        id: cells.parse(MessageId::parse)?,
        tenant_id: cells.parse(TenantId::parse)?,
        phone_number_id: cells.parse(PhoneNumberId::parse)?,
        direction: cells.parse(Direction::parse)?,
        peer: cells.get()?,
        peer_id: cells.maybe_parse(WaId::parse)?,
        content: Content {
            kind: cells.get()?,
            body: cells.get()?,
            envelope: cells.get()?,
            frame: cells.get()?,
            removed_at: None,
        },
        idempotency: idempotency(cells)?,
        metadata: cells.get()?,
        client_opaque: cells.get()?,
        priority: cells.parse(Priority::parse)?,
        unknown_outcome: cells.parse(UnknownOutcome::parse)?,
        attempts_max: cells.get()?,
        created_at: cells.time()?,
        origin: Origin::Client,
        conversation_kind: ConversationKind::Person,
        sender: None,
        terms: Terms::default(),
        trace: None,
    };
    // The first two are empty where they are what nearly every message has.
    accepted.origin = cells
        .maybe_parse(Origin::parse)?
        .unwrap_or_else(|| Origin::of(accepted.direction));
    accepted.conversation_kind = cells.maybe_parse(ConversationKind::parse)?.unwrap_or_default();
    accepted.sender = cells.get()?;
    accepted.trace = trace(cells)?;
    accepted.content.removed_at = cells.maybe_time()?;
    accepted.terms = cells.maybe_parse(Terms::parse)?.unwrap_or_default();
    Ok(accepted)
}

/// The span in which a message was accepted.
pub(in crate::sqlite) fn trace(cells: &mut Cells<'_>) -> Read<Option<TraceContext>> {
    let bytes: Option<Vec<u8>> = cells.get()?;
    let damaged = || Damaged("no context of a trace".to_owned());
    bytes
        .map(|bytes| TraceContext::from_bytes(&bytes).ok_or_else(damaged))
        .transpose()
}

fn idempotency(cells: &mut Cells<'_>) -> Read<Option<Idempotency>> {
    let key = cells.maybe_parse(IdempotencyKey::parse)?;
    let fingerprint: Option<[u8; 32]> = cells.get()?;
    match (key, fingerprint) {
        (Some(key), Some(fingerprint)) => Ok(Some(Idempotency { key, fingerprint })),
        (None, None) => Ok(None),
        _ => Err(Damaged("an idempotency key and a fingerprint come together".to_owned())),
    }
}

fn lease(cells: &mut Cells<'_>) -> Read<Option<Lease>> {
    let owner: Option<Arc<str>> = cells.get()?;
    let until = cells.maybe_time()?;
    Ok(owner.zip(until).map(|(owner, until)| Lease { owner, until }))
}
