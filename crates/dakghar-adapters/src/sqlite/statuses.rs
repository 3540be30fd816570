//! Meta's reports on messages, written once.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use dakghar_core::domain::feed::FeedEntry;
use dakghar_core::domain::ids::{MessageId, MessageKey, TenantId, Wamid};
use dakghar_core::domain::message::{Evidence, EvidenceStatus, Reported, Standing, Status, StatusRecord};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit, Paged};
use dakghar_core::ports::{LOAD_BYTES_MAX, REPORTS_MAX, StatusStore, StoreError};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Read, asked_for, readable};
use super::failure::Outcome;
use super::feed;
use super::rows::{millis, trace};
use super::texts;

/// What counts for the state of a message. The first column names the message, for those who cannot be read.
const REPORTED: &str = "message_id, status, wamid, attempt, participant, reported_at, received_at, error";

/// Every column.
pub(super) static COLUMNS: LazyLock<String> = LazyLock::new(|| format!("{REPORTED}, tenant_id, raw, frame"));

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO statuses ({}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        *COLUMNS
    )
});

pub(super) const STANDING: &str = "\
    SELECT id, status, wamid, wamids, trace, attempt, called_at FROM messages INDEXED BY messages_by_id WHERE tenant_id = ? AND id = ?";

pub(super) static REPORTS: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {REPORTED} FROM statuses WHERE tenant_id = ? AND message_id = ? LIMIT ?"));

pub(super) static ONE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM statuses WHERE tenant_id = ? AND message_id = ? AND digest = ?",
        *COLUMNS
    )
});

static STATUSES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM statuses WHERE tenant_id = ? AND message_id = ? ORDER BY received_at DESC, digest DESC",
        *COLUMNS
    )
});

#[async_trait]
impl StatusStore for SqliteStore {
    async fn record_statuses(&self, batch: &[StatusRecord]) -> Vec<Result<Option<Standing>, StoreError>> {
        let count = batch.len();
        let batch = batch.to_vec();
        let bytes = batch.iter().map(Paged::bytes).sum();
        let recorded = self.writer.run_sized(bytes, move |conn| record(conn, &batch)).await;
        recorded.unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn reports_of(&self, keys: &[MessageKey]) -> Result<Vec<Vec<Reported>>, StoreError> {
        let keys = keys.to_vec();
        self.delivery.run(move |conn| reports_of(conn, &keys)).await
    }

    async fn find_reports(&self, wanted: &[(MessageKey, Arc<str>)]) -> Vec<Result<Option<StatusRecord>, StoreError>> {
        let (count, wanted) = (wanted.len(), wanted.to_vec());
        let found = self.lists.run(move |conn| find_reports(conn, &wanted)).await;
        found.unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn statuses_of(&self, key: &MessageKey, limit: PageLimit) -> Result<Listed<StatusRecord>, StoreError> {
        let key = *key;
        self.lists.run(move |conn| statuses_of(conn, &key, limit)).await
    }
}

fn record(conn: &Connection, batch: &[StatusRecord]) -> Outcome<Vec<Result<Option<Standing>, StoreError>>> {
    let mut insert = conn.prepare_cached(&INSERT)?;
    let mut select = conn.prepare_cached(STANDING)?;
    let mut stood = Vec::with_capacity(batch.len());
    for status in batch {
        let (tenant_id, message_id) = (status.key.tenant_id.to_string(), status.key.message_id.to_string());
        let mut found = select.query(params![tenant_id, message_id])?;
        let Some(row) = found.next()? else {
            stood.push(Ok(None));
            continue;
        };
        let mut stands = asked_for("message", row, standing(row));
        let Reported { evidence, received_at } = &status.reported;
        let inserted = insert.execute(params![
            message_id,
            evidence.status.as_str(),
            evidence.wamid.as_str(),
            evidence.attempt,
            evidence.participant,
            millis(evidence.reported_at),
            received_at.as_millis(),
            evidence.error.as_ref().map(texts::error_text),
            tenant_id,
            status.raw,
            status.frame,
            status.digest()
        ])?;
        if inserted == 1 {
            feed::tell(conn, &FeedEntry::of_report(status))?;
        }
        if let Ok(standing) = &mut stands {
            standing.report_is_new = inserted == 1;
        }
        stood.push(stands.map(Some));
    }
    Ok(stood)
}

fn standing(row: &Row<'_>) -> Read<Standing> {
    let mut cells = Cells::of(row);
    let _id: String = cells.get()?;
    let status = cells.parse(Status::parse)?;
    let wamid = cells.maybe_parse(Wamid::parse)?;
    let mut wamids = texts::parse_wamids(cells.get::<Option<String>>()?.as_deref())?;
    wamids.extend(wamid);
    let trace = trace(&mut cells)?;
    let attempt: u32 = cells.get()?;
    let called_at = cells.maybe_time()?;
    Ok(Standing {
        status,
        wamids,
        trace,
        last_call: called_at.map(|at| (attempt, at)),
        report_is_new: false,
    })
}

fn reports_of(conn: &Connection, keys: &[MessageKey]) -> Outcome<Vec<Vec<Reported>>> {
    let mut select = conn.prepare_cached(&REPORTS)?;
    keys.iter()
        .map(|key| {
            let mut rows = select.query(params![
                key.tenant_id.to_string(),
                key.message_id.to_string(),
                REPORTS_MAX
            ])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.extend(readable("status", row, reported(&mut Cells::of(row))));
            }
            Ok(found)
        })
        .collect()
}

fn find_reports(
    conn: &Connection,
    wanted: &[(MessageKey, Arc<str>)],
) -> Outcome<Vec<Result<Option<StatusRecord>, StoreError>>> {
    let mut select = conn.prepare_cached(&ONE)?;
    let mut bytes = 0;
    let mut one = |(key, digest): &(MessageKey, Arc<str>)| {
        if bytes >= LOAD_BYTES_MAX {
            return Ok(Err(StoreError::NotReadYet));
        }
        let mut rows = select.query(params![key.tenant_id.to_string(), key.message_id.to_string(), digest])?;
        let Some(row) = rows.next()? else { return Ok(Ok(None)) };
        let found = asked_for("status", row, status(row));
        bytes += found.as_ref().map_or(0, Paged::bytes);
        Ok(found.map(Some))
    };
    wanted.iter().map(&mut one).collect()
}

fn statuses_of(conn: &Connection, key: &MessageKey, limit: PageLimit) -> Outcome<Listed<StatusRecord>> {
    let mut select = conn.prepare_cached(&STATUSES)?;
    let mut rows = select.query(params![key.tenant_id.to_string(), key.message_id.to_string()])?;
    let mut page = PageFill::new(limit);
    while let Some(row) = rows.next()? {
        if page.is_full() {
            return Ok(page.more());
        }
        if let Some(item) = readable("status", row, status(row)) {
            page.push(item);
        }
    }
    Ok(page.end())
}

/// The columns of [`REPORTED`].
fn reported(cells: &mut Cells<'_>) -> Read<Reported> {
    let _message_id: String = cells.get()?;
    let evidence = Evidence {
        status: cells.parse(EvidenceStatus::parse)?,
        wamid: cells.parse(Wamid::parse)?,
        attempt: cells.get()?,
        participant: cells.get()?,
        reported_at: cells.maybe_time()?,
        error: None,
        by_webhook: true,
    };
    let received_at = cells.time()?;
    let error = cells.get::<Option<String>>()?;
    Ok(Reported {
        evidence: Evidence {
            error: error.as_deref().map(texts::parse_error).transpose()?,
            ..evidence
        },
        received_at,
    })
}

/// A row with all [`COLUMNS`].
pub(super) fn status(row: &Row<'_>) -> Read<StatusRecord> {
    let mut first = Cells::of(row);
    let message_id = first.parse(MessageId::parse)?;
    let mut cells = Cells::of(row);
    let reported = reported(&mut cells)?;
    Ok(StatusRecord {
        key: MessageKey {
            tenant_id: cells.parse(TenantId::parse)?,
            message_id,
        },
        reported,
        raw: cells.get()?,
        frame: cells.get()?,
    })
}
