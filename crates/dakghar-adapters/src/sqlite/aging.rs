//! Erasing what is old, along the indexes from the oldest record on.

use dakghar_core::domain::amendment::KEPT_LONGER;
use dakghar_core::domain::ids::{PhoneNumberId, TenantId, WaId};
use dakghar_core::domain::message::{DeadReason, LetterClass, Status};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{Aged, AgedPortion, ErasedPortion};
use rusqlite::{Connection, Row, ToSql, params};

use super::cells::{Cells, Read, number, readable};
use super::contents;
use super::events::delete as delete_events;
use super::failure::Outcome;
use super::rows::is_open;
use super::walk::{Walk, id_of};
use crate::stored::id_time::behind_ids_until;

/// Columns of a message before those that tell when it ended.
const BEFORE_ENDED_AT: usize = 3;
pub(super) const MESSAGES: &str = "\
    SELECT id, seq, octet_length(body), status, updated_at FROM messages INDEXED BY messages_by_id \
    WHERE tenant_id = ?1 AND id > ?2 AND id < ?3 ORDER BY id LIMIT ?4";

pub(super) const LETTERS: &str = concat!(
    "SELECT id, seq, octet_length(body), updated_at, dead_reason FROM messages INDEXED BY messages_open \
     WHERE tenant_id = ?1 AND status = ?5 AND id > ?2 AND id < ?3 AND ",
    is_open!(),
    " ORDER BY id LIMIT ?4"
);

pub(super) const CONVERSATIONS: &str = "\
    SELECT id, last_message_at, phone_number_id, wa_id FROM conversations INDEXED BY conversations_newest \
    WHERE tenant_id = ? AND last_message_at >= ? AND last_message_at < ? ORDER BY last_message_at, id LIMIT ?";

pub(super) const MESSAGE_OF_CONVERSATION: &str = "\
    SELECT 1 FROM messages INDEXED BY messages_by_person \
    WHERE tenant_id = ? AND peer_id = ? AND phone_number_id = ? LIMIT 1";

/// `IS` and not `=`, because the unrouted events have no tenant.
pub(super) const EVENTS: &str = "\
    SELECT id, seq, received_at, octet_length(raw), amends IS NOT NULL FROM events INDEXED BY events_newest \
    WHERE tenant_id IS ? AND id > ? ORDER BY id LIMIT ?";

pub(super) const FEED: &str = "\
    SELECT place, at, place = (SELECT max(place) FROM feed WHERE tenant_id = ?1) FROM feed \
    WHERE tenant_id = ?1 ORDER BY place LIMIT ?2";

/// Deletes what is old. What was deleted is overwritten in the file, as everywhere (`connection.rs`).
pub(super) fn erase_aged(conn: &Connection, portion: &AgedPortion) -> Outcome<ErasedPortion> {
    match (portion.kind, portion.tenant_id) {
        (Aged::Events, _) => events(conn, portion),
        (Aged::Messages, Some(tenant_id)) => messages(conn, tenant_id, portion),
        (Aged::DeadLetters(class), Some(tenant_id)) => letters(conn, tenant_id, class, portion),
        (Aged::Conversations, Some(tenant_id)) => conversations(conn, tenant_id, portion),
        (Aged::Feed, Some(tenant_id)) => feed(conn, tenant_id, portion),
        (Aged::Written, _) => contents::erase_written(conn, portion),
        (Aged::Contents { removed_at }, Some(tenant_id)) => contents::remove(conn, tenant_id, portion, removed_at),
        (_, None) => Ok(ErasedPortion::default()),
    }
}

fn messages(conn: &Connection, tenant_id: TenantId, portion: &AgedPortion) -> Outcome<ErasedPortion> {
    erase_messages(conn, (MESSAGES, tenant_id, None), portion, settled_at)
}

/// Dead letters of one class, along the index of what reached nobody.
fn letters(
    conn: &Connection,
    tenant_id: TenantId,
    class: LetterClass,
    portion: &AgedPortion,
) -> Outcome<ErasedPortion> {
    let status = Some(class.status().as_str());
    erase_messages(conn, (LETTERS, tenant_id, status), portion, |cells| {
        ended_at(cells, class)
    })
}

/// Deletes the messages of a selection that ended before the portion does. Its rows begin with the id, the seq and the bytes;
/// `ended_at` reads the rest, and gives none for a message that is not meant.
fn erase_messages(
    conn: &Connection,
    (select, tenant_id, status): (&str, TenantId, Option<&'static str>),
    portion: &AgedPortion,
    ended_at: impl Fn(&mut Cells<'_>) -> Read<Option<Timestamp>>,
) -> Outcome<ErasedPortion> {
    let tenant_id = tenant_id.to_string();
    let mut walk = Walk::new(portion);
    let mut old = Vec::new();
    let mut select = conn.prepare_cached(select)?;
    let from = portion.from.clone().unwrap_or_default();
    let until = behind_ids_until(portion.before);
    let mut asked: Vec<&dyn ToSql> = vec![&tenant_id, &from, &until, &portion.limit];
    asked.extend(status.as_ref().map(|status| -> &dyn ToSql { status }));
    let mut rows = select.query(&asked[..])?;
    while !walk.is_full()
        && let Some(row) = rows.next()?
    {
        let mut cells = Cells::from(row, BEFORE_ENDED_AT);
        let found = readable("message", row, ended_at(&mut cells));
        let id = id_of("message", row);
        let is_old = found.flatten().is_some_and(|ended_at| ended_at < portion.before);
        walk.pass(id.clone(), if is_old { number(row, 2)? } else { 0 });
        if is_old {
            old.push((number(row, 1)?, id));
        }
    }
    walk.erased = delete_messages(conn, &tenant_id, old)?;
    Ok(walk.end())
}

/// Deletes messages with their wamids and reports. Returns how many.
pub(super) fn delete_messages(conn: &Connection, tenant_id: &str, old: Vec<(i64, Option<String>)>) -> Outcome<u64> {
    // Only messages that were sent twice have further wamids, so there are few.
    let has_further = conn
        .prepare_cached("SELECT 1 FROM further_wamids INDEXED BY further_wamids_of_tenant WHERE tenant_id = ? LIMIT 1")?
        .exists([tenant_id])?;
    let mut further = conn.prepare_cached("DELETE FROM further_wamids WHERE tenant_id = ? AND message_id = ?")?;
    let mut statuses = conn.prepare_cached("DELETE FROM statuses WHERE tenant_id = ? AND message_id = ?")?;
    let mut delete = conn.prepare_cached("DELETE FROM messages WHERE seq = ?")?;
    let mut erased = 0;
    for (seq, id) in old {
        if has_further {
            further.execute(params![tenant_id, id])?;
        }
        statuses.execute(params![tenant_id, id])?;
        erased += delete.execute([seq])? as u64;
    }
    Ok(erased)
}

/// When a dead letter ended, if it is one of this class.
fn ended_at(cells: &mut Cells<'_>, class: LetterClass) -> Read<Option<Timestamp>> {
    let ended_at = cells.time()?;
    let reason = cells.maybe_parse(DeadReason::parse)?;
    Ok((LetterClass::of(class.status(), reason) == Some(class)).then_some(ended_at))
}

/// When a settled message last changed that is no dead letter.
fn settled_at(cells: &mut Cells<'_>) -> Read<Option<Timestamp>> {
    let status = cells.parse(Status::parse)?;
    let changed_at = cells.time()?;
    Ok((!status.is_unsettled() && !status.is_dead_letter()).then_some(changed_at))
}

fn conversations(conn: &Connection, tenant_id: TenantId, portion: &AgedPortion) -> Outcome<ErasedPortion> {
    let tenant_id = tenant_id.to_string();
    let from: i64 = portion
        .from
        .as_deref()
        .and_then(|from| from.parse().ok())
        .unwrap_or(i64::MIN);
    let mut walk = Walk::new(portion);
    let mut last = from;
    let mut select = conn.prepare_cached(CONVERSATIONS)?;
    let mut message = conn.prepare_cached(MESSAGE_OF_CONVERSATION)?;
    let mut old: Vec<String> = Vec::new();
    let mut rows = select.query(params![tenant_id, from, portion.before.as_millis(), portion.limit])?;
    while let Some(row) = rows.next()? {
        last = number(row, 1)?;
        walk.pass(None, 0);
        let Some((id, phone_number_id, wa_id)) = readable("conversation", row, conversation(row)) else {
            continue;
        };
        if !message.exists(params![tenant_id, wa_id.as_str(), phone_number_id.as_str()])? {
            old.push(id);
        }
    }
    let mut delete = conn.prepare_cached("DELETE FROM conversations WHERE tenant_id = ? AND id = ?")?;
    let mut keys = conn.prepare_cached("DELETE FROM conversation_keys WHERE tenant_id = ? AND conversation_id = ?")?;
    for id in old {
        keys.execute(params![tenant_id, id])?;
        walk.erased += delete.execute(params![tenant_id, id])? as u64;
    }
    // It goes on with those of the same time, unless they alone are more than a portion.
    walk.last = Some(if last == from { last.saturating_add(1) } else { last }.to_string());
    Ok(walk.end())
}

fn conversation(row: &Row<'_>) -> Read<(String, PhoneNumberId, WaId)> {
    let mut cells = Cells::of(row);
    let id = cells.get()?;
    let _at = cells.time()?;
    Ok((id, cells.parse(PhoneNumberId::parse)?, cells.parse(WaId::parse)?))
}

fn events(conn: &Connection, portion: &AgedPortion) -> Outcome<ErasedPortion> {
    let mut walk = Walk::new(portion);
    let mut old = Vec::new();
    let mut select = conn.prepare_cached(EVENTS)?;
    let tenant_id = portion.tenant_id.map(|id| id.to_string());
    let from = portion.from.clone().unwrap_or_default();
    let mut rows = select.query(params![tenant_id, from, portion.limit])?;
    while !walk.is_full()
        && let Some(row) = rows.next()?
    {
        let received_at = readable("event", row, received_at(row));
        // Ids are in the order of time.
        if received_at.is_some_and(|at| at >= portion.before) {
            return delete_events(conn, &old).map(|erased| ErasedPortion { erased, next: None });
        }
        walk.pass(id_of("event", row), number(row, 3)?);
        let is_amendment = number(row, 4)? != 0;
        let before = if is_amendment {
            portion.before - KEPT_LONGER
        } else {
            portion.before
        };
        if received_at.is_some_and(|at| at < before) {
            old.push(number(row, 1)?);
        }
    }
    walk.erased = delete_events(conn, &old)?;
    Ok(walk.end())
}

/// From the earliest place on, up to the first entry that is not old. The last entry stays.
fn feed(conn: &Connection, tenant_id: TenantId, portion: &AgedPortion) -> Outcome<ErasedPortion> {
    let tenant_id = tenant_id.to_string();
    let mut walk = Walk::new(portion);
    let mut select = conn.prepare_cached(FEED)?;
    let mut delete = conn.prepare_cached("DELETE FROM feed WHERE tenant_id = ? AND place = ?")?;
    let mut old: Vec<i64> = Vec::new();
    let mut rows = select.query(params![tenant_id, portion.limit])?;
    while let Some(row) = rows.next()? {
        if number(row, 1)? >= portion.before.as_millis() || number(row, 2)? != 0 {
            break;
        }
        let place = number(row, 0)?;
        walk.pass(Some(place.to_string()), 0);
        old.push(place);
    }
    for place in old {
        walk.erased += delete.execute(params![tenant_id, place])? as u64;
    }
    Ok(walk.end())
}

fn received_at(row: &Row<'_>) -> Read<Timestamp> {
    let mut cells = Cells::of(row);
    let _id: String = cells.get()?;
    let _seq: i64 = cells.get()?;
    cells.time()
}
