//! The feeds of tenants. There is one writer, so an entry gets its place when it is written.

use std::sync::LazyLock;

use async_trait::async_trait;
use dakghar_core::domain::feed::{EntryKind, FeedBounds, FeedEnd, FeedEntry, Place, PlacedEntry, Subject, place_id};
use dakghar_core::domain::ids::{PhoneNumberId, TenantId};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{FeedStore, StoreError};
use rusqlite::{Connection, Row, params};

use crate::stored::unreadable;

use super::SqliteStore;
use super::cells::{Cells, Damaged, Read, maybe_number, number};
use super::failure::Outcome;
use super::grown;
use super::rows::millis;

pub(super) const COLUMNS: &str = "tenant_id, place, kind, subject, phone_number_id, at, reported_at";
/// Where the place and the time stand in them.
const PLACE: usize = 1;
const AT: usize = 5;

/// The next place follows from the last one.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO feed ({COLUMNS}) \
         SELECT ?1, ifnull((SELECT max(place) FROM feed WHERE tenant_id = ?1), 0) + 1, ?2, ?3, ?4, ?5, ?6 \
         RETURNING place"
    )
});

pub(super) static ENTRIES: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM feed WHERE tenant_id = ? AND place > ? ORDER BY place"));

pub(super) const FIRST: &str = "SELECT min(place) FROM feed WHERE tenant_id = ?";
pub(super) const LAST: &str = "SELECT max(place) FROM feed WHERE tenant_id = ?";

#[async_trait]
impl FeedStore for SqliteStore {
    async fn entries(
        &self,
        tenant_id: &TenantId,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<PlacedEntry>, StoreError> {
        let tenant_id = *tenant_id;
        self.lists.run(move |conn| entries(conn, tenant_id, after, limit)).await
    }

    async fn ends(&self, tenants: &[TenantId]) -> Result<Vec<Place>, StoreError> {
        let tenants: Vec<String> = tenants.iter().map(ToString::to_string).collect();
        self.lists
            .run(move |conn| {
                let mut select = conn.prepare_cached(LAST)?;
                let mut end = |tenant_id: &String| -> Outcome<Place> {
                    let last: Option<i64> = select.query_row([tenant_id], |row| maybe_number(row, 0))?;
                    Ok(last.map(|last| Place::new(last.cast_unsigned())).unwrap_or_default())
                };
                tenants.iter().map(&mut end).collect()
            })
            .await
    }

    async fn bounds(&self, tenant_id: &TenantId) -> Result<FeedBounds, StoreError> {
        let tenant_id = tenant_id.to_string();
        self.lists
            .run(move |conn| {
                let place = |sql| -> Outcome<Option<Place>> {
                    let place: Option<i64> = conn
                        .prepare_cached(sql)?
                        .query_row([&tenant_id], |row| maybe_number(row, 0))?;
                    Ok(place.map(|place| Place::new(place.cast_unsigned())))
                };
                let last = place(LAST)?.unwrap_or_default();
                let first = place(FIRST)?.unwrap_or(last.plus(1));
                Ok(FeedBounds { first, last })
            })
            .await
    }
}

/// Appends an entry to the feed of its tenant.
pub(super) fn tell(conn: &Connection, entry: &FeedEntry) -> Outcome<()> {
    let mut insert = conn.prepare_cached(&INSERT)?;
    let written = params![
        entry.tenant_id.to_string(),
        entry.kind.as_str(),
        entry.subject.to_string(),
        entry.phone_number_id.as_ref().map(PhoneNumberId::as_str),
        entry.at.as_millis(),
        millis(entry.reported_at),
    ];
    let place = insert.query_row(written, |row| number(row, 0))?;
    grown::note(FeedEnd {
        tenant_id: entry.tenant_id,
        last: Place::new(place.cast_unsigned()),
    });
    Ok(())
}

fn entries(conn: &Connection, tenant_id: TenantId, after: Place, limit: PageLimit) -> Outcome<Listed<PlacedEntry>> {
    let mut select = conn.prepare_cached(&ENTRIES)?;
    let mut rows = select.query(params![tenant_id.to_string(), integer(after)])?;
    let mut page = PageFill::new(limit);
    while let Some(row) = rows.next()? {
        if page.is_full() {
            return Ok(page.more());
        }
        page.push(entry(row).or_else(|why| unreadable_at(row, tenant_id, &why))?);
    }
    Ok(page.end())
}

/// Stands for a row that cannot be read. Its place can: the table is strict, and a place is part of its key.
fn unreadable_at(row: &Row<'_>, tenant_id: TenantId, why: &Damaged) -> Outcome<PlacedEntry> {
    let place = Place::new(number(row, PLACE)?.cast_unsigned());
    unreadable::tell("feed entry", &place_id(&tenant_id, place), &why.0);
    let at = number(row, AT).ok().map(Timestamp::from_millis);
    let entry = FeedEntry::unreadable(tenant_id, place, at);
    Ok(PlacedEntry { place, entry })
}

/// A place as SQLite has it. No feed comes near the end of its numbers.
pub(super) fn integer(place: Place) -> i64 {
    i64::try_from(place.number()).unwrap_or(i64::MAX)
}

/// A place as SQLite has it, read.
pub(super) fn place_of(number: i64) -> Read<Place> {
    let number = u64::try_from(number).map_err(|_| Damaged("a place is never negative".to_owned()))?;
    Ok(Place::new(number))
}

/// A row with all [`COLUMNS`].
pub(super) fn entry(row: &Row<'_>) -> Read<PlacedEntry> {
    placed(&mut Cells::of(row))
}

/// All [`COLUMNS`], wherever they stand in a row.
pub(super) fn placed(cells: &mut Cells<'_>) -> Read<PlacedEntry> {
    let tenant_id = cells.parse(TenantId::parse)?;
    Ok(PlacedEntry {
        place: place_of(cells.get()?)?,
        entry: FeedEntry {
            tenant_id,
            kind: cells.parse(EntryKind::parse)?,
            subject: cells.parse(Subject::parse)?,
            phone_number_id: cells.maybe_parse(PhoneNumberId::parse)?,
            at: cells.time()?,
            reported_at: cells.maybe_time()?,
        },
    })
}
