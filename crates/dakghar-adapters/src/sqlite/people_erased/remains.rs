//! What deleted records leave behind in the file and its log.
//!
//! SQLite overwrites what is deleted, but not the copies of records that moved to another page when theirs was split:
//! those stay in the unused part of a page until it is written anew. So the whole file is written anew, if it is not too
//! large for that, and the log is cut to nothing.

use std::time::Duration;

use dakghar_core::ports::Remains;
use rusqlite::Connection;

use crate::sqlite::cells::number;
use crate::sqlite::connection::BUSY_TIMEOUT;
use crate::sqlite::failure::Outcome;

/// The file up to which it is rewritten while others wait to write: a second or two.
const REWRITTEN_BYTES_MAX: i64 = 256 * 1024 * 1024;
/// The wait for those who read in the log; nothing is written meanwhile.
const PATIENCE: Duration = Duration::from_millis(200);

/// Rewrites the file and cuts its log. Outside of a transaction.
pub(in crate::sqlite) fn clear(conn: &Connection) -> Outcome<Remains> {
    // Who reads for long would have it rewritten again and again.
    if !cut_log(conn)? {
        return Ok(Remains::InUse);
    }
    let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let bytes = conn.prepare(size)?.query_row([], |row| number(row, 0))?;
    if bytes > REWRITTEN_BYTES_MAX {
        return Ok(Remains::InLargeFile);
    }
    // The copy that is made on the way would be in memory otherwise.
    conn.pragma_update(None, "temp_store", "file")?;
    let rewritten = conn.execute_batch("VACUUM");
    conn.pragma_update(None, "temp_store", "memory")?;
    if let Err(error) = rewritten {
        tracing::warn!(%error, "the file of the store could not be rewritten; traces of what was erased may be left in it");
        return Ok(Remains::InLargeFile);
    }
    Ok(if cut_log(conn)? { Remains::None } else { Remains::InUse })
}

/// Moves the log into the file and cuts it to nothing. Returns false if somebody reads in it.
fn cut_log(conn: &Connection) -> Outcome<bool> {
    conn.busy_timeout(PATIENCE)?;
    let mut cut = conn.prepare("PRAGMA wal_checkpoint(truncate)")?;
    let is_busy = cut.query_row([], |row| number(row, 0));
    conn.busy_timeout(BUSY_TIMEOUT)?;
    Ok(is_busy? == 0)
}
