//! Who changes the schema of the file, and what is kept of how it was.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::backup::Progress;
use rusqlite::{Connection, MAIN_DB};

use super::migrations::{self, MigrationError, NEWEST};
use super::open::{self, OpenError};

/// Looks of a command at a file that a server is making at this moment, before it gives up.
const LOOKS_AT_NEW_FILE: u32 = 50;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Makes sure that the file has the present schema. Only who holds the lock changes an older one, after a copy of the file.
/// Anybody may make the first one, because nobody can be using it.
pub(super) fn ensure(conn: &mut Connection, file: &Path, lock: Option<&File>) -> Result<(), OpenError> {
    let error = |error| error_of(file, error);
    let taken = migrations::steps_taken(conn).map_err(error)?;
    match (taken, lock) {
        (NEWEST, _) => Ok(()),
        (0, None) => make(conn, file),
        (0, Some(_)) => migrations::migrate(conn).map_err(error),
        (found, None) => Err(OpenError::OlderSchema {
            file: file.to_owned(),
            found,
            known: NEWEST,
        }),
        (found, Some(_)) => {
            let copy = keep_copy(conn, file)?;
            tracing::info!(from = found, to = NEWEST, copy = %copy.display(), "changing the schema of the store");
            migrations::migrate(conn).map_err(error)
        }
    }
}

/// Makes the schema of an empty file, or waits for the server that does.
fn make(conn: &mut Connection, file: &Path) -> Result<(), OpenError> {
    let mut looks = 0;
    let _lock = loop {
        match open::lock(file) {
            Err(OpenError::InUse { .. }) if looks < LOOKS_AT_NEW_FILE => sleep(LOOK_EVERY),
            lock => break lock?,
        }
        if migrations::steps_taken(conn).map_err(|error| error_of(file, error))? == NEWEST {
            return Ok(());
        }
        looks += 1;
    };
    migrations::migrate(conn).map_err(|error| error_of(file, error))
}

/// Copies the file as it is, with what is only in its log, under a name that says before which schema. A copy of an earlier
/// try is replaced, because that try left the file unchanged.
fn keep_copy(conn: &Connection, file: &Path) -> Result<PathBuf, OpenError> {
    let copy = open::beside(file, &format!(".before-{NEWEST}"));
    let unfinished = open::beside(file, ".copying");
    let io = |source| OpenError::io(&unfinished, source);
    // A crash may have left part of a copy here.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    // SQLite would create it readable by everybody.
    let written = open::private(&unfinished).map_err(io)?;
    conn.backup(MAIN_DB, &unfinished, None::<fn(Progress)>)
        .map_err(|source| OpenError::sqlite(&unfinished, source))?;
    written.sync_all().map_err(io)?;
    fs::rename(&unfinished, &copy).map_err(io)?;
    open::sync_folder(&copy).map_err(io)?;
    Ok(copy)
}

pub(super) fn error_of(file: &Path, error: MigrationError) -> OpenError {
    let file = file.to_owned();
    match error {
        MigrationError::Newer { found, known } => OpenError::NewerSchema { file, found, known },
        MigrationError::Foreign => OpenError::Foreign { file },
        MigrationError::Sql(source) => OpenError::sqlite(&file, source),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;
    use crate::sqlite::{SqliteOptions, SqliteStore, connection};

    /// The file of an earlier release, with one event. Its writer is open, so that the event is only in the log.
    fn of_an_earlier_release() -> (TempDir, PathBuf, Connection) {
        let dir = TempDir::new().expect("a folder");
        let file = dir.path().join("dakghar.sqlite3");
        open::create(&file).expect("made");
        let writer = connection::open_writer(&file).expect("opened");
        migrations::as_left_by(&writer, 5);
        let event = "INSERT INTO events (id, reason, field, received_at, raw, fingerprint) \
                     VALUES ('e', 'unknown_field', 'f', 1, 'what Meta sent', x'70')";
        writer.execute(event, []).expect("stored");
        (dir, file, writer)
    }

    fn open_store(file: &Path, lock_exclusive: bool) -> Result<std::sync::Arc<SqliteStore>, OpenError> {
        let options = SqliteOptions {
            lock_exclusive,
            ..SqliteOptions::default()
        };
        SqliteStore::open(file, &options)
    }

    fn steps(file: &Path) -> usize {
        let conn = connection::open_reader(file).expect("opened");
        migrations::steps_taken(&conn).expect("read")
    }

    fn event(file: &Path) -> String {
        let conn = connection::open_reader(file).expect("opened");
        conn.query_row("SELECT raw FROM events", [], |row| row.get(0))
            .expect("the event")
    }

    #[test]
    fn who_has_no_lock_leaves_an_older_schema_as_it_is_and_says_the_way_out() {
        let (_dir, file, _writer) = of_an_earlier_release();
        let Err(refused) = open_store(&file, false) else {
            panic!("it was opened")
        };
        assert!(
            matches!(
                refused,
                OpenError::OlderSchema {
                    found: 5,
                    known: NEWEST,
                    ..
                }
            ),
            "{refused}"
        );
        assert!(refused.to_string().contains("dakghar serve"), "{refused}");
        assert_eq!(steps(&file), 5);
    }

    #[tokio::test]
    async fn a_server_changes_an_older_schema_after_a_private_and_whole_copy() {
        let (_dir, file, writer) = of_an_earlier_release();
        let store = open_store(&file, true).expect("changed");
        assert_eq!(steps(&file), NEWEST);
        assert_eq!(event(&file), "what Meta sent");
        let copy = open::beside(&file, &format!(".before-{NEWEST}"));
        assert_eq!((steps(&copy), event(&copy).as_str()), (5, "what Meta sent"));
        let mode = fs::metadata(&copy).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
        assert!(!open::beside(&file, ".copying").exists());
        drop(writer);
        store.close().await;
        drop(store);
        // A restart has nothing to change, and leaves the copy alone.
        fs::write(&copy, "the operator's").expect("written");
        open_store(&file, true).expect("opened").close().await;
        assert_eq!(fs::read_to_string(&copy).expect("it is there"), "the operator's");
    }

    #[tokio::test]
    async fn what_a_crash_left_of_a_copy_is_replaced() {
        let (_dir, file, _writer) = of_an_earlier_release();
        fs::write(open::beside(&file, ".copying"), "half of it").expect("written");
        open_store(&file, true).expect("changed").close().await;
        assert_eq!(steps(&open::beside(&file, &format!(".before-{NEWEST}"))), 5);
    }

    #[test]
    fn without_a_copy_nothing_is_changed() {
        let (_dir, file, _writer) = of_an_earlier_release();
        // Where a folder is, no file can be.
        fs::create_dir(open::beside(&file, ".copying")).expect("made");
        assert!(matches!(open_store(&file, true), Err(OpenError::Io { .. })));
        assert_eq!(steps(&file), 5);
    }

    #[tokio::test]
    async fn a_command_may_make_the_first_schema_and_waits_for_a_server_that_does() {
        let dir = TempDir::new().expect("a folder");
        let file = dir.path().join("dakghar.sqlite3");
        open_store(&file, false).expect("made").close().await;
        assert_eq!(steps(&file), NEWEST);
        let copies = fs::read_dir(dir.path()).expect("read").flatten();
        assert!(
            copies
                .into_iter()
                .all(|entry| !entry.file_name().to_string_lossy().contains("before"))
        );

        let file = dir.path().join("other.sqlite3");
        open::create(&file).expect("made");
        let lock = open::lock(&file).expect("the server's");
        let mut server = connection::open_writer(&file).expect("opened");
        std::thread::scope(|threads| {
            let command = threads.spawn(|| open_store(&file, false).map(|_| ()));
            migrations::migrate(&mut server).expect("made");
            command.join().expect("no panic").expect("opened");
        });
        drop(lock);
    }
}
