//! The answers of receivers of callbacks: one may hold anything, so all of a tenant's are emptied.

use dakghar_core::ports::{PersonErased, PersonPortion};
use rusqlite::{Connection, params};

use crate::sqlite::callbacks::without_answers;
use crate::sqlite::cells::{Cells, number, readable};
use crate::sqlite::failure::Outcome;

/// Whoever delivers finds its version stale, and reads anew what it had read before.
const MOVE_ON: &str = "UPDATE callback_progress SET version = version + 1 WHERE tenant_id = ?";

const EMPTY_EXCEPTIONS: &str = "\
    UPDATE callback_exceptions SET last_answer = NULL WHERE (endpoint_id, place) IN ( \
        SELECT endpoint_id, place FROM callback_exceptions INDEXED BY callback_exceptions_of_tenant \
        WHERE tenant_id = ?1 AND last_answer IS NOT NULL)";

pub(in crate::sqlite) const LOGS: &str = "\
    SELECT id, rowid, attempts FROM callback_attempts INDEXED BY callback_attempts_of_tenant \
    WHERE tenant_id = ?1 AND rowid > ?2 ORDER BY rowid LIMIT ?3";

/// Open and dead callbacks with the first portion; logs of attempts in the order in which they were noted.
pub(super) fn empty(conn: &Connection, portion: &PersonPortion) -> Outcome<PersonErased> {
    let tenant_id = portion.tenant_id.to_string();
    let mut done = PersonErased::default();
    if portion.from.is_none() {
        conn.prepare_cached(MOVE_ON)?.execute([&tenant_id])?;
        done.erased += conn.prepare_cached(EMPTY_EXCEPTIONS)?.execute([&tenant_id])? as u64;
    }
    let from: i64 = portion.from.as_deref().and_then(|from| from.parse().ok()).unwrap_or(0);
    let mut select = conn.prepare_cached(LOGS)?;
    let mut rows = select.query(params![tenant_id, from, portion.limit])?;
    let (mut logs, mut count) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        count += 1;
        let attempts: Option<String> = readable("log of attempts", row, Cells::from(row, 2).get());
        logs.push((number(row, 1)?, attempts));
    }
    drop(rows);
    let last = logs.last().map(|(rowid, _)| rowid.to_string());
    for (rowid, attempts) in logs {
        match attempts.map(|attempts| without_answers(&attempts)) {
            Some(Ok(None)) => {}
            Some(Ok(Some(emptied))) => {
                let sql = "UPDATE callback_attempts SET attempts = ? WHERE rowid = ?";
                done.erased += conn.prepare_cached(sql)?.execute(params![emptied, rowid])? as u64;
            }
            // It may hold answers, and nobody can read it.
            Some(Err(_)) | None => {
                let sql = "DELETE FROM callback_attempts WHERE rowid = ?";
                done.erased += conn.prepare_cached(sql)?.execute([rowid])? as u64;
            }
        }
    }
    done.next = last.filter(|_| count >= portion.limit);
    Ok(done)
}
