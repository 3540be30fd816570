//! The hold of all sending, and what waits behind it.

use async_trait::async_trait;
use dakghar_core::domain::hold::{SendingHold, UnsettledCount};
use dakghar_core::domain::ids::{PhoneNumberId, TenantId};
use dakghar_core::domain::message::Status;
use dakghar_core::domain::time::{Present, Timestamp};
use dakghar_core::ports::{HoldStore, StoreError};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::SqliteStore;
use super::cells::{Cells, Read, number, readable};
use super::failure::Outcome;
use super::rows::is_open;

const HOLD: &str = "SELECT since FROM sending_hold";
const BEGIN: &str = "INSERT OR REPLACE INTO sending_hold (one, since) VALUES (1, ?)";
const END: &str = "DELETE FROM sending_hold";

pub(super) const UNSETTLED: &str = concat!(
    "SELECT tenant_id, phone_number_id, status, count(*) AS messages, min(created_at), \
         count(CASE WHEN slot_at > ?1 THEN 1 END), count(CASE WHEN expires_at <= ?2 THEN 1 END) \
     FROM messages INDEXED BY messages_open \
     WHERE status IN ('queued', 'held', 'sending', 'in_doubt') AND ",
    is_open!(),
    " GROUP BY tenant_id, phone_number_id, status ORDER BY messages DESC, 1, 2, 3 LIMIT ?3"
);

#[async_trait]
impl HoldStore for SqliteStore {
    async fn sending_hold(&self) -> Result<Option<SendingHold>, StoreError> {
        self.delivery
            .run(|conn| {
                let mut select = conn.prepare_cached(HOLD)?;
                let since = select.query_row([], |row| number(row, 0)).optional()?;
                Ok(since.map(|since| SendingHold {
                    since: Timestamp::from_millis(since),
                }))
            })
            .await
    }

    async fn keep_sending_hold(&self, hold: Option<SendingHold>) -> Result<(), StoreError> {
        self.writer.run(move |conn| keep(conn, hold)).await
    }

    async fn unsettled_by_number(&self, present: Present, limit: u32) -> Result<Vec<UnsettledCount>, StoreError> {
        self.lists
            .run(move |conn| {
                let mut select = conn.prepare_cached(UNSETTLED)?;
                let (now, wall) = (present.now.as_millis(), present.wall.as_millis());
                let mut rows = select.query(params![now, wall, limit])?;
                let mut counts = Vec::new();
                while let Some(row) = rows.next()? {
                    counts.extend(readable("count of messages", row, count(row)));
                }
                Ok(counts)
            })
            .await
    }
}

/// Begins the hold, or ends it.
pub(super) fn keep(conn: &Connection, hold: Option<SendingHold>) -> Outcome<()> {
    match hold {
        Some(hold) => conn.prepare_cached(BEGIN)?.execute([hold.since.as_millis()])?,
        None => conn.prepare_cached(END)?.execute([])?,
    };
    Ok(())
}

fn count(row: &Row<'_>) -> Read<UnsettledCount> {
    let mut cells = Cells::of(row);
    Ok(UnsettledCount {
        tenant_id: cells.parse(TenantId::parse)?,
        phone_number_id: cells.parse(PhoneNumberId::parse)?,
        status: cells.parse(Status::parse)?,
        messages: cells.count()?,
        oldest: cells.time()?,
        later: cells.count()?,
        expired: cells.count()?,
    })
}
