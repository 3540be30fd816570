//! What a tenant keeps of a person, deleted portion by portion, each in one transaction.

use dakghar_core::domain::erasure::{ErasurePlace, PersonIds};
use dakghar_core::domain::ids::{MessageId, WaId};
use dakghar_core::domain::message::Status;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{PersonErased, PersonPortion};
use rusqlite::{Connection, Row, params};

use super::answers;
use crate::sqlite::aging::delete_messages;
use crate::sqlite::cells::{Cells, Read, number, readable};
use crate::sqlite::failure::Outcome;
use crate::sqlite::opt_outs;

/// Bytes of texts that one portion looks through.
const LOOKED_AT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Conversations of one id that are looked at together.
const CONVERSATIONS_MAX: u32 = 2_000;

pub(in crate::sqlite) const MESSAGES: &str = "\
    SELECT id, seq, status, created_at, NULL FROM messages INDEXED BY messages_by_person \
    WHERE tenant_id = ?1 AND peer_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4";

pub(in crate::sqlite) const GROUP_MESSAGES: &str = "\
    SELECT id, seq, status, created_at, sender FROM messages INDEXED BY messages_by_id \
    WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

pub(in crate::sqlite) const REPORTS: &str = "\
    SELECT message_id, digest, received_at, participant, raw, frame FROM statuses \
    WHERE tenant_id = ?1 AND (message_id, digest) > (?2, ?3) ORDER BY message_id, digest LIMIT ?4";

/// `IS` and not `=`, because the unrouted events have no tenant.
pub(in crate::sqlite) const EVENTS: &str = "\
    SELECT id, seq, received_at, raw FROM events INDEXED BY events_newest \
    WHERE tenant_id IS ?1 AND id > ?2 ORDER BY id LIMIT ?3";

const CONVERSATIONS: &str = "\
    SELECT id FROM conversations INDEXED BY conversations_by_person \
    WHERE tenant_id = ?1 AND wa_id = ?2 AND kind IS NULL \
    UNION SELECT conversation_id FROM conversation_keys INDEXED BY conversation_keys_by_key \
    WHERE tenant_id = ?1 AND key = ?2 LIMIT ?3";

const FORGET_CONVERSATION: &str = "DELETE FROM conversations WHERE tenant_id = ?1 AND id = ?2 AND last_message_at < ?3";

const EMPTY_CONVERSATION: &str = "\
    UPDATE conversations SET also = NULL, named_at = NULL, name = NULL, username = NULL, \
        first_message_at = last_message_at WHERE tenant_id = ?1 AND id = ?2";

const FORGET_KEYS: &str = "DELETE FROM conversation_keys WHERE tenant_id = ?1 AND conversation_id = ?2";

/// Does one portion.
pub(super) fn erase(conn: &Connection, portion: &PersonPortion) -> Outcome<PersonErased> {
    match portion.place {
        ErasurePlace::Messages => messages(conn, portion),
        ErasurePlace::GroupMessages => group_messages(conn, portion),
        ErasurePlace::Reports => reports(conn, portion),
        ErasurePlace::Events => events(conn, portion, Some(&portion.tenant_id.to_string())),
        ErasurePlace::Unrouted => events(conn, portion, None),
        ErasurePlace::Conversations => conversations(conn, portion),
        ErasurePlace::Answers => answers::empty(conn, portion),
        ErasurePlace::File => Ok(PersonErased::default()),
    }
}

/// A message of which it is looked whether it goes.
struct Seen {
    seq: i64,
    id: String,
    status: Status,
    created_at: Timestamp,
    sender: Option<String>,
}

fn seen(row: &Row<'_>) -> Read<Seen> {
    let mut cells = Cells::of(row);
    // The fields of a struct expression are evaluated in the order in which they are written.
    let id = cells.get()?;
    Ok(Seen {
        seq: cells.get()?,
        status: cells.parse(Status::parse)?,
        created_at: cells.time()?,
        sender: cells.get()?,
        id,
    })
}

/// The ids of the person one after the other, and of each the messages. The place in between names no id, only which one.
fn messages(conn: &Connection, portion: &PersonPortion) -> Outcome<PersonErased> {
    let (which, from) = place_of(portion.from.as_deref());
    let Some(id) = portion.person.ids().get(which) else {
        return Ok(PersonErased::default());
    };
    let tenant_id = portion.tenant_id.to_string();
    let mut select = conn.prepare_cached(MESSAGES)?;
    let mut rows = select.query(params![tenant_id, id.as_str(), from, portion.limit])?;
    let (mut theirs, mut last, mut count) = (Vec::new(), None, 0);
    while let Some(row) = rows.next()? {
        count += 1;
        last = id_of(row).or(last);
        theirs.extend(readable("message", row, seen(row)));
    }
    drop(rows);
    let mut done = delete(conn, portion, theirs)?;
    let is_through = count < portion.limit;
    done.next = match last.filter(|_| !is_through) {
        Some(last) => Some(format!("{which}/{last}")),
        None => (which + 1 < portion.person.ids().len()).then(|| format!("{}/", which + 1)),
    };
    Ok(done)
}

fn place_of(from: Option<&str>) -> (usize, &str) {
    let parts = from.and_then(|from| from.split_once('/'));
    parts.map_or((0, ""), |(which, from)| (which.parse().unwrap_or(0), from))
}

fn group_messages(conn: &Connection, portion: &PersonPortion) -> Outcome<PersonErased> {
    let from = portion.from.as_deref().unwrap_or_default();
    let mut select = conn.prepare_cached(GROUP_MESSAGES)?;
    let mut rows = select.query(params![portion.tenant_id.to_string(), from, portion.limit])?;
    let (mut theirs, mut last, mut count) = (Vec::new(), None, 0);
    while let Some(row) = rows.next()? {
        count += 1;
        last = id_of(row).or(last);
        let seen = readable("message", row, seen(row));
        theirs.extend(seen.filter(|seen| seen.sender.as_deref().is_some_and(|sender| portion.person.has(sender))));
    }
    drop(rows);
    let mut done = delete(conn, portion, theirs)?;
    done.next = last.filter(|_| count >= portion.limit);
    Ok(done)
}

/// Deletes those that are settled, and tells the others.
fn delete(conn: &Connection, portion: &PersonPortion, theirs: Vec<Seen>) -> Outcome<PersonErased> {
    let theirs = theirs.into_iter().filter(|seen| seen.created_at < portion.before);
    let (open, settled): (Vec<Seen>, Vec<Seen>) = theirs.partition(|seen| seen.status.is_unsettled());
    let settled = settled.into_iter().map(|seen| (seen.seq, Some(seen.id)));
    Ok(PersonErased {
        erased: delete_messages(conn, &portion.tenant_id.to_string(), settled.collect())?,
        open: open.iter().filter_map(|seen| MessageId::parse(&seen.id).ok()).collect(),
        next: None,
    })
}

fn reports(conn: &Connection, portion: &PersonPortion) -> Outcome<PersonErased> {
    let tenant_id = portion.tenant_id.to_string();
    let (message_id, digest) = portion
        .from
        .as_deref()
        .and_then(|from| from.split_once('/'))
        .unwrap_or_default();
    let mut select = conn.prepare_cached(REPORTS)?;
    let mut rows = select.query(params![tenant_id, message_id, digest, portion.limit])?;
    let (mut theirs, mut last, mut walk) = (Vec::new(), None, Walk::new(portion.limit));
    while !walk.is_full()
        && let Some(row) = rows.next()?
    {
        walk.count += 1;
        let Some((message_id, digest)) = readable("status", row, report_id(row)) else {
            continue;
        };
        last = Some(format!("{message_id}/{digest}"));
        let read = readable("status", row, report(row, portion));
        let (is_theirs, bytes) = read.unwrap_or_default();
        walk.bytes += bytes;
        if is_theirs {
            theirs.push((message_id, digest));
        }
    }
    drop(rows);
    let mut delete =
        conn.prepare_cached("DELETE FROM statuses WHERE tenant_id = ? AND message_id = ? AND digest = ?")?;
    let mut done = PersonErased::default();
    for (message_id, digest) in theirs {
        done.erased += delete.execute(params![tenant_id, message_id, digest])? as u64;
    }
    done.next = last.filter(|_| walk.is_full());
    Ok(done)
}

fn report_id(row: &Row<'_>) -> Read<(String, String)> {
    let mut cells = Cells::of(row);
    Ok((cells.get()?, cells.get()?))
}

/// True for a report that names the person and came in time; and the bytes that were looked through.
fn report(row: &Row<'_>, portion: &PersonPortion) -> Read<(bool, usize)> {
    let mut cells = Cells::from(row, 2);
    let received_at = cells.time()?;
    let participant: Option<String> = cells.get()?;
    let (raw, frame): (String, Option<String>) = (cells.get()?, cells.get()?);
    let person = &portion.person;
    let is_named = participant.is_some_and(|text| person.has(&text))
        || person.are_named_in(&raw)
        || frame.as_deref().is_some_and(|text| person.are_named_in(text));
    let bytes = raw.len() + frame.map_or(0, |frame| frame.len());
    Ok((is_named && received_at < portion.before, bytes))
}

fn events(conn: &Connection, portion: &PersonPortion, owner: Option<&str>) -> Outcome<PersonErased> {
    let from = portion.from.as_deref().unwrap_or_default();
    let mut select = conn.prepare_cached(EVENTS)?;
    let mut rows = select.query(params![owner, from, portion.limit])?;
    let (mut theirs, mut last, mut walk) = (Vec::new(), None, Walk::new(portion.limit));
    while !walk.is_full()
        && let Some(row) = rows.next()?
    {
        walk.count += 1;
        last = id_of(row).or(last);
        let (is_theirs, bytes) =
            readable("event", row, event(row, &portion.person, portion.before)).unwrap_or_default();
        walk.bytes += bytes;
        if is_theirs {
            theirs.push(number(row, 1)?);
        }
    }
    drop(rows);
    let mut delete = conn.prepare_cached("DELETE FROM events WHERE seq = ?")?;
    let mut done = PersonErased::default();
    for seq in theirs {
        done.erased += delete.execute([seq])? as u64;
    }
    done.next = last.filter(|_| walk.is_full());
    Ok(done)
}

fn event(row: &Row<'_>, person: &PersonIds, before: Timestamp) -> Read<(bool, usize)> {
    let mut cells = Cells::from(row, 2);
    let received_at = cells.time()?;
    let raw: String = cells.get()?;
    Ok((received_at < before && person.are_named_in(&raw), raw.len()))
}

fn conversations(conn: &Connection, portion: &PersonPortion) -> Outcome<PersonErased> {
    let tenant_id = portion.tenant_id.to_string();
    let before = portion.before.as_millis();
    let mut done = PersonErased::default();
    for id in portion.person.ids() {
        done.erased += opt_outs::forget_person(conn, &tenant_id, id, portion.before)?;
        for id in conversations_of(conn, &tenant_id, id)? {
            conn.prepare_cached(FORGET_KEYS)?.execute(params![tenant_id, id])?;
            let forgotten = conn
                .prepare_cached(FORGET_CONVERSATION)?
                .execute(params![tenant_id, id, before])?;
            if forgotten == 0 {
                conn.prepare_cached(EMPTY_CONVERSATION)?
                    .execute(params![tenant_id, id])?;
            }
            done.erased += 1;
        }
    }
    Ok(done)
}

fn conversations_of(conn: &Connection, tenant_id: &str, id: &WaId) -> Outcome<Vec<String>> {
    let mut select = conn.prepare_cached(CONVERSATIONS)?;
    let mut rows = select.query(params![tenant_id, id.as_str(), CONVERSATIONS_MAX])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(id_of(row));
    }
    Ok(found)
}

fn id_of(row: &Row<'_>) -> Option<String> {
    readable("record", row, Cells::of(row).get())
}

/// How much was looked at.
struct Walk {
    limit: u32,
    count: u32,
    bytes: usize,
}

impl Walk {
    const fn new(limit: u32) -> Self {
        Self {
            limit,
            count: 0,
            bytes: 0,
        }
    }

    const fn is_full(&self) -> bool {
        self.count >= self.limit || self.bytes >= LOOKED_AT_BYTES_MAX
    }
}
