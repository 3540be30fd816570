//! The timers of messages: which are due, and which are held.

use std::collections::BTreeSet;

use async_trait::async_trait;
use dakghar_core::domain::ids::{MessageId, MessageKey, PhoneNumberId, TenantId};
use dakghar_core::domain::message::{Message, Priority, Status};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{JobKey, QueueEntry, StoreError, TimerStore};
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Read, number, readable};
use super::failure::Outcome;
use super::messages::read::load_first;
use super::rows::is_open;

pub(super) const DUE: &str = "\
    SELECT wake_at, seq FROM messages INDEXED BY messages_timer \
    WHERE status = ? AND wake_at <= ? ORDER BY wake_at LIMIT ?";

pub(super) const SLOT_AHEAD: &str = "\
    SELECT slot_at, seq FROM messages INDEXED BY messages_due \
    WHERE status = 'queued' AND priority = ?1 AND slot_at > ?2 AND updated_at > ?2 LIMIT ?3";

pub(super) const TIMER_AHEAD: &str = "\
    SELECT wake_at, seq FROM messages INDEXED BY messages_timer \
    WHERE status = ?1 AND wake_at > ?2 AND updated_at > ?2 LIMIT ?3";

pub(super) const RELEASED: &str = "\
    SELECT id, tenant_id, phone_number_id, slot_at, created_at, drive, priority \
    FROM messages INDEXED BY messages_timer \
    WHERE status = 'queued' AND wake_at <= ? AND enqueued_at IS NOT NULL ORDER BY wake_at";

pub(super) const HELD: &str = concat!(
    "SELECT id, seq FROM messages INDEXED BY messages_open \
     WHERE tenant_id = ?1 AND status = 'held' AND (?2 IS NULL OR phone_number_id = ?2) AND id > ?3 AND ",
    is_open!(),
    " ORDER BY id LIMIT ?4"
);

/// Held messages woken in one commit; more would make other writes wait.
const WOKEN_PER_COMMIT_MAX: u32 = 1000;

#[async_trait]
impl TimerStore for SqliteStore {
    async fn due(&self, until: Timestamp, status: Option<Status>, limit: u32) -> Result<Vec<Message>, StoreError> {
        self.delivery.run(move |conn| due(conn, until, status, limit)).await
    }

    async fn ahead(&self, of: Timestamp, limit: u32) -> Result<Vec<Message>, StoreError> {
        let ahead = move |conn: &Connection| load_first(conn, limit, |limit| ahead_of(conn, of, limit));
        self.delivery.run(ahead).await
    }

    async fn released(&self, until: Timestamp, limit: u32) -> Result<Vec<QueueEntry>, StoreError> {
        self.delivery.run(move |conn| released(conn, until, limit)).await
    }

    async fn wake_held(
        &self,
        tenant_id: &TenantId,
        phone_number_id: Option<&PhoneNumberId>,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut woken = 0;
        let mut after = None;
        loop {
            let (tenant_id, number) = (*tenant_id, phone_number_id.cloned());
            let chunk = self
                .writer
                .run(move |conn| wake_held(conn, tenant_id, number.as_ref(), at, after))
                .await?;
            woken += chunk.count;
            after = chunk.last;
            if after.is_none() {
                return Ok(woken);
            }
        }
    }
}

/// The index is sorted per status, so each status is asked for its most overdue and the answers are merged.
fn due(conn: &Connection, until: Timestamp, status: Option<Status>, limit: u32) -> Outcome<Vec<Message>> {
    load_first(conn, limit, |limit| most_overdue(conn, until, status, limit))
}

fn released(conn: &Connection, until: Timestamp, limit: u32) -> Outcome<Vec<QueueEntry>> {
    let mut select = conn.prepare_cached(RELEASED)?;
    let mut rows = select.query([until.as_millis()])?;
    let mut entries = Vec::new();
    while entries.len() < limit as usize
        && let Some(row) = rows.next()?
    {
        entries.extend(readable("message", row, entry(row)));
    }
    Ok(entries)
}

fn entry(row: &Row<'_>) -> Read<QueueEntry> {
    let mut cells = Cells::of(row);
    let message_id = cells.parse(MessageId::parse)?;
    let tenant_id = cells.parse(TenantId::parse)?;
    let phone_number_id = cells.parse(PhoneNumberId::parse)?;
    let (slot_at, created_at) = (cells.maybe_time()?, cells.time()?);
    Ok(QueueEntry {
        key: JobKey::Send(MessageKey { tenant_id, message_id }),
        phone_number_id,
        slot_at: slot_at.unwrap_or(created_at),
        drive: cells.get()?,
        priority: cells.parse(Priority::parse)?,
        is_awaited: false,
    })
}

fn most_overdue(conn: &Connection, until: Timestamp, status: Option<Status>, limit: u32) -> Outcome<Vec<i64>> {
    let mut select = conn.prepare_cached(DUE)?;
    let mut overdue: Vec<(i64, i64)> = Vec::new();
    let all = Status::ALL.into_iter().filter(|any| *any != Status::Received);
    for status in all.filter(|any| status.is_none_or(|only| only == *any)) {
        let rows = select.query_map(params![status.as_str(), until.as_millis(), limit], |row| {
            Ok((number(row, 0)?, number(row, 1)?))
        })?;
        for row in rows {
            overdue.push(row?);
        }
    }
    overdue.sort_unstable();
    overdue.truncate(limit as usize);
    Ok(overdue.into_iter().map(|(_, seq)| seq).collect())
}

/// Slots are asked for by priority and timers by status, as their indexes are sorted.
fn ahead_of(conn: &Connection, of: Timestamp, limit: u32) -> Outcome<Vec<i64>> {
    let lanes = Priority::ALL.map(|priority| (SLOT_AHEAD, priority.as_str()));
    let unsettled = Status::ALL.into_iter().filter(|status| status.is_unsettled());
    let timers = unsettled.map(|status| (TIMER_AHEAD, status.as_str()));
    let mut found = BTreeSet::new();
    for (sql, name) in lanes.into_iter().chain(timers) {
        let mut select = conn.prepare_cached(sql)?;
        let rows = select.query_map(params![name, of.as_millis(), limit], |row| number(row, 1))?;
        for row in rows {
            found.insert(row?);
        }
    }
    Ok(found.into_iter().take(limit as usize).collect())
}

/// The result of one commit of waking.
struct WokenChunk {
    count: u64,
    /// Where the next one goes on; `None` when all are awake.
    last: Option<String>,
}

/// Wakes held messages with an id after `after`. Their version goes up: whoever is just saving one with another timer
/// must look at it again.
fn wake_held(
    conn: &Connection,
    tenant_id: TenantId,
    phone_number_id: Option<&PhoneNumberId>,
    at: Timestamp,
    after: Option<String>,
) -> Outcome<WokenChunk> {
    let mut held: Vec<i64> = Vec::new();
    let mut last: Option<String> = None;
    {
        let mut select = conn.prepare_cached(HELD)?;
        let mut rows = select.query(params![
            tenant_id.to_string(),
            phone_number_id.map(PhoneNumberId::as_str),
            after.unwrap_or_default(),
            WOKEN_PER_COMMIT_MAX
        ])?;
        while let Some(row) = rows.next()? {
            // A row whose id cannot be read is woken as well: whoever finds it due tells of it.
            held.push(number(row, 1)?);
            last = readable("message", row, Cells::of(row).get()).or(last);
        }
    }
    let mut update = conn.prepare_cached(
        "UPDATE messages SET wake_at = ?1, updated_at = max(updated_at, ?1), version = version + 1 WHERE seq = ?2",
    )?;
    for seq in &held {
        update.execute(params![at.as_millis(), seq])?;
    }
    let is_full = held.len() == WOKEN_PER_COMMIT_MAX as usize;
    Ok(WokenChunk {
        count: held.len() as u64,
        last: last.filter(|_| is_full),
    })
}
