//! Endpoints of tenants.

use std::sync::LazyLock;

use async_trait::async_trait;
use dakghar_core::domain::callback::Replay;
use dakghar_core::domain::endpoint::{DeliveryOrder, DisabledReason, Endpoint, EndpointFormat, EndpointState};
use dakghar_core::domain::feed::{EntryFilter, KindPattern, Place};
use dakghar_core::domain::ids::{EndpointId, PhoneNumberId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::ports::{EndpointInserted, EndpointStore, Saved, StoreError};
use rusqlite::{Connection, Row, ToSql};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read, number, readable};
use super::failure::Outcome;
use super::records::Records;
use super::rows::millis;
use super::secrets::{secrets_of, secrets_text};
use crate::stored::replay::ReplayFields;

const ENDPOINTS: Records<Endpoint> = Records {
    name: "endpoint",
    read: endpoint,
};

/// In the order in which [`endpoint`] reads them.
pub(super) const COLUMNS: &str = "id, tenant_id, seat, url, format, kinds, phone_number_ids, delivery_order, \
    batch_max, per_second, concurrency, header_names, sealed_headers, secrets, sealed_verify_token, sealed_creation, state, \
    disabled_reason, disabled_at, start, replays, created_at, updated_at, version, \
    kept_under";

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let marks = vec!["?"; COLUMNS.split(',').count()].join(", ");
    format!("INSERT INTO endpoints ({COLUMNS}) VALUES ({marks}) ON CONFLICT DO NOTHING")
});

static SAVE: LazyLock<String> = LazyLock::new(|| {
    let marks = vec!["?"; COLUMNS.split(',').count()].join(", ");
    format!(
        "UPDATE endpoints SET ({COLUMNS}) = ({marks}) WHERE id = ?1 AND tenant_id = ?2 AND seat = ?3 AND version = ?26"
    )
});

const HAS: &str = "SELECT count(*) FROM endpoints WHERE id = ?";

static FIND: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM endpoints WHERE id = ? AND tenant_id = ?"));

pub(super) static OF_TENANT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM endpoints INDEXED BY endpoints_of_tenant WHERE tenant_id = ?"));

pub(super) static BEHIND: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM endpoints WHERE id > ? ORDER BY id"));

const REMOVE: &str = "DELETE FROM endpoints WHERE id = ?1 AND tenant_id = ?2 AND (?3 IS NULL OR version = ?3)";

#[async_trait]
impl EndpointStore for SqliteStore {
    async fn insert_endpoint(&self, endpoint: &Endpoint) -> Result<EndpointInserted, StoreError> {
        let endpoint = endpoint.clone();
        self.writer.run(move |conn| insert(conn, &endpoint)).await
    }

    async fn save_endpoint(&self, endpoint: &Endpoint) -> Result<Saved, StoreError> {
        let endpoint = endpoint.clone();
        self.writer.run(move |conn| save(conn, &endpoint)).await
    }

    async fn find_endpoint(&self, tenant_id: &TenantId, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        let key = [id.to_string(), tenant_id.to_string()];
        let find = move |conn: &Connection| ENDPOINTS.one(conn, &FIND, [&key[0], &key[1]]);
        self.delivery.run(find).await?.transpose()
    }

    async fn endpoints_of(&self, tenants: &[TenantId]) -> Result<Vec<Endpoint>, StoreError> {
        let tenants: Vec<String> = tenants.iter().map(ToString::to_string).collect();
        self.delivery
            .run(move |conn| {
                let mut select = conn.prepare_cached(&OF_TENANT)?;
                let mut found = Vec::new();
                for tenant_id in tenants {
                    let mut rows = select.query([tenant_id])?;
                    while let Some(row) = rows.next()? {
                        found.extend(readable("endpoint", row, endpoint(row)));
                    }
                }
                found.sort_by_key(|endpoint| endpoint.id);
                found.dedup_by_key(|endpoint| endpoint.id);
                Ok(found)
            })
            .await
    }

    async fn endpoints(&self, after: Option<EndpointId>, limit: PageLimit) -> Result<Listed<Endpoint>, StoreError> {
        self.delivery.run(move |conn| endpoints(conn, after, limit)).await
    }

    async fn remove_endpoint(
        &self,
        tenant_id: &TenantId,
        id: &EndpointId,
        version: Option<u64>,
    ) -> Result<bool, StoreError> {
        let (tenant_id, id) = (*tenant_id, *id);
        self.writer
            .run(move |conn| remove(conn, &tenant_id, &id, version))
            .await
    }
}

/// Stores a new endpoint.
pub(super) fn insert(conn: &Connection, endpoint: &Endpoint) -> Outcome<EndpointInserted> {
    let row = EndpointRow::of(endpoint, endpoint.version);
    if conn.prepare_cached(&INSERT)?.execute(&row.params()[..])? == 1 {
        return Ok(EndpointInserted::Done);
    }
    let known = conn.prepare_cached(HAS)?.query_row([&row.id], |row| number(row, 0))?;
    Ok(match known {
        0 => EndpointInserted::SeatTaken,
        _ => EndpointInserted::Stale,
    })
}

/// Saves an endpoint.
pub(super) fn save(conn: &Connection, endpoint: &Endpoint) -> Outcome<Saved> {
    let read = endpoint.version.cast_signed();
    let row = EndpointRow::of(endpoint, endpoint.version + 1);
    let mut params = row.params().to_vec();
    params.push(&read);
    let saved = conn.prepare_cached(&SAVE)?.execute(&params[..])?;
    Ok(if saved == 1 { Saved::Done } else { Saved::Stale })
}

/// Deletes an endpoint. Returns false if there was none such.
pub(super) fn remove(conn: &Connection, tenant_id: &TenantId, id: &EndpointId, version: Option<u64>) -> Outcome<bool> {
    let key = (id.to_string(), tenant_id.to_string(), version.map(u64::cast_signed));
    Ok(conn.prepare_cached(REMOVE)?.execute(key)? > 0)
}

fn endpoints(conn: &Connection, after: Option<EndpointId>, limit: PageLimit) -> Outcome<Listed<Endpoint>> {
    let after = after.map(|after| after.to_string()).unwrap_or_default();
    ENDPOINTS.page(conn, &BEHIND, [after], limit)
}

/// An endpoint as its row has it.
struct EndpointRow {
    id: String,
    tenant_id: String,
    url: String,
    names: [&'static str; 3],
    /// `kinds`, `phone_number_ids`, `header_names`, `secrets` and `replays`.
    lists: [String; 5],
    /// `seat`, `batch_max`, `per_second` and `concurrency`.
    numbers: [u32; 4],
    sealed: [Option<Vec<u8>>; 3],
    disabled: (Option<&'static str>, Option<i64>),
    start: i64,
    times: [i64; 2],
    version: i64,
    kept_under: String,
}

impl EndpointRow {
    fn of(endpoint: &Endpoint, version: u64) -> Self {
        let EntryFilter {
            kinds,
            phone_number_ids,
        } = &endpoint.filter;
        let disabled = endpoint.state.disabled();
        Self {
            id: endpoint.id.to_string(),
            tenant_id: endpoint.tenant_id.to_string(),
            url: endpoint.url.clone(),
            names: [
                endpoint.format.as_str(),
                endpoint.order.as_str(),
                endpoint.state.as_str(),
            ],
            lists: [
                texts(kinds.iter().map(KindPattern::as_str)),
                texts(phone_number_ids.iter().map(PhoneNumberId::as_str)),
                texts(endpoint.header_names.iter().map(String::as_str)),
                secrets_text(&endpoint.secrets),
                replays_text(&endpoint.replays),
            ],
            numbers: [
                endpoint.seat,
                endpoint.batch_max,
                endpoint.per_second,
                endpoint.concurrency,
            ],
            sealed: [
                endpoint.sealed_headers.clone(),
                endpoint.sealed_verify_token.clone(),
                endpoint.sealed_creation.clone(),
            ],
            disabled: (
                disabled.map(|(reason, _)| reason.as_str()),
                millis(disabled.map(|(_, at)| at)),
            ),
            start: endpoint.start.number().cast_signed(),
            times: [endpoint.created_at.as_millis(), endpoint.updated_at.as_millis()],
            version: version.cast_signed(),
            kept_under: endpoint.kept_under.to_string(),
        }
    }

    /// In the order of [`COLUMNS`].
    fn params(&self) -> [&dyn ToSql; 25] {
        let [format, order, state] = &self.names;
        let [kinds, phone_number_ids, header_names, secrets, replays] = &self.lists;
        let [seat, batch_max, per_second, concurrency] = &self.numbers;
        [
            &self.id,
            &self.tenant_id,
            seat,
            &self.url,
            format,
            kinds,
            phone_number_ids,
            order,
            batch_max,
            per_second,
            concurrency,
            header_names,
            &self.sealed[0],
            secrets,
            &self.sealed[1],
            &self.sealed[2],
            state,
            &self.disabled.0,
            &self.disabled.1,
            &self.start,
            replays,
            &self.times[0],
            &self.times[1],
            &self.version,
            &self.kept_under,
        ]
    }
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    serde_json::to_string(&texts.collect::<Vec<_>>()).expect("plain data")
}

fn texts_of<T>(text: &str, column: &str, parse: impl Fn(&str) -> Option<T>) -> Read<Vec<T>> {
    let texts: Option<Vec<String>> = serde_json::from_str(text).ok();
    let parsed = texts.and_then(|texts| texts.iter().map(|text| parse(text)).collect());
    parsed.ok_or_else(|| Damaged(format!("the column {column} is not understood")))
}

fn replays_text(replays: &[Replay]) -> String {
    let fields: Vec<ReplayFields> = replays.iter().map(ReplayFields::from).collect();
    serde_json::to_string(&fields).expect("plain data")
}

fn replays_of(text: &str) -> Option<Vec<Replay>> {
    let fields: Vec<ReplayFields> = serde_json::from_str(text).ok()?;
    fields.iter().map(ReplayFields::replay).collect()
}

/// Reads an endpoint.
pub(super) fn endpoint(row: &Row<'_>) -> Read<Endpoint> {
    let mut cells = Cells::of(row);
    let (id, tenant_id) = (cells.parse(EndpointId::parse)?, cells.parse(TenantId::parse)?);
    let (seat, url) = (cells.get()?, cells.get()?);
    let format = cells.parse(EndpointFormat::parse)?;
    let filter = EntryFilter {
        kinds: texts_of(&cells.get::<String>()?, "kinds", KindPattern::parse)?,
        phone_number_ids: texts_of(&cells.get::<String>()?, "phone_number_ids", |id| {
            PhoneNumberId::parse(id).ok()
        })?,
    };
    // The fields of a struct expression are evaluated in the order in which they are written.
    let mut endpoint = Endpoint {
        id,
        tenant_id,
        kept_under: id,
        seat,
        url,
        format,
        filter,
        order: cells.parse(DeliveryOrder::parse)?,
        batch_max: cells.get()?,
        per_second: cells.get()?,
        concurrency: cells.get()?,
        header_names: texts_of(&cells.get::<String>()?, "header_names", |name| Some(name.to_owned()))?,
        sealed_headers: cells.get()?,
        secrets: secrets_of(&cells.get::<String>()?)
            .ok_or_else(|| Damaged("the column secrets is not understood".into()))?,
        sealed_verify_token: cells.get()?,
        sealed_creation: cells.get()?,
        state: state(&mut cells)?,
        start: Place::new(cells.count()?),
        replays: cells.parse(replays_of)?,
        created_at: cells.time()?,
        updated_at: cells.time()?,
        version: cells.count()?,
    };
    // Absent in one of an earlier release.
    endpoint.kept_under = cells.maybe_parse(EndpointId::parse)?.unwrap_or(id);
    Ok(endpoint)
}

fn state(cells: &mut Cells<'_>) -> Read<EndpointState> {
    let name: String = cells.get()?;
    let disabled = cells.maybe_parse(DisabledReason::parse)?.zip(cells.maybe_time()?);
    EndpointState::parse(&name, disabled).ok_or_else(|| Damaged("the column state is not understood".into()))
}
