//! Tenants, their numbers and those they gave up: three tables, always written and read together.

use async_trait::async_trait;
use dakghar_core::domain::api_key::KeyUse;
use dakghar_core::domain::country::Country;
use dakghar_core::domain::hold::{Hold, HoldReason};
use dakghar_core::domain::ids::{PhoneNumberId, TenantId, WabaId};
use dakghar_core::domain::leaving::Leaving;
use dakghar_core::domain::limits::{TenantLimit, TenantLimits};
use dakghar_core::domain::message::{LetterClass, UnknownOutcome};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit};
use dakghar_core::domain::tenant::{PhoneNumber, Tenant};
use dakghar_core::domain::webhook::WebhookEvent;
use dakghar_core::ports::{StoreError, TenantSaved, TenantStore};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read, asked_for, number as number_of, readable};
use super::events::record;
use super::failure::Outcome;
use super::key_uses;
use super::owners::{owner, owners_of_waba, past_owners};
use super::rows::millis;
use super::texts::before_text;
use crate::stored::{api_keys, auto_redrive, known_token, sending_rules, standing};

pub(super) const COLUMNS: &str = "id, name, callback_url, api_key_hash, wrapped_data_key, hold_reason, hold_since, \
    hold_probe_at, unknown_outcome, created_at, updated_at, removed_at, version, requests_per_second, messages_waiting, \
    calls_under_way, retention_days, failed_days, expired_days, unknown_days, given_up_days, \
    content_days, feed_days, auto_redrive, sending_rules, leaving, keys, key_uses";

const NUMBER_COLUMNS: &str = "phone_number_id, waba_id, display_phone_number, sealed_token, simulated, \
    messages_per_second, hold_reason, hold_since, hold_probe_at, token_refusals, \
    waba_is_learned, token, default_country, sealed_pin, standing";

/// Stands where earlier releases had the hash of the only key.
const NO_HASH: [u8; 0] = [];

const DELETE_PAST: &str = "DELETE FROM past_numbers WHERE tenant_id = ?";

#[async_trait]
impl TenantStore for SqliteStore {
    async fn insert(&self, tenant: &Tenant) -> Result<TenantSaved, StoreError> {
        let tenant = tenant.clone();
        self.writer.run(move |conn| insert(conn, &tenant)).await
    }

    async fn save(&self, tenant: &Tenant, told: &[WebhookEvent]) -> Result<TenantSaved, StoreError> {
        let (tenant, told) = (tenant.clone(), told.to_vec());
        let save = move |conn: &Connection| {
            let saved = save(conn, &tenant)?;
            if saved == TenantSaved::Done {
                record(conn, &told)?;
            }
            Ok(saved)
        };
        self.writer.run(save).await
    }

    async fn find_all(&self, ids: &[TenantId]) -> Vec<Result<Option<Tenant>, StoreError>> {
        let (wanted, count) = (ids.to_vec(), ids.len());
        let found = self.delivery.run(move |conn| find_all(conn, &wanted)).await;
        found.unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn list(&self, before: Option<TenantId>, limit: PageLimit) -> Result<Listed<Tenant>, StoreError> {
        self.lists.run(move |conn| list(conn, before, limit)).await
    }

    async fn owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Vec<Result<Option<TenantId>, StoreError>> {
        let (count, numbers) = (numbers.len(), numbers.to_vec());
        let found = self
            .delivery
            .run(move |conn| numbers.iter().map(|number| owner(conn, number)).collect())
            .await;
        found.unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn past_owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Result<Vec<Vec<TenantId>>, StoreError> {
        let numbers = numbers.to_vec();
        self.delivery
            .run(move |conn| numbers.iter().map(|number| past_owners(conn, number)).collect())
            .await
    }

    async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<TenantId>, StoreError> {
        let waba_id = waba_id.clone();
        self.delivery.run(move |conn| owners_of_waba(conn, &waba_id)).await
    }

    async fn note_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        self.writer.run(move |conn| key_uses::note(conn, &uses)).await
    }

    async fn remove(&self, id: &TenantId) -> Result<(), StoreError> {
        let id = *id;
        self.writer.run(move |conn| remove(conn, id)).await?;
        self.writer.empty_log().await;
        Ok(())
    }
}

/// Stores a new tenant.
pub(super) fn insert(conn: &Connection, tenant: &Tenant) -> Outcome<TenantSaved> {
    let id = tenant.id.to_string();
    if conn
        .prepare_cached("SELECT 1 FROM tenants WHERE id = ?")?
        .exists([&id])?
    {
        return Ok(TenantSaved::Stale);
    }
    if let Some(taken) = taken(conn, tenant)? {
        return Ok(taken);
    }
    conn.prepare_cached(&format!(
        "INSERT INTO tenants ({COLUMNS}) VALUES ({})",
        vec!["?"; COLUMNS.split(',').count()].join(", ")
    ))?
    .execute(params![
        id,
        tenant.name,
        tenant.callback_url,
        NO_HASH,
        tenant.wrapped_data_key,
        tenant.hold.map(|hold| hold.reason.as_str()),
        tenant.hold.map(|hold| hold.since.as_millis()),
        millis(tenant.hold.and_then(|hold| hold.probe_at)),
        tenant.unknown_outcome.as_str(),
        tenant.created_at.as_millis(),
        tenant.updated_at.as_millis(),
        millis(tenant.removed_at),
        tenant.version.cast_signed(),
        tenant.limits.of(TenantLimit::RequestsPerSecond),
        tenant.limits.of(TenantLimit::MessagesWaiting),
        tenant.limits.of(TenantLimit::CallsUnderWay),
        tenant.limits.of(TenantLimit::RetentionDays),
        tenant.limits.of(TenantLimit::Letters(LetterClass::Failed)),
        tenant.limits.of(TenantLimit::Letters(LetterClass::Expired)),
        tenant.limits.of(TenantLimit::Letters(LetterClass::Unknown)),
        tenant.limits.of(TenantLimit::Letters(LetterClass::GivenUp)),
        tenant.limits.of(TenantLimit::ContentDays),
        tenant.limits.of(TenantLimit::FeedDays),
        auto_redrive::text_of(&tenant.auto),
        sending_rules::text_of(&tenant.rules),
        tenant.leaving.as_ref().map(Leaving::to_text),
        api_keys::text_of(&tenant.keys),
        key_uses::text_of(&tenant.keys),
    ])?;
    insert_numbers(conn, tenant)?;
    Ok(TenantSaved::Done)
}

/// Saves a tenant, without what is told of it.
pub(super) fn save(conn: &Connection, tenant: &Tenant) -> Outcome<TenantSaved> {
    let id = tenant.id.to_string();
    let version: Option<i64> = conn
        .prepare_cached("SELECT version FROM tenants WHERE id = ?")?
        .query_row([&id], |row| number_of(row, 0))
        .optional()?;
    if version != Some(tenant.version.cast_signed()) {
        return Ok(TenantSaved::Stale);
    }
    if let Some(taken) = taken(conn, tenant)? {
        return Ok(taken);
    }
    conn.prepare_cached(
        "UPDATE tenants SET name = ?, callback_url = ?, api_key_hash = ?, wrapped_data_key = ?, hold_reason = ?, \
             hold_since = ?, hold_probe_at = ?, unknown_outcome = ?, updated_at = ?, removed_at = ?, requests_per_second = ?, \
             messages_waiting = ?, calls_under_way = ?, retention_days = ?, failed_days = ?, expired_days = ?, unknown_days = ?, \
             given_up_days = ?, content_days = ?, feed_days = ?, auto_redrive = ?, sending_rules = ?, leaving = ?, keys = ?, key_uses = ?, \
             version = version + 1 \
         WHERE id = ?",
    )?
    .execute(params![
        tenant.name,
        tenant.callback_url,
        NO_HASH,
        tenant.wrapped_data_key,
        tenant.hold.map(|hold| hold.reason.as_str()),
        tenant.hold.map(|hold| hold.since.as_millis()),
        millis(tenant.hold.and_then(|hold| hold.probe_at)),
        tenant.unknown_outcome.as_str(),
        tenant.updated_at.as_millis(),
        millis(tenant.removed_at),
        tenant.limits.of(TenantLimit::RequestsPerSecond),
        tenant.limits.of(TenantLimit::MessagesWaiting),
        tenant.limits.of(TenantLimit::CallsUnderWay),
        tenant.limits.of(TenantLimit::RetentionDays),
        tenant.limits.of(TenantLimit::Letters(LetterClass::Failed)),
        tenant.limits.of(TenantLimit::Letters(LetterClass::Expired)),
        tenant.limits.of(TenantLimit::Letters(LetterClass::Unknown)),
        tenant.limits.of(TenantLimit::Letters(LetterClass::GivenUp)),
        tenant.limits.of(TenantLimit::ContentDays),
        tenant.limits.of(TenantLimit::FeedDays),
        auto_redrive::text_of(&tenant.auto),
        sending_rules::text_of(&tenant.rules),
        tenant.leaving.as_ref().map(Leaving::to_text),
        api_keys::text_of(&tenant.keys),
        key_uses::text_of(&tenant.keys),
        id,
    ])?;
    conn.prepare_cached("DELETE FROM phone_numbers WHERE tenant_id = ?")?
        .execute([&id])?;
    conn.prepare_cached(DELETE_PAST)?.execute([&id])?;
    insert_numbers(conn, tenant)?;
    Ok(TenantSaved::Done)
}

/// The first number of the tenant that belongs to another one.
fn taken(conn: &Connection, tenant: &Tenant) -> Outcome<Option<TenantSaved>> {
    for number in &tenant.phone_numbers {
        // A number whose owner cannot be read belongs to somebody.
        let is_own = |owner: Option<TenantId>| owner.is_none_or(|owner| owner == tenant.id);
        if !owner(conn, &number.phone_number_id)?.is_ok_and(is_own) {
            return Ok(Some(TenantSaved::PhoneNumberTaken(number.phone_number_id.clone())));
        }
    }
    Ok(None)
}

fn insert_numbers(conn: &Connection, tenant: &Tenant) -> Outcome<()> {
    let mut insert = conn.prepare_cached(&format!(
        "INSERT INTO phone_numbers (tenant_id, position, {NUMBER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ))?;
    let id = tenant.id.to_string();
    for (position, number) in (0_i64..).zip(&tenant.phone_numbers) {
        insert.execute(params![
            id,
            position,
            number.phone_number_id.as_str(),
            number.waba_id.as_ref().map(WabaId::as_str),
            number.display_phone_number,
            number.sealed_token,
            number.simulated,
            number.messages_per_second,
            number.hold.map(|hold| hold.reason.as_str()),
            number.hold.map(|hold| hold.since.as_millis()),
            millis(number.hold.and_then(|hold| hold.probe_at)),
            number.token_refusals,
            number.waba_is_learned,
            number.token.as_ref().map(known_token::text_of),
            number.default_country.map(Country::as_str),
            number.sealed_pin,
            standing::text_of(&number.standing),
        ])?;
    }
    let mut insert =
        conn.prepare_cached("INSERT INTO past_numbers (tenant_id, position, phone_number_id) VALUES (?, ?, ?)")?;
    for (position, number) in (0_i64..).zip(&tenant.past_numbers) {
        insert.execute(params![id, position, number.as_str()])?;
    }
    Ok(())
}

fn find_all(conn: &Connection, ids: &[TenantId]) -> Outcome<Vec<Result<Option<Tenant>, StoreError>>> {
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM tenants WHERE id = ?"))?;
    ids.iter()
        .map(|id| {
            let mut found = select.query([id.to_string()])?;
            let Some(row) = found.next()? else { return Ok(Ok(None)) };
            Ok(asked_for("tenant", row, tenant(conn, row)?).map(Some))
        })
        .collect()
}

fn list(conn: &Connection, before: Option<TenantId>, limit: PageLimit) -> Outcome<Listed<Tenant>> {
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM tenants WHERE id < ? ORDER BY id DESC"))?;
    let mut rows = select.query([before_text(before)])?;
    let mut page = PageFill::new(limit);
    while let Some(row) = rows.next()? {
        if page.is_full() {
            return Ok(page.more());
        }
        if let Some(tenant) = readable("tenant", row, tenant(conn, row)?) {
            page.push(tenant);
        }
    }
    Ok(page.end())
}

fn remove(conn: &Connection, id: TenantId) -> Outcome<()> {
    let id = id.to_string();
    conn.prepare_cached("DELETE FROM phone_numbers WHERE tenant_id = ?")?
        .execute([&id])?;
    conn.prepare_cached(DELETE_PAST)?.execute([&id])?;
    conn.prepare_cached("DELETE FROM tenants WHERE id = ?")?
        .execute([&id])?;
    Ok(())
}

/// Reads a tenant and its numbers, which are rows of another table.
pub(super) fn tenant(conn: &Connection, row: &Row<'_>) -> Outcome<Read<Tenant>> {
    let id = match Cells::of(row).parse(TenantId::parse) {
        Ok(id) => id,
        Err(damaged) => return Ok(Err(damaged)),
    };
    let (numbers, past) = (numbers(conn, id)?, past_numbers(conn, id)?);
    Ok(numbers.and_then(|numbers| with_numbers(row, numbers, past?)))
}

fn with_numbers(row: &Row<'_>, phone_numbers: Vec<PhoneNumber>, past_numbers: Vec<PhoneNumberId>) -> Read<Tenant> {
    let mut cells = Cells::of(row);
    let cells = &mut cells;
    let id = cells.parse(TenantId::parse)?;
    let (name, callback_url) = (cells.get()?, cells.get()?);
    let hash: Vec<u8> = cells.get()?;
    let (wrapped_data_key, hold) = (cells.get()?, hold(cells)?);
    let unknown_outcome = cells.parse(UnknownOutcome::parse)?;
    let created_at = cells.time()?;
    Ok(Tenant {
        id,
        name,
        callback_url,
        wrapped_data_key,
        hold,
        unknown_outcome,
        created_at,
        updated_at: cells.time()?,
        removed_at: cells.maybe_time()?,
        version: cells.count()?,
        limits: limits(cells)?,
        auto: cells.maybe_parse(auto_redrive::parse)?.unwrap_or_default(),
        rules: cells.maybe_parse(sending_rules::parse)?.unwrap_or_default(),
        leaving: cells.maybe_parse(Leaving::parse)?,
        keys: key_uses::keys(cells, &id, hash, created_at)?,
        phone_numbers,
        past_numbers,
    })
}

/// The limits, whose columns are in the order of them all.
fn limits(cells: &mut Cells<'_>) -> Read<TenantLimits> {
    let mut limits = TenantLimits::default();
    for limit in TenantLimit::ALL {
        limits.set(limit, cells.get()?);
    }
    Ok(limits)
}

/// All numbers that a tenant gave up, or why one of them cannot be read.
fn past_numbers(conn: &Connection, id: TenantId) -> Outcome<Read<Vec<PhoneNumberId>>> {
    let mut select =
        conn.prepare_cached("SELECT phone_number_id FROM past_numbers WHERE tenant_id = ? ORDER BY position")?;
    let mut rows = select.query([id.to_string()])?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next()? {
        match Cells::of(row).parse(PhoneNumberId::parse) {
            Ok(number) => numbers.push(number),
            Err(damaged) => return Ok(Err(damaged)),
        }
    }
    Ok(Ok(numbers))
}

/// All numbers of a tenant, or why one of them cannot be read.
fn numbers(conn: &Connection, id: TenantId) -> Outcome<Read<Vec<PhoneNumber>>> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT {NUMBER_COLUMNS} FROM phone_numbers WHERE tenant_id = ? ORDER BY position"
    ))?;
    let mut rows = select.query([id.to_string()])?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next()? {
        numbers.push(number(row));
    }
    Ok(numbers.into_iter().collect())
}

fn number(row: &Row<'_>) -> Read<PhoneNumber> {
    let mut cells = Cells::of(row);
    let cells = &mut cells;
    Ok(PhoneNumber {
        phone_number_id: cells.parse(PhoneNumberId::parse)?,
        waba_id: cells.maybe_parse(WabaId::parse)?,
        display_phone_number: cells.get()?,
        sealed_token: cells.get()?,
        simulated: cells.get()?,
        messages_per_second: cells.get()?,
        hold: hold(cells)?,
        token_refusals: cells.get()?,
        waba_is_learned: cells.get()?,
        token: cells.maybe_parse(known_token::parse)?,
        default_country: cells.maybe_parse(Country::parse)?,
        sealed_pin: cells.get()?,
        standing: cells.maybe_parse(standing::parse)?.unwrap_or_default(),
    })
}

fn hold(cells: &mut Cells<'_>) -> Read<Option<Hold>> {
    let reason = cells.maybe_parse(HoldReason::parse)?;
    let since = cells.maybe_time()?;
    let probe_at = cells.maybe_time()?;
    let Some(reason) = reason else { return Ok(None) };
    let since = since.ok_or_else(|| Damaged("a hold does not say since when".into()))?;
    Ok(Some(Hold {
        reason,
        since,
        probe_at,
    }))
}
