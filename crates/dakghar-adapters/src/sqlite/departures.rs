//! Departures.

use async_trait::async_trait;
use dakghar_core::domain::departure::Departure;
use dakghar_core::domain::ids::{DepartureId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{DepartureStore, Saved, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read};
use super::failure::Outcome;
use super::records::Records;
use super::rows::millis;
use super::texts::before_text;
use crate::stored::departure;

const DEPARTURES: Records<Departure> = Records {
    name: "departure",
    read,
};

const INSERT: &str = "\
    INSERT INTO departures (id, tenant_id, open_of, due_at, ended_at, version, record) VALUES (?, ?, ?, ?, ?, ?, ?) \
    ON CONFLICT DO NOTHING";

const SAVE: &str = "\
    UPDATE departures SET (open_of, due_at, ended_at, version, record) = (?, ?, ?, ?, ?) WHERE id = ? AND version = ?";

const FIND: &str = "SELECT id, version, record FROM departures WHERE id = ? AND tenant_id = ?";

pub(super) const LIST: &str = "\
    SELECT id, version, record FROM departures INDEXED BY departures_of_tenant \
    WHERE tenant_id = ?1 AND id < ?2 ORDER BY id DESC";

pub(super) const DUE: &str = "\
    SELECT id, version, record FROM departures INDEXED BY departures_due \
    WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at";

const FORGET: &str = "\
    DELETE FROM departures WHERE id IN \
        (SELECT id FROM departures INDEXED BY departures_ended WHERE ended_at IS NOT NULL AND ended_at < ? LIMIT ?)";

/// Stores a new departure. Returns `Stale` if its id is known, or another one of its tenant is not over.
pub(super) fn insert(conn: &Connection, departure: &Departure) -> Outcome<Saved> {
    let inserted = conn.prepare_cached(INSERT)?.execute(params![
        departure.id.to_string(),
        departure.tenant_id.to_string(),
        open_of(departure),
        millis(departure.due_at()),
        millis(departure.ended_at),
        departure.version.cast_signed(),
        departure::text_of(departure),
    ])?;
    Ok(if inserted == 1 { Saved::Done } else { Saved::Stale })
}

/// Saves a departure.
pub(super) fn save(conn: &Connection, departure: &Departure) -> Outcome<Saved> {
    let saved = conn.prepare_cached(SAVE)?.execute(params![
        open_of(departure),
        millis(departure.due_at()),
        millis(departure.ended_at),
        (departure.version + 1).cast_signed(),
        departure::text_of(departure),
        departure.id.to_string(),
        departure.version.cast_signed(),
    ])?;
    Ok(if saved == 1 { Saved::Done } else { Saved::Stale })
}

fn open_of(departure: &Departure) -> Option<String> {
    departure.is_open().then(|| departure.tenant_id.to_string())
}

#[async_trait]
impl DepartureStore for SqliteStore {
    async fn insert_departure(&self, departure: &Departure) -> Result<Saved, StoreError> {
        let departure = departure.clone();
        self.writer.run(move |conn| insert(conn, &departure)).await
    }

    async fn save_departure(&self, departure: &Departure) -> Result<Saved, StoreError> {
        let departure = departure.clone();
        self.writer.run(move |conn| save(conn, &departure)).await
    }

    async fn find_departure(&self, tenant_id: &TenantId, id: &DepartureId) -> Result<Option<Departure>, StoreError> {
        let (tenant_id, id) = (tenant_id.to_string(), id.to_string());
        let find = move |conn: &Connection| DEPARTURES.one(conn, FIND, [id, tenant_id]);
        self.delivery.run(find).await?.transpose()
    }

    async fn list_departures(
        &self,
        tenant_id: &TenantId,
        before: Option<DepartureId>,
        limit: PageLimit,
    ) -> Result<Listed<Departure>, StoreError> {
        let tenant_id = tenant_id.to_string();
        self.lists
            .run(move |conn| DEPARTURES.page(conn, LIST, params![tenant_id, before_text(before)], limit))
            .await
    }

    async fn due_departures(&self, now: Timestamp, limit: u32) -> Result<Vec<Departure>, StoreError> {
        self.delivery
            .run(move |conn| DEPARTURES.first(conn, DUE, [now.as_millis()], limit as usize))
            .await
    }

    async fn forget_departures(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.writer
            .run(move |conn| {
                let forgotten = conn
                    .prepare_cached(FORGET)?
                    .execute(params![before.as_millis(), limit])?;
                Ok(forgotten as u64)
            })
            .await
    }
}

fn read(row: &Row<'_>) -> Read<Departure> {
    let mut cells = Cells::from(row, 1);
    let version = cells.count()?;
    let record: String = cells.get()?;
    departure::parse(&record, version).ok_or_else(|| Damaged("the column record is not understood".to_owned()))
}
