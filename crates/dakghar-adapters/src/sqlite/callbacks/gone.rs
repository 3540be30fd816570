//! Finding what is kept of endpoints that are gone.

use dakghar_core::domain::ids::{EndpointId, TenantId};
use dakghar_core::ports::GoneEndpoints;
use rusqlite::{Connection, OptionalExtension as _};

use crate::sqlite::cells::{Cells, Damaged, number};
use crate::sqlite::failure::Outcome;

/// The first endpoint behind another one, in each table: a step of its key for each endpoint, whatever is kept of it.
pub(in crate::sqlite) const NEXT: [&str; 2] = [
    "SELECT endpoint_id, tenant_id FROM callback_progress WHERE endpoint_id > ? ORDER BY endpoint_id LIMIT 1",
    "SELECT endpoint_id, tenant_id FROM callback_exceptions WHERE endpoint_id > ? ORDER BY endpoint_id LIMIT 1",
];
pub(in crate::sqlite) const IS_THERE: &str =
    "SELECT count(*) FROM endpoints WHERE tenant_id = ?1 AND coalesce(kept_under, id) = ?2";

pub(super) fn look_through(conn: &Connection, after: Option<EndpointId>, limit: u32) -> Outcome<GoneEndpoints> {
    let mut is_there = conn.prepare_cached(IS_THERE)?;
    let mut after = after.map_or_else(String::new, |after| after.to_string());
    let mut gone = GoneEndpoints {
        found: Vec::new(),
        next: None,
    };
    for _ in 0..limit {
        let Some((id, tenant_id)) = first_behind(conn, &after)? else {
            break;
        };
        if let (Ok(endpoint_id), Ok(tenant)) = (EndpointId::parse(&id), TenantId::parse(&tenant_id)) {
            gone.next = Some(endpoint_id);
            if is_there.query_row([&tenant_id, &id], |row| number(row, 0))? == 0 {
                gone.found.push((tenant, endpoint_id));
            }
        }
        after = id;
    }
    Ok(gone)
}

fn first_behind(conn: &Connection, after: &str) -> Outcome<Option<(String, String)>> {
    let mut first: Option<(String, String)> = None;
    for next in NEXT {
        let mut next = conn.prepare_cached(next)?;
        let found = next
            .query_row([after], |row| {
                let mut cells = Cells::of(row);
                Ok(cells.get().and_then(|id| Ok((id, cells.get()?))))
            })
            .optional()?;
        let found = found.transpose().map_err(Damaged::stops_all)?;
        first = first.into_iter().chain(found).min();
    }
    Ok(first)
}
