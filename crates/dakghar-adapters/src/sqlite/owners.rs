//! The owners of numbers and accounts, past and present.

use dakghar_core::domain::ids::{PhoneNumberId, TenantId, WabaId};
use dakghar_core::ports::StoreError;
use rusqlite::Connection;

use super::cells::{Cells, asked_for, readable};
use super::failure::Outcome;

pub(super) fn owner(conn: &Connection, number: &PhoneNumberId) -> Outcome<Result<Option<TenantId>, StoreError>> {
    let mut select = conn.prepare_cached("SELECT tenant_id FROM phone_numbers WHERE phone_number_id = ?")?;
    let mut found = select.query([number.as_str()])?;
    let Some(row) = found.next()? else { return Ok(Ok(None)) };
    Ok(asked_for("phone number", row, Cells::of(row).parse(TenantId::parse)).map(Some))
}

pub(super) fn past_owners(conn: &Connection, number: &PhoneNumberId) -> Outcome<Vec<TenantId>> {
    let mut select = conn.prepare_cached(
        "SELECT tenant_id FROM past_numbers INDEXED BY past_numbers_by_number WHERE phone_number_id = ?",
    )?;
    let mut rows = select.query([number.as_str()])?;
    let mut owners = Vec::new();
    while let Some(row) = rows.next()? {
        owners.extend(readable("past number", row, Cells::of(row).parse(TenantId::parse)));
    }
    Ok(owners)
}

pub(super) fn owners_of_waba(conn: &Connection, waba_id: &WabaId) -> Outcome<Vec<TenantId>> {
    let mut select = conn.prepare_cached(
        "SELECT DISTINCT tenant_id FROM phone_numbers INDEXED BY phone_numbers_of_waba WHERE waba_id = ? \
         ORDER BY tenant_id",
    )?;
    let mut rows = select.query([waba_id.as_str()])?;
    let mut owners = Vec::new();
    while let Some(row) = rows.next()? {
        owners.extend(readable("phone number", row, Cells::of(row).parse(TenantId::parse)));
    }
    Ok(owners)
}
