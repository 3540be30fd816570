//! What a message looks like in its table, in both directions.

use std::sync::{Arc, LazyLock};

use dakghar_core::domain::hold::HoldReason;
use dakghar_core::domain::ids::{ConversationId, IdempotencyKey, MessageId, PhoneNumberId, TenantId, WaId, Wamid};
use dakghar_core::domain::message::{
    Accepted, Content, DeadReason, Delivery, Direction, Idempotency, Lease, Message, Priority, Status, UnknownOutcome,
};
use dakghar_core::domain::time::Timestamp;
use rusqlite::{Row, ToSql};

use crate::stored::id_time;

use super::cells::Cells;
use super::failure::Outcome;
use super::texts;

/// The condition of the index `messages_open`, word for word: SQLite uses that only for a query that says the same.
macro_rules! is_open {
    () => {
        "status <> 'sent' AND status <> 'delivered' AND status <> 'read' AND status <> 'received'"
    };
}
pub(super) use is_open;

/// Columns that never change after acceptance.
const FIXED: &str = "id, tenant_id, phone_number_id, direction, peer, peer_id, kind, body, envelope, idempotency_key, \
    fingerprint, metadata, client_opaque, priority, unknown_outcome, attempts_max, created_at";

/// Columns that change, but hardly ever more than once: a save leaves them alone where it can, because they are in
/// indexes.
const LINKS: &str = "wamid, wamids, conversation_id";

/// Columns that delivery changes.
const CHANGING: &str = "expires_at, status, epoch, attempt, attempts_refunded, strikes, lease_owner, lease_until, called_at, \
    maybe_sent, grace_until, slot_at, drive, wake_at, enqueued_at, dead_reason, hold_reason, error, status_seen_at, \
    timeline, updated_at, version";

/// All columns, in the order in which [`message`] reads them.
pub(super) static COLUMNS: LazyLock<String> = LazyLock::new(|| format!("{FIXED}, {LINKS}, {CHANGING}"));

/// Stores a message, or does nothing if something unique about it exists.
pub(super) static INSERT: LazyLock<String> = LazyLock::new(|| {
    let columns = format!("id_time_off, {}", *COLUMNS);
    let marks = marks(&columns);
    format!("INSERT INTO messages ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING")
});

/// Saves what delivery changed; the last parameter is the `seq`.
pub(super) static UPDATE: LazyLock<String> =
    LazyLock::new(|| format!("UPDATE messages SET ({CHANGING}) = ({}) WHERE seq = ?", marks(CHANGING)));

/// Saves wamids and conversation; the last parameter is the `seq`.
pub(super) static UPDATE_LINKS: LazyLock<String> =
    LazyLock::new(|| format!("UPDATE messages SET ({LINKS}) = ({}) WHERE seq = ?", marks(LINKS)));

fn marks(columns: &str) -> String {
    vec!["?"; columns.split(',').count()].join(", ")
}

/// A message on its way into the table. Made where the message is, so that the writer thread only writes.
pub(super) struct NewRow {
    message: Message,
    id: String,
    tenant_id: String,
    links: LinksRow,
    changing: ChangingRow,
}

/// What a message points at.
#[derive(PartialEq, Eq)]
pub(super) struct LinksRow {
    wamid: Option<Wamid>,
    wamids: Option<String>,
    conversation_id: Option<String>,
}

/// Wamids beyond a message's first, which are kept in a table of their own.
pub(super) fn further_wamids(delivery: &Delivery) -> impl Iterator<Item = &Wamid> {
    let first = delivery.wamid.as_ref();
    delivery.wamids.iter().filter(move |wamid| Some(*wamid) != first)
}

/// What delivery changed about a message.
pub(super) struct ChangingRow {
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
    status_seen_at: Option<Timestamp>,
    timeline: String,
    updated_at: Timestamp,
    pub(super) version: i64,
}

impl NewRow {
    pub(super) fn of(message: Message) -> Self {
        Self {
            id: message.accepted.id.to_string(),
            tenant_id: message.accepted.tenant_id.to_string(),
            links: LinksRow::of(&message.delivery),
            changing: ChangingRow::of(&message.delivery),
            message,
        }
    }

    pub(super) const fn message(&self) -> &Message {
        &self.message
    }

    pub(super) fn tenant_id(&self) -> &str {
        &self.tenant_id
    }

    /// Calls `insert` with the parameters of [`INSERT`].
    pub(super) fn with_params<T>(&self, insert: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        let message = &self.message;
        let idempotency = message.accepted.idempotency.as_ref();
        let fixed: [&dyn ToSql; 18] = [
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
            &idempotency.map(|idempotency| idempotency.key.as_str()),
            &idempotency.map(|idempotency| idempotency.fingerprint),
            &message.accepted.metadata,
            &message.accepted.client_opaque,
            &message.accepted.priority.as_str(),
            &message.accepted.unknown_outcome.as_str(),
            &message.accepted.attempts_max,
            &message.accepted.created_at.as_millis(),
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
    pub(super) fn of(delivery: &Delivery) -> Self {
        Self {
            wamid: delivery.wamid.clone(),
            wamids: texts::wamids_text(&delivery.wamids),
            conversation_id: delivery.conversation_id.map(|id| id.to_string()),
        }
    }

    /// As `row` has them in these three columns.
    pub(super) fn read(cells: &mut Cells<'_>) -> Outcome<Self> {
        Ok(Self {
            wamid: cells.maybe_parse(Wamid::parse)?,
            wamids: cells.get()?,
            conversation_id: cells.get()?,
        })
    }

    /// Calls `run` with the parameters of [`LINKS`].
    pub(super) fn with_params<T>(&self, run: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        run(&[
            &self.wamid.as_ref().map(Wamid::as_str),
            &self.wamids,
            &self.conversation_id,
        ])
    }
}

impl ChangingRow {
    /// The row as it is after the save: under the version that the message has now.
    pub(super) fn of(delivery: &Delivery) -> Self {
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
            status_seen_at: delivery.status_seen_at,
            timeline: texts::timeline_text(&delivery.timeline),
            updated_at: delivery.updated_at,
            version: delivery.version.cast_signed(),
        }
    }

    /// Calls `run` with the parameters of [`CHANGING`].
    pub(super) fn with_params<T>(&self, run: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
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
            &millis(self.status_seen_at),
            &self.timeline,
            &self.updated_at.as_millis(),
            &self.version,
        ])
    }
}

pub(super) fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}

/// Reads a row of [`COLUMNS`].
pub(super) fn message(row: &Row<'_>) -> Outcome<Message> {
    let mut cells = Cells::of(row);
    let cells = &mut cells;
    // The fields of a struct expression are evaluated in the order in which they are written.
    Ok(Message {
        accepted: Accepted {
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
            },
            idempotency: idempotency(cells)?,
            metadata: cells.get()?,
            client_opaque: cells.get()?,
            priority: cells.parse(Priority::parse)?,
            unknown_outcome: cells.parse(UnknownOutcome::parse)?,
            attempts_max: cells.get()?,
            created_at: cells.time()?,
        },
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
            status_seen_at: cells.maybe_time()?,
            timeline: texts::parse_timeline(&cells.get::<String>()?)?,
            updated_at: cells.time()?,
            version: cells.count()?,
        },
    })
}

fn idempotency(cells: &mut Cells<'_>) -> Outcome<Option<Idempotency>> {
    let key = cells.maybe_parse(IdempotencyKey::parse)?;
    let fingerprint: Option<[u8; 32]> = cells.get()?;
    Ok(key
        .zip(fingerprint)
        .map(|(key, fingerprint)| Idempotency { key, fingerprint }))
}

fn lease(cells: &mut Cells<'_>) -> Outcome<Option<Lease>> {
    let owner: Option<Arc<str>> = cells.get()?;
    let until = cells.maybe_time()?;
    Ok(owner.zip(until).map(|(owner, until)| Lease { owner, until }))
}
