//! A copy of the file as it is at one moment, taken while a server uses it, and such a copy put in the file's place.
//!
//! The copy is made inside one read transaction, so that what is written meanwhile is not in it. Restoring prepares the
//! whole file beside the store's and moves it into place last. While the prepared file is there, nobody opens the store:
//! whatever a crash has left half done, the same command goes on.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use dakghar_core::domain::time::Timestamp;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, params};

use super::open::{self, OpenError};
use super::{checked, connection, migrations, retirement, schema};

/// Pages copied between two reports of progress, 4 MiB of the usual ones.
const PAGES_PER_STEP: i32 = 1_024;
/// Stores that were replaced and are still kept, before another restore is refused.
const KEPT_MAX: u32 = 1_000;
/// What a restore prepares beside the file.
const PREPARED: &str = ".restoring";

/// What a copy of a store has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupContents {
    /// The steps that its schema has taken.
    pub schema: usize,
    /// The file.
    pub measure: FileMeasure,
    /// The rows of each table, by name.
    pub rows: Vec<(String, u64)>,
}

/// By what a file is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeasure {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Vec<u8>,
}

/// Copies the file, or the one in the directory, into a new file, and checks the copy page by page. `show` is told how
/// many pages are copied of how many. A server may go on meanwhile; its log grows by what it writes.
///
/// # Errors
///
/// If the file is missing, damaged or of another program, or the copy cannot be written.
pub fn back_up(dir_or_file: &Path, copy: &Path, show: &dyn Fn(u64, u64)) -> Result<BackupContents, OpenError> {
    let file = open::file_of(dir_or_file);
    if !file.is_file() {
        return Err(OpenError::Missing { file });
    }
    refuse_unfinished(&file)?;
    let of_file = |source| OpenError::sqlite(&file, source);
    let conn = connection::open_writer(&file).map_err(of_file)?;
    let schema = migrations::steps_taken(&conn).map_err(|error| schema::error_of(&file, error))?;
    // What is read from here on is of one moment, also for the copy.
    conn.execute_batch("BEGIN").map_err(of_file)?;
    let rows = count_rows(&conn).map_err(of_file)?;
    let written = open::new(copy).map_err(|source| OpenError::io(copy, source))?;
    copy_pages(&conn, copy, show)?;
    written.sync_all().map_err(|source| OpenError::io(copy, source))?;
    if check(copy)? != rows {
        return Err(OpenError::Damaged {
            file: copy.to_owned(),
            problem: "it has other rows than the store had".into(),
        });
    }
    Ok(BackupContents {
        schema,
        measure: measure(copy).map_err(|source| OpenError::io(copy, source))?,
        rows,
    })
}

/// Reads a copy as it lies there.
///
/// # Errors
///
/// If it cannot be read.
pub fn measure(copy: &Path) -> io::Result<FileMeasure> {
    let mut file = File::open(copy)?;
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut portion = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match file.read(&mut portion)? {
            0 => break,
            read => {
                hash.update(&portion[..read]);
                bytes += read as u64;
            }
        }
    }
    Ok(FileMeasure {
        bytes,
        sha256: hash.finish().as_ref().to_vec(),
    })
}

/// Puts a copy in the place of the file, or of the one in the directory, with all sending held since `held_since`. What
/// was there is kept under another name, which is returned; without `replaces` the place must be free.
///
/// # Errors
///
/// If a server uses the store, the place is taken, or the copy is damaged, or of a newer or too old a release.
pub fn restore(
    copy: &Path,
    dir_or_file: &Path,
    held_since: Timestamp,
    replaces: bool,
) -> Result<Option<PathBuf>, OpenError> {
    let file = open::file_of(dir_or_file);
    retirement::refuse(&file)?;
    let _lock = open::lock(&file)?;
    let prepared = open::beside(&file, PREPARED);
    let is_going_on = prepared.exists();
    if file.exists() && !replaces && !is_going_on {
        return Err(OpenError::Occupied { file });
    }
    if let Err(error) = prepare(copy, &prepared, held_since) {
        if !is_going_on {
            let _ = fs::remove_file(&prepared);
        }
        return Err(error);
    }
    let kept = if file.exists() { Some(put_aside(&file)?) } else { None };
    let io = |source| OpenError::io(&prepared, source);
    fs::rename(&prepared, &file).map_err(io)?;
    open::sync_folder(&file).map_err(io)?;
    Ok(kept)
}

/// Keeps everybody from a store whose restoring has not ended.
pub(super) fn refuse_unfinished(file: &Path) -> Result<(), OpenError> {
    if open::beside(file, PREPARED).exists() {
        return Err(OpenError::Restoring {
            file: file.to_owned(),
            prepared: open::beside(file, PREPARED),
        });
    }
    Ok(())
}

fn copy_pages(from: &Connection, to: &Path, show: &dyn Fn(u64, u64)) -> Result<(), OpenError> {
    let of_copy = |source| OpenError::sqlite(to, source);
    let mut copy = Connection::open(to).map_err(of_copy)?;
    // It is made durable as a whole when it is complete.
    copy.pragma_update(None, "synchronous", "off").map_err(of_copy)?;
    let backup = Backup::new(from, &mut copy).map_err(of_copy)?;
    loop {
        let step = backup.step(PAGES_PER_STEP).map_err(of_copy)?;
        let progress = backup.progress();
        let total = u64::try_from(progress.pagecount).unwrap_or(0);
        let left = u64::try_from(progress.remaining).unwrap_or(0);
        show(total.saturating_sub(left), total);
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // Another process has the file for the moment, such as a server that checks it at its start.
            _ => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    }
}

/// Checks a copy page by page, and returns the rows of its tables.
fn check(copy: &Path) -> Result<Vec<(String, u64)>, OpenError> {
    let of_copy = |source| OpenError::sqlite(copy, source);
    let conn = Connection::open(copy).map_err(of_copy)?;
    let problems = checked::problems(&conn, "integrity_check").map_err(of_copy)?;
    match problems.into_iter().next() {
        Some(problem) => Err(OpenError::Damaged {
            file: copy.to_owned(),
            problem,
        }),
        None => count_rows(&conn).map_err(of_copy),
    }
}

fn count_rows(conn: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    let names = tables.query_map([], |row| row.get::<_, String>(0))?;
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let count = |name: String| {
        let sql = format!("SELECT count(*) FROM \"{name}\"");
        let rows: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
        Ok((name, rows.cast_unsigned()))
    };
    names.into_iter().map(count).collect()
}

/// Writes the file that will be the store, from the beginning, and holds all sending in it.
fn prepare(copy: &Path, prepared: &Path, held_since: Timestamp) -> Result<(), OpenError> {
    let of_prepared = |source| OpenError::io(prepared, source);
    for left in ["", "-wal", "-shm"] {
        remove(&open::beside(prepared, left)).map_err(of_prepared)?;
    }
    let mut written = open::new(prepared).map_err(of_prepared)?;
    let mut from = File::open(copy).map_err(|source| OpenError::io(copy, source))?;
    io::copy(&mut from, &mut written).map_err(of_prepared)?;
    let of_sql = |source| OpenError::sqlite(prepared, source);
    let conn = connection::open_writer(prepared).map_err(of_sql)?;
    migrations::steps_taken(&conn).map_err(|error| schema::error_of(prepared, error))?;
    conn.execute(
        "INSERT OR REPLACE INTO sending_hold (one, since) VALUES (1, ?)",
        params![held_since.as_millis()],
    )
    .map_err(of_sql)?;
    // Closing moves the log into the file.
    conn.close().map_err(|(_, source)| of_sql(source))?;
    written.sync_all().map_err(of_prepared)?;
    open::sync_folder(prepared).map_err(of_prepared)
}

/// Moves the store and its log to a name that is free. The file goes last: who dies on the way goes on under this name.
fn put_aside(file: &Path) -> Result<PathBuf, OpenError> {
    let name = |n: u32| open::beside(file, &format!(".replaced-{n}"));
    let aside = (1..=KEPT_MAX).map(name).find(|aside| !aside.exists());
    let aside = aside.ok_or_else(|| OpenError::io(file, io::Error::from(ErrorKind::AlreadyExists)))?;
    for part in ["-shm", "-wal", ""] {
        let from = open::beside(file, part);
        match fs::rename(&from, open::beside(&aside, part)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(OpenError::io(&from, error)),
            _ => {}
        }
    }
    Ok(aside)
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const SINCE: Timestamp = Timestamp::from_millis(5);

    /// A store that a server uses, with some events of which the last are in its log only.
    fn used(events: usize) -> (TempDir, PathBuf, Connection) {
        let dir = TempDir::new().expect("a folder");
        let file = dir.path().join(open::FILE_NAME);
        open::create(&file).expect("made");
        let mut writer = connection::open_writer(&file).expect("opened");
        migrations::migrate(&mut writer).expect("of the present schema");
        for n in 0..events {
            add(&writer, n);
        }
        (dir, file, writer)
    }

    fn add(writer: &Connection, n: usize) {
        let event = "INSERT INTO events (id, reason, field, received_at, raw, fingerprint) \
                     VALUES (?1, 'unknown_field', 'f', 1, printf('%08000d', 0), CAST(?1 AS BLOB))";
        writer.execute(event, [format!("e{n}")]).expect("stored");
    }

    fn events(file: &Path) -> u64 {
        let conn = Connection::open(file).expect("opened");
        let rows = count_rows(&conn).expect("counted");
        rows.into_iter().find(|(name, _)| name == "events").expect("a table").1
    }

    #[test]
    fn a_copy_has_what_the_store_had_when_it_was_begun() {
        let (dir, file, writer) = used(2_000);
        let copy = dir.path().join("copy");
        let shown = std::cell::RefCell::new(Vec::new());
        let contents = back_up(dir.path(), &copy, &|done, total| {
            // What is written meanwhile is not in it, and does not make it begin again.
            add(&writer, 10_000 + shown.borrow().len());
            shown.borrow_mut().push((done, total));
        })
        .expect("copied");
        assert_eq!(events(&copy), 2_000);
        assert!(events(&file) > 2_001, "several steps");
        let shown = shown.into_inner();
        assert!(shown.is_sorted() && shown.last().is_some_and(|(done, total)| done == total));
        assert!(contents.rows.contains(&("events".into(), 2_000)));
        assert_eq!(contents.schema, migrations::NEWEST);
        let measured = measure(&copy).expect("read");
        assert_eq!(contents.measure, measured);
        assert!(back_up(dir.path(), &copy, &|_, _| {}).is_err(), "there is one");
    }

    #[test]
    fn a_restored_store_is_held_and_what_was_there_is_kept() {
        let (dir, file, writer) = used(3);
        let copy = dir.path().join("copy");
        back_up(dir.path(), &copy, &|_, _| {}).expect("copied");
        add(&writer, 3);
        let occupied = restore(&copy, &file, SINCE, false).expect_err("the place is taken");
        assert!(matches!(occupied, OpenError::Occupied { .. }), "{occupied}");
        // As after a kill: its log is there.
        std::mem::forget(writer);
        let kept = restore(&copy, &file, SINCE, true).expect("restored").expect("kept");
        assert_eq!((events(&file), events(&kept)), (3, 4));
        let conn = Connection::open(&file).expect("opened");
        let since = conn.query_row("SELECT since FROM sending_hold", [], |row| row.get::<_, i64>(0));
        assert_eq!(since.expect("held"), 5);
        let again = restore(&copy, &file, SINCE, true).expect("restored").expect("kept");
        assert_ne!(again, kept);
    }

    #[test]
    fn nobody_opens_a_store_before_its_restoring_has_ended() {
        let (dir, file, writer) = used(3);
        let copy = dir.path().join("copy");
        back_up(dir.path(), &copy, &|_, _| {}).expect("copied");
        drop(writer);
        // Died after the file was prepared, and with the store half put aside.
        prepare(&copy, &open::beside(&file, PREPARED), SINCE).expect("prepared");
        fs::remove_file(&file).expect("moved");
        for opened in [
            crate::sqlite::SqliteStore::open(&file, &crate::sqlite::SqliteOptions::default()).err(),
            back_up(dir.path(), &dir.path().join("other"), &|_, _| {}).err(),
        ] {
            assert!(opened.is_some(), "not opened");
        }
        assert!(!file.exists(), "and not made");
        restore(&copy, &file, SINCE, false).expect("goes on");
        assert_eq!(events(&file), 3);
        assert!(!open::beside(&file, PREPARED).exists());
    }

    #[test]
    fn a_damaged_copy_is_told_before_anything_changes() {
        let (dir, file, writer) = used(3);
        drop(writer);
        let copy = dir.path().join("copy");
        fs::write(
            &copy,
            "no database at all, and long enough to be read as one".repeat(100),
        )
        .expect("written");
        let error = restore(&copy, &file, SINCE, true).expect_err("damaged");
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        assert!(!open::beside(&file, PREPARED).exists());
        assert_eq!(events(&file), 3);
    }
}
