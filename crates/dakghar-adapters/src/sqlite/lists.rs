//! Lists for people: a tenant's messages by filter, and dead letters.
//!
//! Every list walks one index from the newest id downwards and stops when the page is full. A filter that no index
//! knows is checked row by row on the way; a search that finds little for too long ends with what it found. Texts are
//! read for one row at a time, until the page has its bytes.

use std::sync::LazyLock;
use std::time::Instant;

use async_trait::async_trait;
use dakghar_core::domain::ids::{MessageId, PhoneNumberId, TenantId, WaId};
use dakghar_core::domain::message::{Direction, Message, Status};
use dakghar_core::domain::page::{Listed, MessageQuery, PageFill, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{ListStore, StoreError};
use rusqlite::{Connection, Row, ToSql, params};

use crate::stored::id_time::{IdRange, id_range};

use super::SqliteStore;
use super::cells::{Cells, Read, number, readable};
use super::failure::Outcome;
use super::messages::read::load_rows;
use super::rows::is_open;
use super::texts::before_text;

pub(super) const DEAD_OF_TENANT: &str = concat!(
    "SELECT id, seq FROM messages INDEXED BY messages_open \
     WHERE tenant_id = ? AND status = ? AND id < ? AND ",
    is_open!(),
    " ORDER BY id DESC LIMIT ?"
);

pub(super) const DEAD_OF_ALL: &str = "\
    SELECT id, seq FROM messages INDEXED BY messages_dead \
    WHERE (status = 'dead' OR status = 'failed' OR status = 'expired') AND id < ? ORDER BY id DESC LIMIT ?";

/// Walks along the messages whose id tells another time than theirs.
pub(super) static MARKED: LazyLock<String> =
    LazyLock::new(|| walk_along("messages_id_time_off", "AND id_time_off IS NOT NULL"));

pub(super) const COUNT_UNSETTLED: &str = concat!(
    "SELECT count(*) FROM ( \
         SELECT 1 FROM messages INDEXED BY messages_open \
         WHERE tenant_id = ? AND status IN ('queued', 'held', 'sending', 'in_doubt') AND ",
    is_open!(),
    " LIMIT ?)"
);

/// Rows that a search looks at before it first looks at the clock.
const ROWS_AT_FIRST: u32 = 256;
/// Rows between two looks at the clock from then on.
const ROWS_PER_LOOK: u32 = 4096;
/// The columns that the filters look at, and none that may be long.
const FILTERED: &str = "id, seq, created_at, direction, kind, peer_id, phone_number_id, conversation_id, status";
/// Where the status is among them.
const STATUS_COLUMN: usize = 8;

#[async_trait]
impl ListStore for SqliteStore {
    async fn messages(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Listed<Message>, StoreError> {
        let (tenant_id, query) = (*tenant_id, query.clone());
        self.lists.run(move |conn| list(conn, tenant_id, &query)).await
    }

    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: PageLimit,
    ) -> Result<Listed<Message>, StoreError> {
        let tenant_id = tenant_id.copied();
        self.lists
            .run(move |conn| dead_letters(conn, tenant_id, before, limit))
            .await
    }

    /// Sends wait for the count, so it must not wait for lists.
    async fn count_unsettled(&self, tenants: &[(TenantId, u32)]) -> Result<Vec<u32>, StoreError> {
        let tenants = tenants.to_vec();
        self.delivery.run(move |conn| count_unsettled(conn, &tenants)).await
    }
}

/// A page of a tenant's messages.
fn list(conn: &Connection, tenant_id: TenantId, query: &MessageQuery) -> Outcome<Listed<Message>> {
    let search = Search {
        conn,
        tenant_id: tenant_id.to_string(),
        query,
        #[expect(clippy::disallowed_methods, reason = "bounds the time of a search")]
        ends_at: Instant::now() + query.limit.time,
    };
    let before = before_text(query.before);
    let Some(IdRange { from, to }) = id_range(query) else {
        return search.run(&walk_sql(query), "", before);
    };
    let from = from.map(|id| id.to_string()).unwrap_or_default();
    let ranged = search.run(&walk_sql(query), &from, before.clone().min(before_text(to)))?;
    let marked = search.run(&MARKED, "", before)?;
    Ok(ranged.merge(marked, query.limit))
}

/// The query that is searched for, and the end of the search.
struct Search<'a> {
    conn: &'a Connection,
    tenant_id: String,
    query: &'a MessageQuery,
    ends_at: Instant,
}

/// The end of a walk.
enum Walked {
    /// The page is full, and there is more.
    Full,
    /// There are no more rows.
    Through,
    /// It looked at as many rows as it may. The id of the last, as it lies there.
    DownTo(String),
}

impl Search<'_> {
    /// The newest of what `sql` walks over, from `from` (included) to `before`.
    fn run(&self, sql: &str, from: &str, mut before: String) -> Outcome<Listed<Message>> {
        let mut page = PageFill::new(self.query.limit);
        let mut rows_max = ROWS_AT_FIRST;
        loop {
            let last = match self.walk(sql, [from, &before], rows_max, &mut page)? {
                Walked::Full => return Ok(page.more()),
                Walked::Through => return Ok(page.end()),
                Walked::DownTo(last) => last,
            };
            // A page cannot end at an id that is none.
            if let Ok(place) = MessageId::parse(&last) {
                page.pass(place);
                #[expect(clippy::disallowed_methods, reason = "bounds the time of a search")]
                if Instant::now() >= self.ends_at {
                    return Ok(page.more());
                }
            }
            before = last;
            rows_max = ROWS_PER_LOOK;
        }
    }

    /// As far as one walk may look at a time.
    fn walk(&self, sql: &str, ids: [&str; 2], rows_max: u32, page: &mut PageFill<Message>) -> Outcome<Walked> {
        let query = self.query;
        let [from, before] = ids;
        let mut select = self.conn.prepare_cached(sql)?;
        let value = (query.peer_id.as_ref().map(WaId::as_str))
            .or_else(|| query.status.filter(|status| is_open(*status)).map(Status::as_str));
        let mut params: Vec<&dyn ToSql> = vec![&self.tenant_id, &from, &before, &rows_max];
        // Only what the walk goes along is in its SQL.
        params.extend(value.as_ref().map(|value| value as &dyn ToSql));
        params.truncate(select.parameter_count());
        let mut rows = select.query(&params[..])?;
        let mut looked_at = 0;
        let mut last = String::new();
        while let Some(row) = rows.next()? {
            looked_at += 1;
            if let Ok(id) = row.get_ref(0)?.as_str() {
                last.clear();
                last.push_str(id);
            }
            let Some((seq, created_at)) = readable("message", row, place(row)) else {
                continue;
            };
            if matches(row, created_at, query)? {
                if page.is_full() {
                    return Ok(Walked::Full);
                }
                load_rows(self.conn, [seq].into_iter())?
                    .into_iter()
                    .for_each(|message| page.push(message));
            }
        }
        Ok(if looked_at == rows_max {
            Walked::DownTo(last)
        } else {
            Walked::Through
        })
    }
}

/// The columns that every walk reads.
fn place(row: &Row<'_>) -> Read<(i64, Timestamp)> {
    let mut cells = Cells::of(row);
    cells.parse(MessageId::parse)?;
    Ok((cells.get()?, cells.time()?))
}

/// The index that leaves the least to look at.
pub(super) fn walk_sql(query: &MessageQuery) -> String {
    let (index, condition) = if query.peer_id.is_some() {
        ("messages_by_person", "AND peer_id = ?5")
    } else if query.status.is_some_and(is_open) {
        ("messages_open", concat!("AND status = ?5 AND ", is_open!()))
    } else {
        ("messages_by_id", "")
    };
    walk_along(index, condition)
}

fn walk_along(index: &str, condition: &str) -> String {
    format!(
        "SELECT {FILTERED} FROM messages INDEXED BY {index} WHERE tenant_id = ?1 AND id >= ?2 AND id < ?3 {condition} \
         ORDER BY id DESC LIMIT ?4"
    )
}

/// True when messages in this status are in the index of the open ones.
const fn is_open(status: Status) -> bool {
    !matches!(
        status,
        Status::Sent | Status::Delivered | Status::Read | Status::Received
    )
}

/// Checks the filters; the columns after the first three of [`FILTERED`].
fn matches(row: &Row<'_>, created_at: Timestamp, query: &MessageQuery) -> Outcome<bool> {
    if query.since.is_some_and(|since| created_at < since) || query.until.is_some_and(|until| created_at >= until) {
        return Ok(false);
    }
    if let Some(status) = query.status {
        let stored = row.get_ref(STATUS_COLUMN)?.as_bytes_or_null().ok().flatten();
        let is_wanted = |status: &Status| stored == Some(status.as_str().as_bytes());
        if !status.stored_as().iter().any(is_wanted) {
            return Ok(false);
        }
    }
    let conversation_id = query.conversation_id.map(|id| id.to_string());
    let wanted = [
        query.direction.map(Direction::as_str),
        query.kind.as_deref(),
        query.peer_id.as_ref().map(WaId::as_str),
        query.phone_number_id.as_ref().map(PhoneNumberId::as_str),
        conversation_id.as_deref(),
    ];
    for (column, wanted) in (3..).zip(wanted) {
        let Some(wanted) = wanted else { continue };
        let value = row.get_ref(column)?;
        // A value that is no text at all is not the wanted one either.
        if value.as_bytes_or_null().ok().flatten() != Some(wanted.as_bytes()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Messages that ended without reaching anybody.
fn dead_letters(
    conn: &Connection,
    tenant_id: Option<TenantId>,
    before: Option<MessageId>,
    limit: PageLimit,
) -> Outcome<Listed<Message>> {
    let mut asked = limit.items.saturating_add(1);
    loop {
        let found = newest_dead(conn, tenant_id, &before_text(before), asked)?;
        let is_all = found.len() < asked as usize || asked == u32::MAX;
        let mut page = PageFill::new(limit);
        for (_, seq) in found {
            if page.is_full() {
                return Ok(page.more());
            }
            load_rows(conn, [seq].into_iter())?
                .into_iter()
                .for_each(|message| page.push(message));
        }
        if is_all {
            return Ok(page.end());
        }
        // Some could not be read: once more, with more of them.
        asked = asked.saturating_mul(2);
    }
}

/// Dead letters before an id, newest first: the id as it lies there, which may be none, and the number of the row.
pub(super) fn newest_dead(
    conn: &Connection,
    tenant_id: Option<TenantId>,
    before: &str,
    limit: u32,
) -> Outcome<Vec<(Vec<u8>, i64)>> {
    let mut found = Vec::new();
    if let Some(tenant_id) = tenant_id {
        let mut select = conn.prepare_cached(DEAD_OF_TENANT)?;
        for status in Status::ALL.into_iter().filter(|status| status.is_dead_letter()) {
            let params = params![tenant_id.to_string(), status.as_str(), before, limit];
            let rows = select.query_map(params, id_and_seq)?;
            for row in rows {
                found.push(row?);
            }
        }
    } else {
        let mut select = conn.prepare_cached(DEAD_OF_ALL)?;
        let rows = select.query_map(params![before, limit], id_and_seq)?;
        for row in rows {
            found.push(row?);
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.truncate(limit as usize);
    Ok(found)
}

/// The id as it lies there, which may be none, and the number of the row.
fn id_and_seq(row: &Row<'_>) -> rusqlite::Result<(Vec<u8>, i64)> {
    let id = row.get_ref(0)?.as_bytes_or_null().ok().flatten();
    Ok((id.unwrap_or_default().to_vec(), number(row, 1)?))
}

fn count_unsettled(conn: &Connection, tenants: &[(TenantId, u32)]) -> Outcome<Vec<u32>> {
    let mut select = conn.prepare_cached(COUNT_UNSETTLED)?;
    let mut counts = Vec::with_capacity(tenants.len());
    for (tenant_id, limit) in tenants {
        let count = select.query_row(params![tenant_id.to_string(), limit], |row| number(row, 0))?;
        counts.push(u32::try_from(count).unwrap_or(u32::MAX));
    }
    Ok(counts)
}
