//! The connection that writes, to a file that was looked at: whether it is whole, and of the present schema.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;

use super::open::{OpenError, beside};
use super::{connection, schema};

/// After an unclean end, a file up to this many bytes is checked page by page before it is used: that takes less than
/// half a second. A larger one is left to `integrity_check`.
const CHECKED_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Problems told about one damaged file.
const PROBLEMS_MAX: usize = 20;

/// Opens the connection that writes: recovers what a crash left behind, and checks the file. `lock` is that of whoever may
/// change the schema; others need the present one.
pub(super) fn open_checked(file: &Path, lock: Option<&File>) -> Result<Connection, OpenError> {
    let log = beside(file, "-wal");
    let ended_uncleanly = std::fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let mut conn = connection::open_writer(file).map_err(|source| OpenError::sqlite(file, source))?;
    if ended_uncleanly {
        check(&conn, file)?;
    }
    schema::ensure(&mut conn, file, lock)?;
    check_length(&conn, file)?;
    Ok(conn)
}

fn check(conn: &Connection, file: &Path) -> Result<(), OpenError> {
    let file_bytes = std::fs::metadata(file)
        .map_err(|source| OpenError::io(file, source))?
        .len();
    if file_bytes > CHECKED_BYTES_MAX {
        return Ok(());
    }
    let problems = problems(conn, "quick_check").map_err(|source| OpenError::sqlite(file, source))?;
    match problems.into_iter().next() {
        Some(problem) => Err(OpenError::Damaged {
            file: file.to_owned(),
            problem,
        }),
        None => Ok(()),
    }
}

/// Finds a file that was cut off. Pages that are still in the log need not be in the file yet.
fn check_length(conn: &Connection, file: &Path) -> Result<(), OpenError> {
    let sql_error = |source| OpenError::sqlite(file, source);
    let pages_in_log: i64 = conn
        .query_row("PRAGMA wal_checkpoint(noop)", [], |row| row.get(1))
        .map_err(sql_error)?;
    if pages_in_log > 0 {
        return Ok(());
    }
    let page_bytes: u64 = pragma(conn, "page_size").map_err(sql_error)?;
    let pages: u64 = pragma(conn, "page_count").map_err(sql_error)?;
    let file_bytes = std::fs::metadata(file)
        .map_err(|source| OpenError::io(file, source))?
        .len();
    if file_bytes < pages * page_bytes {
        return Err(OpenError::Damaged {
            file: file.to_owned(),
            problem: format!("it should have {} bytes and has {file_bytes}", pages * page_bytes),
        });
    }
    Ok(())
}

fn pragma(conn: &Connection, name: &str) -> rusqlite::Result<u64> {
    conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

/// The problems that `PRAGMA integrity_check` or `quick_check` finds; none when the file is whole.
pub(super) fn problems(conn: &Connection, check: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare(&format!("PRAGMA {check}({PROBLEMS_MAX})"))?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?;
    let lines = found.collect::<Result<Vec<_>, _>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}
