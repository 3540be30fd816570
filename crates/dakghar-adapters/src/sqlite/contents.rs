//! Removing the contents of old messages, and the events that tell contents, from the oldest that has one on.
//!
//! The place up to which that is done is in `content_walks`, so a walk does not begin at the oldest record each hour. It
//! does not move past a record that will lose its content later: one that is not settled, or changed since.

use dakghar_core::domain::amendment::KEPT_LONGER;
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::message::{REMOVED_BODY, Status};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::domain::webhook::tells_contents;
use dakghar_core::ports::{AgedPortion, ErasedPortion};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::cells::{Cells, Damaged, Read, number, readable};
use super::events::delete as delete_events;
use super::failure::Outcome;
use super::walk::{Walk, id_of};
use crate::stored::id_time::behind_ids_until;

pub(super) const MESSAGES: &str = "\
    SELECT id, seq, octet_length(body), status, updated_at, content_removed_at FROM messages INDEXED BY messages_by_id \
    WHERE tenant_id = ? AND id > ? AND id < ? ORDER BY id LIMIT ?";

pub(super) const EVENTS: &str = "\
    SELECT id, seq, octet_length(raw), received_at, field, amends IS NOT NULL, raw FROM events INDEXED BY events_newest \
    WHERE tenant_id IS ? AND id > ? ORDER BY id LIMIT ?";

const REMOVE: &str = "\
    UPDATE messages SET body = ?, envelope = NULL, frame = NULL, content_removed_at = ?, version = version + 1 WHERE seq = ?";

const UP_TO: &str = "SELECT up_to FROM content_walks WHERE tenant_id = ? AND kind = ?";
const MOVE_UP: &str = "\
    INSERT INTO content_walks (tenant_id, kind, up_to) VALUES (?1, ?2, ?3) \
    ON CONFLICT (tenant_id, kind) DO UPDATE SET up_to = ?3";

/// Whose walk it is, and which.
struct Whose<'a> {
    tenant_id: &'a str,
    kind: &'static str,
}

impl Whose<'_> {
    fn up_to(&self, conn: &Connection) -> Outcome<String> {
        let mut select = conn.prepare_cached(UP_TO)?;
        let found = select.query_row([self.tenant_id, self.kind], |row| Ok(Cells::of(row).get::<String>()));
        Ok(found
            .optional()?
            .transpose()
            .map_err(Damaged::stops_all)?
            .unwrap_or_default())
    }

    fn move_up(&self, conn: &Connection, up_to: &str) -> Outcome<()> {
        conn.prepare_cached(MOVE_UP)?
            .execute([self.tenant_id, self.kind, up_to])?;
        Ok(())
    }
}

/// A record, as a walk sees it.
enum Seen {
    /// It has nothing to lose, now and later.
    Through,
    /// It is old, and loses its content.
    Old,
    /// It will be old.
    Young,
    /// It and all behind it are young.
    End,
}

/// The records without a gap, from where an earlier walk came to.
struct Mark {
    up_to: String,
    goes_on: bool,
}

impl Mark {
    fn see(&mut self, id: Option<&String>, seen: &Seen) {
        self.goes_on &= matches!(seen, Seen::Through | Seen::Old);
        if let Some(id) = id.filter(|_| self.goes_on) {
            self.up_to.clone_from(id);
        }
    }
}

/// Walks the rows of a selection, which begin with the id, the seq and the bytes, and returns the seqs of those that are old.
fn walk(
    conn: &Connection,
    whose: &Whose<'_>,
    portion: &AgedPortion,
    mut rows_behind: impl FnMut(&str, &mut dyn FnMut(&Row<'_>) -> Outcome<bool>) -> Outcome<()>,
    judge: impl Fn(&Row<'_>) -> Seen,
) -> Outcome<(Vec<i64>, ErasedPortion)> {
    let kept = whose.up_to(conn)?;
    let from = portion.from.clone().unwrap_or_else(|| kept.clone());
    let mut mark = Mark {
        goes_on: from == kept,
        up_to: kept.clone(),
    };
    let mut walk = Walk::new(portion);
    let mut old = Vec::new();
    let mut has_ended = false;
    rows_behind(&from, &mut |row| {
        let seen = judge(row);
        if matches!(seen, Seen::End) {
            has_ended = true;
            return Ok(false);
        }
        let id = id_of("record", row);
        mark.see(id.as_ref(), &seen);
        let is_old = matches!(seen, Seen::Old);
        walk.pass(id, if is_old { number(row, 2)? } else { 0 });
        if is_old {
            old.push(number(row, 1)?);
        }
        Ok(!walk.is_full())
    })?;
    if mark.up_to != kept {
        whose.move_up(conn, &mark.up_to)?;
    }
    walk.erased = old.len() as u64;
    let done = walk.end();
    let next = done.next.filter(|_| !has_ended);
    Ok((old, ErasedPortion { next, ..done }))
}

/// Removes the contents of messages that ended before the portion does.
pub(super) fn remove(
    conn: &Connection,
    tenant_id: TenantId,
    portion: &AgedPortion,
    removed_at: Timestamp,
) -> Outcome<ErasedPortion> {
    let tenant_id = tenant_id.to_string();
    let whose = Whose {
        tenant_id: &tenant_id,
        kind: "messages",
    };
    let until = behind_ids_until(portion.before);
    let rows_behind = |from: &str, each: &mut dyn FnMut(&Row<'_>) -> Outcome<bool>| {
        let mut select = conn.prepare_cached(MESSAGES)?;
        let mut rows = select.query(params![tenant_id, from, until, portion.limit])?;
        while let Some(row) = rows.next()? {
            if !each(row)? {
                break;
            }
        }
        Ok(())
    };
    let judge = |row: &Row<'_>| readable("message", row, message(row, portion.before)).unwrap_or(Seen::Through);
    let (old, done) = walk(conn, &whose, portion, rows_behind, judge)?;
    let mut remove = conn.prepare_cached(REMOVE)?;
    for seq in old {
        remove.execute(params![REMOVED_BODY, removed_at.as_millis(), seq])?;
    }
    Ok(done)
}

fn message(row: &Row<'_>, before: Timestamp) -> Read<Seen> {
    let mut cells = Cells::from(row, 3);
    let status = cells.parse(Status::parse)?;
    let changed_at = cells.time()?;
    Ok(match cells.maybe_time()? {
        Some(_) => Seen::Through,
        None if !status.is_unsettled() && changed_at < before => Seen::Old,
        None => Seen::Young,
    })
}

/// Deletes events that tell contents and were received before the portion does. What amends a message stays longer.
pub(super) fn erase_written(conn: &Connection, portion: &AgedPortion) -> Outcome<ErasedPortion> {
    let tenant_id = portion.tenant_id.map(|id| id.to_string());
    let whose = Whose {
        tenant_id: tenant_id.as_deref().unwrap_or_default(),
        kind: "events",
    };
    let rows_behind = |from: &str, each: &mut dyn FnMut(&Row<'_>) -> Outcome<bool>| {
        let mut select = conn.prepare_cached(EVENTS)?;
        let mut rows = select.query(params![tenant_id, from, portion.limit])?;
        while let Some(row) = rows.next()? {
            if !each(row)? {
                break;
            }
        }
        Ok(())
    };
    let judge = |row: &Row<'_>| readable("event", row, event(row, portion.before)).unwrap_or(Seen::Through);
    let (old, done) = walk(conn, &whose, portion, rows_behind, judge)?;
    let erased = delete_events(conn, &old)?;
    Ok(ErasedPortion { erased, ..done })
}

fn event(row: &Row<'_>, before: Timestamp) -> Read<Seen> {
    let mut cells = Cells::from(row, 3);
    let received_at = cells.time()?;
    let field: String = cells.get()?;
    let is_amendment: bool = cells.get()?;
    let raw: String = cells.get()?;
    // Ids are in the order of time.
    if received_at >= before {
        return Ok(Seen::End);
    }
    let is_kept_longer = is_amendment && received_at >= before - KEPT_LONGER;
    Ok(match tells_contents(&field, is_amendment, &raw) {
        false => Seen::Through,
        true if is_kept_longer => Seen::Young,
        true => Seen::Old,
    })
}
