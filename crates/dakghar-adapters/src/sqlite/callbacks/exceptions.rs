//! The rows of entries that an endpoint has not taken.

use std::sync::LazyLock;
use std::time::Duration;

use dakghar_core::domain::callback::{CallEnd, CallbackException, ExceptionState, LastAttempt};
use dakghar_core::domain::feed::Place;
use dakghar_core::domain::ids::{ConversationId, EndpointId, PhoneNumberId};
use dakghar_core::ports::ExceptionsAsked;
use rusqlite::{Connection, Row, params};

use crate::sqlite::cells::{Cells, Damaged, Read};
use crate::sqlite::failure::Outcome;
use crate::sqlite::feed::{self, integer};
use crate::sqlite::rows::millis;
use crate::stored::whole_millis;

/// In the order in which [`exception`] reads them. The last one is for indexes only.
pub(in crate::sqlite) static COLUMNS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "endpoint_id, {}, conversation_id, state, next_at, attempts, since, last_at, last_took_ms, last_end, \
         last_answer, is_replay, dead_at",
        feed::COLUMNS
    )
});

static KEEP: LazyLock<String> = LazyLock::new(|| {
    let marks = vec!["?"; COLUMNS.split(',').count()].join(", ");
    format!(
        "INSERT OR REPLACE INTO callback_exceptions ({}) VALUES ({marks})",
        *COLUMNS
    )
});

const REMOVE: &str = "DELETE FROM callback_exceptions WHERE endpoint_id = ? AND place = ?";

pub(in crate::sqlite) static FIND: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM callback_exceptions WHERE endpoint_id = ? AND place = ?",
        *COLUMNS
    )
});

pub(in crate::sqlite) static OPEN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM callback_exceptions INDEXED BY callback_exceptions_open \
         WHERE endpoint_id = ? AND place > ? AND dead_at IS NULL ORDER BY place",
        *COLUMNS
    )
});

/// Passes over those that are open, of which there are few. By the index of the dead ones it would sort those of all
/// endpoints, so it is kept from that by the `+`.
pub(in crate::sqlite) static DEAD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM callback_exceptions \
         WHERE endpoint_id = ? AND place > ? AND +dead_at IS NOT NULL ORDER BY place",
        *COLUMNS
    )
});

pub(in crate::sqlite) const COUNT_OPEN: &str = "\
    SELECT count(*) FROM ( \
        SELECT 1 FROM callback_exceptions INDEXED BY callback_exceptions_open \
        WHERE endpoint_id = ? AND dead_at IS NULL LIMIT ?)";
pub(in crate::sqlite) const COUNT_DEAD: &str = "\
    SELECT count(*) FROM ( \
        SELECT 1 FROM callback_exceptions WHERE endpoint_id = ? AND +dead_at IS NOT NULL LIMIT ?)";

pub(in crate::sqlite) const FORGET: &str = "\
    DELETE FROM callback_exceptions WHERE (endpoint_id, place) IN ( \
        SELECT endpoint_id, place FROM callback_exceptions INDEXED BY callback_exceptions_dead \
        WHERE dead_at < ? LIMIT ?)";

pub(super) const DELETE: &str = "\
    DELETE FROM callback_exceptions WHERE (endpoint_id, place) IN ( \
        SELECT endpoint_id, place FROM callback_exceptions WHERE endpoint_id = ?1 AND +tenant_id = ?2 LIMIT ?3)";

pub(super) fn list_of(asked: ExceptionsAsked) -> &'static str {
    match asked {
        ExceptionsAsked::Open => &OPEN,
        ExceptionsAsked::Dead => &DEAD,
    }
}

pub(super) const fn count_of(asked: ExceptionsAsked) -> &'static str {
    match asked {
        ExceptionsAsked::Open => COUNT_OPEN,
        ExceptionsAsked::Dead => COUNT_DEAD,
    }
}

/// Writes it over what is there of it.
pub(super) fn keep(conn: &Connection, exception: &CallbackException) -> Outcome<()> {
    let (entry, last) = (&exception.placed.entry, exception.last.as_ref());
    conn.prepare_cached(&KEEP)?.execute(params![
        exception.endpoint_id.to_string(),
        entry.tenant_id.to_string(),
        integer(exception.placed.place),
        entry.kind.as_str(),
        entry.subject.to_string(),
        entry.phone_number_id.as_ref().map(PhoneNumberId::as_str),
        entry.at.as_millis(),
        millis(entry.reported_at),
        exception.conversation_id.map(|id| id.to_string()),
        exception.state.as_str(),
        millis(exception.state.next_at()),
        exception.attempts,
        exception.since.as_millis(),
        millis(last.map(|last| last.at)),
        last.map(|last| whole_millis(last.took)),
        last.map(|last| last.end.stored()),
        last.and_then(|last| last.answer.as_deref()),
        exception.is_replay,
        millis(exception.dead_at()),
    ])?;
    Ok(())
}

pub(super) fn remove(conn: &Connection, endpoint_id: EndpointId, place: Place) -> Outcome<()> {
    conn.prepare_cached(REMOVE)?
        .execute(params![endpoint_id.to_string(), integer(place)])?;
    Ok(())
}

/// A row with all [`COLUMNS`].
pub(in crate::sqlite) fn exception(row: &Row<'_>) -> Read<CallbackException> {
    let mut cells = Cells::of(row);
    // The fields of a struct expression are evaluated in the order in which they are written.
    Ok(CallbackException {
        endpoint_id: cells.parse(EndpointId::parse)?,
        placed: feed::placed(&mut cells)?,
        conversation_id: cells.maybe_parse(ConversationId::parse)?,
        state: state(&mut cells)?,
        attempts: cells.get()?,
        since: cells.time()?,
        last: last(&mut cells)?,
        is_replay: cells.get()?,
    })
}

fn state(cells: &mut Cells<'_>) -> Read<ExceptionState> {
    let (name, next_at) = (cells.get::<String>()?, cells.maybe_time()?);
    ExceptionState::parse(&name, next_at).ok_or_else(|| Damaged("the column state is not understood".to_owned()))
}

fn last(cells: &mut Cells<'_>) -> Read<Option<LastAttempt>> {
    let (at, took_ms) = (cells.maybe_time()?, cells.get::<Option<i64>>()?);
    let end = cells.maybe_parse(CallEnd::parse)?;
    let answer = cells.get()?;
    match (at, took_ms, end) {
        (Some(at), Some(took_ms), Some(end)) => Ok(Some(LastAttempt {
            at,
            took: Duration::from_millis(took_ms.cast_unsigned()),
            end,
            answer,
        })),
        (None, None, None) => Ok(None),
        _ => Err(Damaged("the columns of the last attempt come together".to_owned())),
    }
}
