//! One transaction a commit, each fsynced (`synchronous=FULL`), on a thread of its own. The table is the queue as well.

use std::path::Path;

use rusqlite::{Connection, params};
use tokio::sync::mpsc;

use super::{BATCH_MAX, Waiting};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS messages (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL, tenant_id TEXT NOT NULL, direction TEXT NOT NULL,
        status TEXT NOT NULL, recipient TEXT NOT NULL, body TEXT NOT NULL, idempotency_key TEXT
    ) STRICT;
    CREATE UNIQUE INDEX IF NOT EXISTS by_id ON messages (tenant_id, id);
    CREATE UNIQUE INDEX IF NOT EXISTS by_key ON messages (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
    CREATE INDEX IF NOT EXISTS due ON messages (seq) WHERE status = 'queued';";
const INSERT: &str = "INSERT INTO messages (id, tenant_id, direction, status, recipient, body, idempotency_key)
    VALUES (?1, ?2, 'outbound', 'queued', ?3, ?4, ?5)";

/// Starts the thread that writes.
pub(crate) fn start(file: &Path, waiting: mpsc::Receiver<Waiting>) -> anyhow::Result<()> {
    let connection = Connection::open(file)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch(SCHEMA)?;
    std::thread::spawn(move || commit_all(&connection, waiting));
    Ok(())
}

fn commit_all(connection: &Connection, mut waiting: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while waiting.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
        let is_committed = commit(connection, &batch).is_ok();
        for Waiting { committed, .. } in batch.drain(..) {
            // A client that hung up does not need the answer.
            let _ = committed.send(is_committed);
        }
    }
}

fn commit(connection: &Connection, batch: &[Waiting]) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    let mut insert = transaction.prepare_cached(INSERT)?;
    for Waiting { message, .. } in batch {
        insert.execute(params![
            message.id,
            message.tenant_id,
            message.to,
            message.text,
            message.idempotency_key
        ])?;
    }
    drop(insert);
    transaction.commit()
}
