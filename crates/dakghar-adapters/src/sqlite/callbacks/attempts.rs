//! The rows of attempts that were noted together.

use std::borrow::Cow;
use std::time::Duration;

use dakghar_core::domain::callback::{Attempt, AttemptLog, CallEnd};
use dakghar_core::domain::feed::{EntryKind, Place};
use dakghar_core::domain::ids::{AttemptLogId, EndpointId, EntryId, TenantId};
use dakghar_core::domain::time::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use crate::sqlite::cells::{Cells, Damaged, Read};
use crate::sqlite::failure::Outcome;
use crate::stored::whole_millis;

/// One that is there already is the same one.
const NOTE: &str = "\
    INSERT INTO callback_attempts (id, endpoint_id, tenant_id, at, attempts) VALUES (?, ?, ?, ?, ?) \
    ON CONFLICT (endpoint_id, id) DO NOTHING";

pub(in crate::sqlite) const LIST: &str = "\
    SELECT id, endpoint_id, tenant_id, at, attempts FROM callback_attempts \
    WHERE endpoint_id = ? AND id < ? ORDER BY id DESC";

pub(in crate::sqlite) const FORGET: &str = "\
    DELETE FROM callback_attempts WHERE rowid IN ( \
        SELECT rowid FROM callback_attempts INDEXED BY callback_attempts_oldest WHERE at < ? LIMIT ?)";

pub(super) const DELETE: &str = "\
    DELETE FROM callback_attempts WHERE rowid IN ( \
        SELECT rowid FROM callback_attempts WHERE endpoint_id = ?1 AND +tenant_id = ?2 LIMIT ?3)";

/// An attempt as it stands in its column.
#[derive(Serialize, Deserialize)]
struct AttemptFields<'a> {
    place: u64,
    entry_id: Cow<'a, str>,
    kind: Cow<'a, str>,
    number: u32,
    at: i64,
    took_ms: i64,
    end: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_replay: bool,
}

pub(super) fn note(conn: &Connection, log: &AttemptLog) -> Outcome<()> {
    conn.prepare_cached(NOTE)?.execute(params![
        log.id.to_string(),
        log.endpoint_id.to_string(),
        log.tenant_id.to_string(),
        log.at.as_millis(),
        attempts_text(&log.attempts),
    ])?;
    Ok(())
}

/// A row of [`LIST`].
pub(super) fn log(row: &Row<'_>) -> Read<AttemptLog> {
    let mut cells = Cells::of(row);
    Ok(AttemptLog {
        id: cells.parse(AttemptLogId::parse)?,
        endpoint_id: cells.parse(EndpointId::parse)?,
        tenant_id: cells.parse(TenantId::parse)?,
        at: cells.time()?,
        attempts: cells.parse(parse_attempts)?,
    })
}

fn attempts_text(attempts: &[Attempt]) -> String {
    let fields = |attempt: &Attempt| AttemptFields {
        place: attempt.place.number(),
        entry_id: attempt.entry_id.to_string().into(),
        kind: attempt.kind.as_str().to_owned().into(),
        number: attempt.number,
        at: attempt.at.as_millis(),
        took_ms: whole_millis(attempt.took),
        end: attempt.end.stored().into(),
        answer: attempt.answer.clone().map(Cow::Owned),
        is_replay: attempt.is_replay,
    };
    let fields: Vec<AttemptFields<'_>> = attempts.iter().map(fields).collect();
    serde_json::to_string(&fields).expect("texts and numbers become JSON")
}

/// The same attempts without the answers; `None` if there are none in it.
pub(in crate::sqlite) fn without_answers(text: &str) -> Read<Option<String>> {
    let fields = serde_json::from_str(text);
    let mut fields: Vec<AttemptFields<'_>> =
        fields.map_err(|_| Damaged("the column attempts is not understood".to_owned()))?;
    let answers = fields.iter_mut().filter_map(|attempt| attempt.answer.take());
    let has_any = answers.count() > 0;
    let text = || serde_json::to_string(&fields).expect("texts and numbers become JSON");
    Ok(has_any.then(text))
}

fn parse_attempts(text: &str) -> Option<Vec<Attempt>> {
    let fields: Vec<AttemptFields<'_>> = serde_json::from_str(text).ok()?;
    let attempt = |fields: AttemptFields<'_>| {
        Some(Attempt {
            place: Place::new(fields.place),
            entry_id: EntryId::parse(&fields.entry_id).ok()?,
            kind: EntryKind::parse(&fields.kind)?,
            number: fields.number,
            at: Timestamp::from_millis(fields.at),
            took: Duration::from_millis(u64::try_from(fields.took_ms).ok()?),
            end: CallEnd::parse(&fields.end)?,
            answer: fields.answer.map(Cow::into_owned),
            is_replay: fields.is_replay,
        })
    };
    fields.into_iter().map(attempt).collect()
}
