//! Opening the file: who may, whether it is whole, and what to tell the operator when not.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use dakghar_core::domain::time::Timestamp;
use rusqlite::ErrorCode;

/// The name of the file when a directory was given.
pub const FILE_NAME: &str = "dakghar.sqlite3";

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
    /// A backup is being put in its place.
    #[error(
        "a backup is being restored to {}, or that was interrupted: run the same `dakghar restore` again, which goes on; \
         to give it up while the store is still there, remove {}", file.display(), prepared.display()
    )]
    Restoring {
        /// The database file.
        file: PathBuf,
        /// The file that will take its place.
        prepared: PathBuf,
    },
    /// There is a store where a backup should be restored to.
    #[error(
        "there is a store at {} already: with --replace the backup takes its place, and it is kept beside it",
        file.display()
    )]
    Occupied {
        /// The database file.
        file: PathBuf,
    },
    /// An older release wrote it, and only a server may change its schema.
    #[error(
        "{} was written by an older release (schema {found}, this release needs {known}): start `dakghar serve` of this \
         release once, which changes it and keeps a copy of how it was, or use the release that wrote it", file.display()
    )]
    OlderSchema {
        /// The database file.
        file: PathBuf,
        /// Its schema.
        found: usize,
        /// The schema that this release needs.
        known: usize,
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

/// Creates a file, for its owner only, that must not be there.
pub(super) fn new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Makes what was created, renamed or removed beside a file durable.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
