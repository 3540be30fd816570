//! The processes that take webhooks.

use async_trait::async_trait;
use dakghar_core::domain::listening::{Gap, Listener};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{ListenerStore, StoreError};
use rusqlite::{Row, params};

use super::SqliteStore;
use super::cells::{Cells, Read, asked_for};

const KEEP: &str = "\
    INSERT OR REPLACE INTO listeners (process, heard_until, gap_from, gap_until, has_ended) VALUES (?, ?, ?, ?, ?)";
const ALL: &str = "SELECT process, heard_until, gap_from, gap_until, has_ended FROM listeners";
const FORGET: &str = "DELETE FROM listeners WHERE heard_until < ?1 AND ifnull(gap_until, heard_until) < ?1";

#[async_trait]
impl ListenerStore for SqliteStore {
    async fn keep_listener(&self, listener: &Listener) -> Result<(), StoreError> {
        let listener = listener.clone();
        self.writer
            .run(move |conn| {
                conn.prepare_cached(KEEP)?.execute(params![
                    &*listener.process,
                    listener.heard_until.as_millis(),
                    listener.gap.map(|gap| gap.from.as_millis()),
                    listener.gap.map(|gap| gap.until.as_millis()),
                    listener.has_ended,
                ])?;
                Ok(())
            })
            .await
    }

    async fn listeners(&self) -> Result<Vec<Listener>, StoreError> {
        self.delivery
            .run(|conn| {
                let mut select = conn.prepare_cached(ALL)?;
                let mut rows = select.query([])?;
                let mut listeners = Vec::new();
                while let Some(row) = rows.next()? {
                    listeners.push(asked_for("listener", row, listener(row)));
                }
                Ok(listeners)
            })
            .await?
            .into_iter()
            .collect()
    }

    async fn forget_listeners(&self, before: Timestamp) -> Result<(), StoreError> {
        self.writer
            .run(move |conn| {
                conn.prepare_cached(FORGET)?.execute([before.as_millis()])?;
                Ok(())
            })
            .await
    }
}

fn listener(row: &Row<'_>) -> Read<Listener> {
    let mut cells = Cells::of(row);
    let (process, heard_until) = (cells.get::<String>()?.into(), cells.time()?);
    let (from, until) = (cells.maybe_time()?, cells.maybe_time()?);
    Ok(Listener {
        process,
        heard_until,
        gap: from.zip(until).map(|(from, until)| Gap { from, until }),
        has_ended: cells.get()?,
    })
}
