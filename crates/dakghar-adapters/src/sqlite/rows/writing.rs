//! A message on its way into its table.

use dakghar_core::domain::hold::HoldReason;
use dakghar_core::domain::ids::{WaId, Wamid};
use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::message::{DeadReason, Delivery, Message, Status};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::domain::trace::TraceContext;
use rusqlite::ToSql;

use super::super::cells::{Cells, Read};
use super::super::texts;
use super::millis;
use crate::stored::{id_time, receipt};

/// A message on its way into the table. Made where the message is, so that the writer thread only writes.
pub(in crate::sqlite) struct NewRow {
    message: Message,
    id: String,
    tenant_id: String,
    links: LinksRow,
    changing: ChangingRow,
}

/// The records that a message points at.
#[derive(PartialEq, Eq)]
pub(in crate::sqlite) struct LinksRow {
    wamid: Option<Wamid>,
    wamids: Option<String>,
    conversation_id: Option<String>,
}

/// Wamids beyond a message's first, which are kept in a table of their own.
pub(in crate::sqlite) fn further_wamids(delivery: &Delivery) -> impl Iterator<Item = &Wamid> {
    let first = delivery.wamid.as_ref();
    delivery.wamids.iter().filter(move |wamid| Some(*wamid) != first)
}

/// The columns of a message that delivery changes.
pub(in crate::sqlite) struct ChangingRow {
    expires_at: Option<Timestamp>,
    status: Status,
    epoch: i64,
    attempt: u32,
    attempts_refunded: u32,
    strikes: u32,
    lease: Option<Lease>,
    called_at: Option<Timestamp>,
    maybe_sent: bool,
    grace_until: Option<Timestamp>,
    slot_at: Option<Timestamp>,
    drive: u32,
    wake_at: Option<Timestamp>,
    enqueued_at: Option<Timestamp>,
    dead_reason: Option<DeadReason>,
    hold_reason: Option<HoldReason>,
    error: Option<String>,
    receipt: Option<String>,
    status_seen_at: Option<Timestamp>,
    timeline: String,
    updated_at: Timestamp,
    pub(in crate::sqlite) version: i64,
}

impl NewRow {
    pub(in crate::sqlite) fn of(message: Message) -> Self {
        Self {
            id: message.accepted.id.to_string(),
            tenant_id: message.accepted.tenant_id.to_string(),
            links: LinksRow::of(&message.delivery),
            changing: ChangingRow::of(&message.delivery),
            message,
        }
    }

    pub(in crate::sqlite) const fn message(&self) -> &Message {
        &self.message
    }

    pub(in crate::sqlite) fn tenant_id(&self) -> &str {
        &self.tenant_id
    }

    /// Calls `insert` with the parameters of [`INSERT`](super::INSERT).
    pub(in crate::sqlite) fn with_params<T>(&self, insert: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        let message = &self.message;
        let idempotency = message.accepted.idempotency.as_ref();
        let fixed: [&dyn ToSql; 25] = [
            &id_time::is_off(message).then_some(true),
            &self.id,
            &self.tenant_id,
            &message.accepted.phone_number_id.as_str(),
            &message.accepted.direction.as_str(),
            &message.accepted.peer,
            &message.accepted.peer_id.as_ref().map(WaId::as_str),
            &message.accepted.content.kind,
            &message.accepted.content.body,
            &message.accepted.content.envelope,
            &message.accepted.content.frame,
            &idempotency.map(|idempotency| idempotency.key.as_str()),
            &idempotency.map(|idempotency| idempotency.fingerprint),
            &message.accepted.metadata,
            &message.accepted.client_opaque,
            &message.accepted.priority.as_str(),
            &message.accepted.unknown_outcome.as_str(),
            &message.accepted.attempts_max,
            &message.accepted.created_at.as_millis(),
            &message.accepted.origin.stored(message.accepted.direction),
            &message.accepted.conversation_kind.stored(),
            &message.accepted.sender,
            &message.accepted.trace.map(TraceContext::to_bytes),
            &millis(message.accepted.content.removed_at),
            &message.accepted.terms.stored(),
        ];
        self.links.with_params(|links| {
            self.changing.with_params(|changing| {
                let params: Vec<&dyn ToSql> = fixed.iter().chain(links).chain(changing).copied().collect();
                insert(&params)
            })
        })
    }
}

impl LinksRow {
    pub(in crate::sqlite) fn of(delivery: &Delivery) -> Self {
        Self {
            wamid: delivery.wamid.clone(),
            wamids: texts::wamids_text(&delivery.wamids),
            conversation_id: delivery.conversation_id.map(|id| id.to_string()),
        }
    }

    /// As `row` has them in these three columns.
    pub(in crate::sqlite) fn read(cells: &mut Cells<'_>) -> Read<Self> {
        Ok(Self {
            wamid: cells.maybe_parse(Wamid::parse)?,
            wamids: cells.get()?,
            conversation_id: cells.get()?,
        })
    }

    /// Calls `run` with the parameters of [`LINKS`](super::LINKS).
    pub(in crate::sqlite) fn with_params<T>(&self, run: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        run(&[
            &self.wamid.as_ref().map(Wamid::as_str),
            &self.wamids,
            &self.conversation_id,
        ])
    }
}

impl ChangingRow {
    /// The row as it is after the save: under the version that the message has now.
    pub(in crate::sqlite) fn of(delivery: &Delivery) -> Self {
        Self {
            expires_at: delivery.expires_at,
            status: delivery.status,
            epoch: delivery.epoch.cast_signed(),
            attempt: delivery.attempt,
            attempts_refunded: delivery.attempts_refunded,
            strikes: delivery.strikes,
            lease: delivery.lease.clone(),
            called_at: delivery.called_at,
            maybe_sent: delivery.maybe_sent,
            grace_until: delivery.grace_until,
            slot_at: delivery.slot_at,
            drive: delivery.drive,
            wake_at: delivery.wake_at,
            enqueued_at: delivery.enqueued_at,
            dead_reason: delivery.dead_reason,
            hold_reason: delivery.hold_reason,
            error: delivery.error.as_ref().map(texts::error_text),
            receipt: delivery.receipt.as_ref().map(receipt::text_of),
            status_seen_at: delivery.status_seen_at,
            timeline: texts::timeline_text(&delivery.timeline),
            updated_at: delivery.updated_at,
            version: delivery.version.cast_signed(),
        }
    }

    /// Calls `run` with the parameters of [`CHANGING`](super::CHANGING).
    pub(in crate::sqlite) fn with_params<T>(&self, run: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        run(&[
            &millis(self.expires_at),
            &self.status.as_str(),
            &self.epoch,
            &self.attempt,
            &self.attempts_refunded,
            &self.strikes,
            &self.lease.as_ref().map(|lease| &lease.owner),
            &self.lease.as_ref().map(|lease| lease.until.as_millis()),
            &millis(self.called_at),
            &self.maybe_sent,
            &millis(self.grace_until),
            &millis(self.slot_at),
            &self.drive,
            &millis(self.wake_at),
            &millis(self.enqueued_at),
            &self.dead_reason.map(DeadReason::as_str),
            &self.hold_reason.map(HoldReason::as_str),
            &self.error,
            &self.receipt,
            &millis(self.status_seen_at),
            &self.timeline,
            &self.updated_at.as_millis(),
            &self.version,
        ])
    }
}
