//! Connections to the file: one that writes, some that read.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// The wait for another process that is writing, such as an administration command.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection; there are about sixty different ones in all.
const STATEMENTS_MAX: usize = 96;
/// Page cache of the writer, in KiB. It holds the right edges of the indexes; the system caches the rest of the file.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Page cache of a reader, in KiB.
const READER_CACHE_KIB: i64 = 2 * 1024;
/// To how many bytes the log is cut back after a burst made it longer.
const LOG_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// The connection that writes. The file must exist; it may be empty.
pub(super) fn open_writer(file: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    // A reader never waits for the writer, and a commit is one append and one fsync.
    conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    conn.pragma_update(None, "synchronous", "full")?;
    // `checkpoint` moves the log: SQLite's own way makes a commit wait and swallows the errors.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    // What is deleted is overwritten: nothing of a removed tenant may be left in the file.
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    conn.pragma_update(None, "foreign_keys", false)?;
    conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    tune(&conn)?;
    Ok(conn)
}

/// A connection that cannot write.
pub(super) fn open_reader(file: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    tune(&conn)?;
    Ok(conn)
}

fn tune(conn: &Connection) -> rusqlite::Result<()> {
    // Otherwise a prepared statement is prepared anew each time a parameter of its `LIMIT` has another value.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    // No memory map: a read error would then be a signal that kills the process instead of an error to answer.
    conn.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    // Do not believe a damaged file that a page is inside itself.
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}
