//! Opening the file: who may, whether it is whole, and what to tell the operator when not.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use dakghar_core::domain::time::Timestamp;
use rusqlite::{Connection, ErrorCode};

use super::connection;
use super::migrations::{self, MigrationError};

/// The name of the file when a directory was given.
pub const FILE_NAME: &str = "dakghar.sqlite3";
/// After an unclean end, a file up to this many bytes is checked page by page before it is used: that takes less than
/// half a second. A larger one is left to `integrity_check`.
const CHECKED_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Problems told about one damaged file.
const PROBLEMS_MAX: usize = 20;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server uses it, or a migration.
    #[error(
        "another process is using {} (it holds {}): a server, or a migration; one file serves one process",
        file.display(), lock.display()
    )]
    InUse {
        /// The database file.
        file: PathBuf,
        /// The lock file.
        lock: PathBuf,
    },
    /// There is none.
    #[error("there is no {}: that is not the folder of an embedded installation", file.display())]
    Missing {
        /// The database file.
        file: PathBuf,
    },
    /// Its installation has moved to another store.
    #[error(
        "{} was moved to {successor} at {at}, which sends its messages now; a server started here would send them a \
         second time. Use the new installation (MONGO_URI). To go back: {} says how", file.display(), mark.display()
    )]
    Retired {
        /// The database file.
        file: PathBuf,
        /// The file that says so.
        mark: PathBuf,
        /// Where the installation is now.
        successor: String,
        /// Since when.
        at: Timestamp,
    },
    /// A newer release has changed its schema.
    #[error(
        "{} was written by a newer release (schema {found}, this release knows {known}): run that release, or restore \
         a backup from before the upgrade", file.display()
    )]
    NewerSchema {
        /// The database file.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this release knows.
        known: usize,
    },
    /// It is a database of something else.
    #[error("{} is an SQLite database of another program; choose another file or directory", file.display())]
    Foreign {
        /// The database file.
        file: PathBuf,
    },
    /// It is not whole.
    #[error(
        "{file} is damaged: {problem}. Nothing was changed. To restore it: stop every process that uses it, move it \
         and the files {file}-wal and {file}-shm away together, and put a backup in its place; without a backup, \
         `sqlite3 {file} .recover | sqlite3 recovered.sqlite3` saves what can be read", file = file.display()
    )]
    Damaged {
        /// The database file.
        file: PathBuf,
        /// The problem that was found.
        problem: String,
    },
    /// The file or its directory cannot be used.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite cannot use it, for example because another process keeps it locked.
    #[error("{} cannot be opened: {source}", file.display())]
    Sqlite {
        /// The database file.
        file: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

impl OpenError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn sqlite(file: &Path, source: rusqlite::Error) -> Self {
        let file = file.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged {
                file,
                problem: source.to_string(),
            },
            _ => Self::Sqlite { file, source },
        }
    }
}

/// The database file for a path that names it or the directory for it.
pub(super) fn file_of(dir_or_file: &Path) -> PathBuf {
    if dir_or_file.is_dir() {
        dir_or_file.join(FILE_NAME)
    } else {
        dir_or_file.to_owned()
    }
}

/// Makes sure that this is the only server of the file. The lock ends with the process, however it ends.
pub(super) fn lock(file: &Path) -> Result<File, OpenError> {
    let path = beside(file, ".lock");
    let lock = private(&path).map_err(|source| OpenError::io(&path, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            file: file.to_owned(),
            lock: path,
        }),
        Err(TryLockError::Error(source)) => Err(OpenError::io(&path, source)),
    }
}

/// Creates the file, for its owner only, and the directory for it, if they do not exist.
pub(super) fn create(file: &Path) -> Result<(), OpenError> {
    if let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|source| OpenError::io(dir, source))?;
    }
    // SQLite would create it readable by everybody; the files beside it inherit its mode.
    private(file).map(drop).map_err(|source| OpenError::io(file, source))
}

pub(super) fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens the connection that writes: recovers what a crash left behind, checks the file and migrates it.
pub(super) fn open_checked(file: &Path) -> Result<Connection, OpenError> {
    let log = beside(file, "-wal");
    let ended_uncleanly = std::fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let mut conn = connection::open_writer(file).map_err(|source| OpenError::sqlite(file, source))?;
    if ended_uncleanly {
        check(&conn, file)?;
    }
    migrations::migrate(&mut conn).map_err(|error| match error {
        MigrationError::Newer { found, known } => OpenError::NewerSchema {
            file: file.to_owned(),
            found,
            known,
        },
        MigrationError::Foreign => OpenError::Foreign { file: file.to_owned() },
        MigrationError::Sql(source) => OpenError::sqlite(file, source),
    })?;
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
