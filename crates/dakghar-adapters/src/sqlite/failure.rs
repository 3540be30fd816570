//! Why work on the database did not come out, and what follows from it for the batch and for the writer.

use dakghar_core::ports::StoreError;
use rusqlite::{ErrorCode, ffi};

/// Why a piece of work did not come out.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite said so.
    Sql(rusqlite::Error),
    /// The stored data makes no sense, or the work itself is broken.
    Damaged(String),
}

pub(super) type Outcome<T> = Result<T, Failure>;

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::FromSqlConversionFailure(column, ..)
            | rusqlite::Error::InvalidColumnType(column, ..)
            | rusqlite::Error::IntegralValueOutOfRange(column, _) => {
                Self::Damaged(format!("column {column} of a row cannot be read: {error}"))
            }
            error => Self::Sql(error),
        }
    }
}

impl Failure {
    fn sqlite(&self) -> Option<&ffi::Error> {
        match self {
            Self::Sql(rusqlite::Error::SqliteFailure(error, _)) => Some(error),
            Self::Sql(_) | Self::Damaged(_) => None,
        }
    }

    /// True when the transaction around the work must not be committed, although a savepoint could undo the work alone.
    pub(super) fn spoils_the_batch(&self) -> bool {
        self.sqlite().is_some_and(|error| {
            !matches!(
                error.code,
                ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch
            )
        })
    }

    /// True when bytes that SQLite believes to be on the disk may not be there. After a failed fsync the system forgets
    /// which pages were dirty, so a second one would succeed without having written anything: the only safe thing is
    /// to stop writing and to start again from what the disk really holds.
    pub(super) fn makes_the_disk_doubtful(&self) -> bool {
        self.sqlite().is_some_and(|error| {
            matches!(
                error.extended_code,
                ffi::SQLITE_IOERR_FSYNC
                    | ffi::SQLITE_IOERR_DIR_FSYNC
                    | ffi::SQLITE_IOERR_WRITE
                    | ffi::SQLITE_IOERR_TRUNCATE
            )
        })
    }

    /// The error for the caller of the port.
    pub(super) fn to_store_error(&self) -> StoreError {
        let error = match self {
            Self::Damaged(text) => return StoreError::Corrupt(text.clone()),
            Self::Sql(error) => error,
        };
        let text = error.to_string();
        let Some(sqlite) = self.sqlite() else {
            return StoreError::Corrupt(text);
        };
        // The shared memory file beside the database is grown before the log: on a full disk it is often the first
        // to fail, and SQLite has no better word for it than an IO error.
        if sqlite.extended_code == ffi::SQLITE_IOERR_SHMSIZE {
            return StoreError::Full(text);
        }
        match sqlite.code {
            ErrorCode::DiskFull => StoreError::Full(text),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                StoreError::Unavailable(format!("another process is writing to it: {text}"))
            }
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OperationInterrupted => StoreError::Unavailable(text),
            _ => StoreError::Corrupt(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(extended_code: i32) -> Failure {
        Failure::from(rusqlite::Error::SqliteFailure(ffi::Error::new(extended_code), None))
    }

    #[test]
    fn a_full_disk_can_be_freed_but_a_failed_fsync_is_the_end() {
        let full = failure(ffi::SQLITE_FULL);
        assert!(matches!(full.to_store_error(), StoreError::Full(_)));
        assert!(full.spoils_the_batch() && !full.makes_the_disk_doubtful());

        let fsync = failure(ffi::SQLITE_IOERR_FSYNC);
        assert!(matches!(fsync.to_store_error(), StoreError::Unavailable(_)));
        assert!(fsync.spoils_the_batch() && fsync.makes_the_disk_doubtful());
    }

    #[test]
    fn a_broken_rule_concerns_only_the_work_that_broke_it() {
        assert!(!failure(ffi::SQLITE_CONSTRAINT_UNIQUE).spoils_the_batch());
        assert!(failure(ffi::SQLITE_CORRUPT).spoils_the_batch());
    }
}
