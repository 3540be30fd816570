//! The row of an endpoint's progress.

use std::sync::LazyLock;

use dakghar_core::domain::callback::{CallbackProgress, EndpointBreaker, OpenBreaker, ReplayProgress, WaitingLine};
use dakghar_core::domain::ids::{EndpointId, ReplayId, TenantId};
use rusqlite::{Connection, Row, ToSql};

use crate::sqlite::cells::{Cells, Damaged, Read};
use crate::sqlite::failure::Outcome;
use crate::sqlite::feed::{integer, place_of};
use crate::sqlite::rows::millis;
use crate::stored::waiting_line::WaitingLineFields;

/// In the order in which [`progress`] reads them.
pub(in crate::sqlite) const COLUMNS: &str = "endpoint_id, tenant_id, after_place, waiting, failures, failing_since, open_since, probe_at, \
    probes, not_before, delivered, failed, expired, delivered_at, failed_at, replay_id, replay_at, replay_delivered, \
    replay_failed, replay_ended_at, updated_at, version";

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let marks = vec!["?"; COLUMNS.split(',').count()].join(", ");
    format!("INSERT INTO callback_progress ({COLUMNS}) VALUES ({marks}) ON CONFLICT (endpoint_id) DO NOTHING")
});

static SAVE: LazyLock<String> = LazyLock::new(|| {
    let marks = vec!["?"; COLUMNS.split(',').count()].join(", ");
    format!("UPDATE callback_progress SET ({COLUMNS}) = ({marks}) WHERE endpoint_id = ?1 AND version = ?23")
});

pub(super) static FIND: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM callback_progress WHERE endpoint_id = ?"));

pub(super) const DELETE: &str = "\
    DELETE FROM callback_progress WHERE endpoint_id = ?1 AND +tenant_id = ?2 AND ?3 > 0";

/// Saves it under the next version. Returns whether its version was the stored one.
pub(super) fn save(conn: &Connection, progress: &CallbackProgress) -> Outcome<bool> {
    let (breaker, replay) = (&progress.breaker, progress.replay.as_ref());
    let ids = [progress.endpoint_id.to_string(), progress.tenant_id.to_string()];
    let version = progress.version.cast_signed();
    let row: [&dyn ToSql; 22] = [
        &ids[0],
        &ids[1],
        &integer(progress.after),
        &waiting_text(&progress.waiting),
        &breaker.failures,
        &millis(breaker.failing_since),
        &millis(breaker.open.map(|open| open.since)),
        &millis(breaker.open.map(|open| open.probe_at)),
        &breaker.open.map(|open| open.probes),
        &millis(progress.not_before),
        &progress.delivered.cast_signed(),
        &progress.failed.cast_signed(),
        &progress.expired.cast_signed(),
        &millis(progress.delivered_at),
        &millis(progress.failed_at),
        &replay.map(|replay| replay.id.to_string()),
        &replay.map(|replay| integer(replay.at)),
        &replay.map(|replay| replay.delivered.cast_signed()),
        &replay.map(|replay| replay.failed.cast_signed()),
        &replay.and_then(|replay| millis(replay.ended_at)),
        &progress.updated_at.as_millis(),
        &(version + 1),
    ];
    let saved = if version == 0 {
        conn.prepare_cached(&INSERT)?.execute(&row[..])?
    } else {
        let mut params = row.to_vec();
        params.push(&version);
        conn.prepare_cached(&SAVE)?.execute(&params[..])?
    };
    Ok(saved == 1)
}

/// A row with all [`COLUMNS`].
pub(in crate::sqlite) fn progress(row: &Row<'_>) -> Read<CallbackProgress> {
    let mut cells = Cells::of(row);
    // The fields of a struct expression are evaluated in the order in which they are written.
    Ok(CallbackProgress {
        endpoint_id: cells.parse(EndpointId::parse)?,
        tenant_id: cells.parse(TenantId::parse)?,
        after: place_of(cells.get()?)?,
        waiting: cells.parse(waiting_of)?,
        breaker: EndpointBreaker::kept(cells.get()?, cells.maybe_time()?, open(&mut cells)?),
        not_before: cells.maybe_time()?,
        delivered: cells.count()?,
        failed: cells.count()?,
        expired: cells.count()?,
        delivered_at: cells.maybe_time()?,
        failed_at: cells.maybe_time()?,
        replay: replay(&mut cells)?,
        updated_at: cells.time()?,
        version: cells.count()?,
    })
}

fn waiting_text(lines: &[WaitingLine]) -> String {
    let fields: Vec<WaitingLineFields> = lines.iter().map(WaitingLineFields::from).collect();
    serde_json::to_string(&fields).expect("plain data")
}

fn waiting_of(text: &str) -> Option<Vec<WaitingLine>> {
    let fields: Vec<WaitingLineFields> = serde_json::from_str(text).ok()?;
    fields.iter().map(WaitingLineFields::line).collect()
}

fn open(cells: &mut Cells<'_>) -> Read<Option<OpenBreaker>> {
    match (cells.maybe_time()?, cells.maybe_time()?, cells.get()?) {
        (Some(since), Some(probe_at), Some(probes)) => Ok(Some(OpenBreaker {
            since,
            probe_at,
            probes,
        })),
        (None, None, None) => Ok(None),
        _ => Err(Damaged("the columns of an open breaker come together".to_owned())),
    }
}

fn replay(cells: &mut Cells<'_>) -> Read<Option<ReplayProgress>> {
    let id = cells.maybe_parse(ReplayId::parse)?;
    let numbers: [Option<i64>; 3] = [cells.get()?, cells.get()?, cells.get()?];
    let ended_at = cells.maybe_time()?;
    match (id, numbers) {
        (Some(id), [Some(at), Some(delivered), Some(failed)]) => Ok(Some(ReplayProgress {
            id,
            at: place_of(at)?,
            delivered: delivered.cast_unsigned(),
            failed: failed.cast_unsigned(),
            ended_at,
        })),
        (None, [None, None, None]) => Ok(None),
        _ => Err(Damaged("the columns of a replay come together".to_owned())),
    }
}
