//! The chain in the file: appending to its end, and dropping from its beginning.

use dakghar_core::domain::audit::{AuditChain, AuditEntry, AuditRecord, ChainLink};
use dakghar_core::domain::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::rows::{WALK, hash, record};
use crate::sqlite::cells::{Cells, Damaged, Read, readable};
use crate::sqlite::failure::Outcome;

const FIND: &str = "SELECT anchor_number, anchor_hash, head_number, head_hash FROM audit_chain";
const KEEP: &str = "\
    INSERT OR REPLACE INTO audit_chain (one, anchor_number, anchor_hash, head_number, head_hash) VALUES (1, ?, ?, ?, ?)";
const INSERT: &str = "\
    INSERT INTO audit (id, number, at, tenant_id, actor, action, text, previous, hash) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
const DROP: &str = "DELETE FROM audit WHERE number <= ?";

/// Where the chain begins and ends. Where that cannot be read nothing is appended: it would hide what is wrong.
pub(in crate::sqlite) fn chain(conn: &Connection) -> Outcome<AuditChain> {
    let mut select = conn.prepare_cached(FIND)?;
    let mut found = select.query([])?;
    match found.next()? {
        Some(row) => read(row).map_err(Damaged::stops_all),
        None => Ok(AuditChain::default()),
    }
}

fn read(row: &Row<'_>) -> Read<AuditChain> {
    let mut cells = Cells::of(row);
    let mut link = || {
        Ok(ChainLink {
            number: cells.count()?,
            hash: hash(&mut cells)?,
        })
    };
    Ok(AuditChain {
        anchor: link()?,
        head: link()?,
    })
}

fn keep(conn: &Connection, chain: &AuditChain) -> Outcome<()> {
    conn.prepare_cached(KEEP)?.execute(params![
        chain.anchor.number.cast_signed(),
        chain.anchor.hash,
        chain.head.number.cast_signed(),
        chain.head.hash,
    ])?;
    Ok(())
}

/// Appends a record behind the end.
pub(super) fn append(conn: &Connection, entry: &AuditEntry) -> Outcome<()> {
    let mut chain = chain(conn)?;
    let record = AuditRecord::behind(&chain.head, entry);
    conn.prepare_cached(INSERT)?.execute(params![
        record.id.to_string(),
        record.number.cast_signed(),
        record.at.as_millis(),
        record.tenant_id.map(|id| id.to_string()),
        record.actor,
        record.action,
        record.text,
        record.previous,
        record.hash,
    ])?;
    chain.head = record.link();
    keep(conn, &chain)
}

/// Drops what is older, from the beginning on.
pub(super) fn drop_older(conn: &Connection, before: Timestamp, limit: u32) -> Outcome<u64> {
    let mut chain = chain(conn)?;
    let from = chain.anchor;
    {
        let mut select = conn.prepare_cached(WALK)?;
        let mut rows = select.query(params![from.number.cast_signed(), limit])?;
        while let Some(row) = rows.next()? {
            let oldest = readable("audit record", row, record(row));
            let follows = |record: &AuditRecord| record.number == chain.anchor.number + 1 && record.at < before;
            let Some(oldest) = oldest.filter(follows) else { break };
            chain.anchor = oldest.link();
        }
    }
    if chain.anchor == from {
        return Ok(0);
    }
    conn.prepare_cached(DROP)?
        .execute([chain.anchor.number.cast_signed()])?;
    keep(conn, &chain)?;
    Ok(chain.anchor.number - from.number)
}
