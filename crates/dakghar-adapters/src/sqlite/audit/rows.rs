//! Records as rows.

use dakghar_core::domain::audit::AuditRecord;
use dakghar_core::domain::ids::{AuditId, TenantId};
use rusqlite::Row;

use crate::sqlite::cells::{Cells, Damaged, Read};

/// Its columns are in the order in which [`record`] reads them.
pub(in crate::sqlite) const WALK: &str = "\
    SELECT id, number, at, tenant_id, actor, action, text, previous, hash FROM audit \
    WHERE number > ? ORDER BY number LIMIT ?";

/// Reads a record.
pub(in crate::sqlite) fn record(row: &Row<'_>) -> Read<AuditRecord> {
    let mut cells = Cells::of(row);
    Ok(AuditRecord {
        id: cells.parse(AuditId::parse)?,
        number: cells.count()?,
        at: cells.time()?,
        tenant_id: cells.maybe_parse(TenantId::parse)?,
        actor: cells.get()?,
        action: cells.get()?,
        text: cells.get()?,
        previous: hash(&mut cells)?,
        hash: hash(&mut cells)?,
    })
}

/// Reads a hash.
pub(super) fn hash(cells: &mut Cells<'_>) -> Read<[u8; 32]> {
    let bytes: Vec<u8> = cells.get()?;
    let hash = bytes.try_into();
    hash.map_err(|_| Damaged("a hash has not 32 bytes".into()))
}
