//! The row of a message in its table, in both directions.

mod reading;
mod writing;

use std::sync::LazyLock;

use dakghar_core::domain::time::Timestamp;

pub(super) use reading::{message, trace};
pub(super) use writing::{ChangingRow, LinksRow, NewRow, further_wamids};

/// The condition of the index `messages_open`, word for word: SQLite uses that only for a query that says the same.
macro_rules! is_open {
    () => {
        "status <> 'sent' AND status <> 'delivered' AND status <> 'read' AND status <> 'received'"
    };
}
pub(super) use is_open;

/// Columns that no save writes: they are as they were accepted, or changed by a statement of their own.
const FIXED: &str = "id, tenant_id, phone_number_id, direction, peer, peer_id, kind, body, envelope, frame, \
    idempotency_key, fingerprint, metadata, client_opaque, priority, unknown_outcome, attempts_max, created_at, origin, \
    conversation_kind, sender, trace, content_removed_at, terms, by_gateway_id";

/// Columns that change, but hardly ever more than once: a save leaves them alone where it can, because they are in
/// indexes.
const LINKS: &str = "wamid, wamids, conversation_id";

/// Columns that delivery changes.
const CHANGING: &str = "expires_at, status, epoch, attempt, attempts_refunded, strikes, lease_owner, lease_until, called_at, \
    maybe_sent, grace_until, slot_at, drive, wake_at, enqueued_at, dead_reason, hold_reason, error, receipt, status_seen_at, \
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

pub(super) fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}
