//! Lists for people: a tenant's messages by filter, and dead letters.
//!
//! Every list walks one index from the newest id downwards and stops when the page is full. A filter that no index
//! knows is checked row by row on the way; a search that finds too little for too long is ended.

use std::time::{Duration, Instant};

use dakghar_core::domain::ids::{MessageId, PhoneNumberId, TenantId, WaId};
use dakghar_core::domain::message::{Direction, Message, Status};
use dakghar_core::domain::page::MessageQuery;
use dakghar_core::domain::time::Timestamp;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::super::failure::Outcome;
use super::super::rows::{Cells, readable};
use super::before_text;
use super::read::{load_first, load_rows};

pub(in super::super) const NEAREST: &str = "\
    SELECT id, created_at FROM messages INDEXED BY messages_by_id WHERE tenant_id = ? AND id < ? \
    ORDER BY id DESC LIMIT 1";

pub(in super::super) const DEAD_OF_TENANT: &str = "\
    SELECT id, seq FROM messages INDEXED BY messages_open \
    WHERE tenant_id = ? AND status = ? AND id < ? \
    AND status NOT IN ('sent', 'delivered', 'read', 'received') \
    ORDER BY id DESC LIMIT ?";

pub(in super::super) const DEAD_OF_ALL: &str = "\
    SELECT id, seq FROM messages INDEXED BY messages_dead \
    WHERE status IN ('dead', 'failed', 'expired') AND id < ? ORDER BY id DESC LIMIT ?";

/// How long one search may take.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(5);
/// Rows between two looks at the clock and at the position.
const ROWS_PER_LOOK: u32 = 4096;
/// Ids sort by the time of acceptance, as the clock of the process that gave them told it. This much they may be off.
const CLOCK_ERROR_MAX: Duration = Duration::from_hours(24);

/// What the filters look at, and nothing that may be long.
const FILTERED: &str = "id, seq, created_at, direction, status, kind, peer_id, phone_number_id";

/// A page of a tenant's messages; `None` when the search was ended.
pub(super) fn list(conn: &Connection, tenant_id: TenantId, query: &MessageQuery) -> Outcome<Option<Vec<Message>>> {
    let ends_at = Instant::now() + SEARCH_TIME_MAX;
    let mut found = Vec::new();
    let mut before = before_text(query.before);
    loop {
        match walk(conn, tenant_id, query, &before, &mut found)? {
            Walked::Enough => break,
            Walked::To { id, readable } => {
                if Instant::now() > ends_at {
                    return Ok(None);
                }
                before = id;
                let Some((id, created_at)) = readable else { continue };
                if query.since.is_some_and(|since| created_at + CLOCK_ERROR_MAX < since) {
                    break;
                }
                if let Some(until) = query.until.filter(|until| created_at > *until + CLOCK_ERROR_MAX) {
                    before = skip_to(conn, tenant_id, id, until + CLOCK_ERROR_MAX)?.min(before);
                }
            }
        }
    }
    Ok(Some(found))
}

/// How far one walk came.
enum Walked {
    /// The page is full, or there is nothing more.
    Enough,
    /// As far as it may look at a time.
    To {
        /// The id of the last row, as it lies there.
        id: String,
        /// The last row that can be read, and its time.
        readable: Option<(MessageId, Timestamp)>,
    },
}

fn walk(
    conn: &Connection,
    tenant_id: TenantId,
    query: &MessageQuery,
    before: &str,
    found: &mut Vec<Message>,
) -> Outcome<Walked> {
    let tenant_id = tenant_id.to_string();
    let sql = walk_sql(query);
    let mut select = conn.prepare_cached(&sql)?;
    let mut rows = if let Some(conversation_id) = query.conversation_id {
        select.query(params![tenant_id, before, ROWS_PER_LOOK, conversation_id.to_string()])?
    } else if let Some(status) = query.status.filter(|status| is_open(*status)) {
        select.query(params![tenant_id, before, ROWS_PER_LOOK, status.as_str()])?
    } else if let Some(peer_id) = &query.peer_id {
        select.query(params![tenant_id, before, ROWS_PER_LOOK, peer_id.as_str()])?
    } else {
        select.query(params![tenant_id, before, ROWS_PER_LOOK])?
    };
    let mut looked_at = 0;
    let mut last = String::new();
    let mut last_readable = None;
    while let Some(row) = rows.next()? {
        looked_at += 1;
        if let Ok(id) = row.get_ref(0)?.as_str() {
            last.clear();
            last.push_str(id);
        }
        let Some((id, seq, created_at)) = readable("message", row, place)? else {
            continue;
        };
        last_readable = Some((id, created_at));
        if matches(row, created_at, query)? {
            found.extend(load_rows(conn, [seq].into_iter())?);
            if found.len() >= query.limit as usize {
                return Ok(Walked::Enough);
            }
        }
    }
    if looked_at < ROWS_PER_LOOK {
        return Ok(Walked::Enough);
    }
    Ok(Walked::To {
        id: last,
        readable: last_readable,
    })
}

/// The columns that every walk reads.
fn place(row: &Row<'_>) -> Outcome<(MessageId, i64, Timestamp)> {
    let mut cells = Cells::of(row);
    Ok((cells.parse(MessageId::parse)?, cells.get()?, cells.time()?))
}

/// The index that leaves the least to look at.
pub(in super::super) fn walk_sql(query: &MessageQuery) -> String {
    let (index, condition) = if query.conversation_id.is_some() {
        ("messages_in_conversation", "AND conversation_id = ?4")
    } else if query.status.is_some_and(is_open) {
        (
            "messages_open",
            "AND status = ?4 AND status NOT IN ('sent', 'delivered', 'read', 'received')",
        )
    } else if query.peer_id.is_some() {
        ("messages_by_person", "AND peer_id = ?4")
    } else {
        ("messages_by_id", "")
    };
    format!(
        "SELECT {FILTERED} FROM messages INDEXED BY {index} WHERE tenant_id = ?1 AND id < ?2 {condition} \
         ORDER BY id DESC LIMIT ?3"
    )
}

/// Whether messages in this status are in the index of the open ones.
const fn is_open(status: Status) -> bool {
    !matches!(
        status,
        Status::Sent | Status::Delivered | Status::Read | Status::Received
    )
}

/// Checks the filters; the columns after the first three of [`FILTERED`].
fn matches(row: &Row<'_>, created_at: Timestamp, query: &MessageQuery) -> Outcome<bool> {
    if query.since.is_some_and(|since| created_at < since) || query.until.is_some_and(|until| created_at >= until) {
        return Ok(false);
    }
    let wanted = [
        query.direction.map(Direction::as_str),
        query.status.map(Status::as_str),
        query.kind.as_deref(),
        query.peer_id.as_ref().map(WaId::as_str),
        query.phone_number_id.as_ref().map(PhoneNumberId::as_str),
    ];
    for (column, wanted) in (3..).zip(wanted) {
        let Some(wanted) = wanted else { continue };
        let value = row.get_ref(column)?;
        if value.as_str_or_null().map_err(rusqlite::Error::from)? != Some(wanted) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where to go on below `from`, so that only messages accepted well after `until` are skipped: halves the ids in
/// between until little is left.
fn skip_to(conn: &Connection, tenant_id: TenantId, from: MessageId, until: Timestamp) -> Outcome<String> {
    /// A millisecond of acceptances: the time is in the upper 48 bits of an id.
    const CLOSE: u128 = 1 << 80;
    let tenant_id = tenant_id.to_string();
    let mut select = conn.prepare_cached(NEAREST)?;
    let mut low = 0;
    let mut high = from.as_uuid().as_u128();
    while high - low > CLOSE {
        let middle = MessageId::from_uuid(Uuid::from_u128(low + (high - low) / 2));
        let mut found = select.query(params![tenant_id, middle.to_string()])?;
        let nearest = match found.next()? {
            Some(row) => {
                let mut cells = Cells::of(row);
                Some((cells.parse(MessageId::parse)?, cells.time()?))
            }
            None => None,
        };
        match nearest {
            Some((id, created_at)) if created_at > until => high = id.as_uuid().as_u128(),
            _ => low = middle.as_uuid().as_u128(),
        }
    }
    Ok(MessageId::from_uuid(Uuid::from_u128(high)).to_string())
}

/// Messages that ended without reaching anybody.
pub(super) fn dead_letters(
    conn: &Connection,
    tenant_id: Option<TenantId>,
    before: Option<MessageId>,
    limit: u32,
) -> Outcome<Vec<Message>> {
    let before = before_text(before);
    load_first(conn, limit, |limit| newest_dead(conn, tenant_id, &before, limit))
}

fn newest_dead(conn: &Connection, tenant_id: Option<TenantId>, before: &str, limit: u32) -> Outcome<Vec<i64>> {
    let mut found: Vec<(String, i64)> = Vec::new();
    if let Some(tenant_id) = tenant_id {
        let mut select = conn.prepare_cached(DEAD_OF_TENANT)?;
        for status in Status::ALL.into_iter().filter(|status| status.is_dead_letter()) {
            let rows = select.query_map(params![tenant_id.to_string(), status.as_str(), before, limit], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            for row in rows {
                found.push(row?);
            }
        }
    } else {
        let mut select = conn.prepare_cached(DEAD_OF_ALL)?;
        let rows = select.query_map(params![before, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            found.push(row?);
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.truncate(limit as usize);
    Ok(found.into_iter().map(|(_, seq)| seq).collect())
}
