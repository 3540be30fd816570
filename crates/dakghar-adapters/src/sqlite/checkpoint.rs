//! Moving the log into the database file, mostly beside the writer.
//!
//! The log starts again from its beginning once all of it is in the database file. A second connection moves the bulk
//! while the writer goes on committing; the writer itself only moves the little that came meanwhile, so that nobody
//! waits for the many pages and the second fsync of a whole checkpoint.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::connection::BUSY_TIMEOUT;
use super::failure::Outcome;
use crate::vital::vital_thread;

/// Pages that only the log holds before the second connection begins to move them: 32 MiB.
const LOG_PAGES_MAX: i64 = 8 * 1024;
/// Pages at which the writer moves them itself, because the second connection cannot keep up: 256 MiB.
const LOG_PAGES_HARD_MAX: i64 = 64 * 1024;

/// The wait for those who read in a log that is to be emptied; nothing is written meanwhile.
const EMPTYING_PATIENCE: Duration = Duration::from_millis(200);

/// Commits between two looks at the length of the log: a look costs as much as several rows.
const COMMITS_PER_LOOK: u32 = 8;

/// The second connection, on a thread of its own.
pub(super) struct Checkpointer {
    begin: Option<SyncSender<()>>,
    ended: Receiver<Outcome<()>>,
    is_moving: bool,
    commits: u32,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(conn: Connection) -> io::Result<Self> {
        let (begin, begins) = sync_channel(1);
        let (end, ended) = sync_channel(1);
        #[expect(clippy::disallowed_methods, reason = "ends when its channel closes, and is joined")]
        let thread = std::thread::Builder::new().name("sqlite-log".into()).spawn(move || {
            vital_thread("the mover of the log", || {
                while begins.recv().is_ok() {
                    if end.send(move_log(&conn, "passive")).is_err() {
                        return;
                    }
                }
            });
        })?;
        Ok(Self {
            begin: Some(begin),
            ended,
            is_moving: false,
            commits: 0,
            thread: Some(thread),
        })
    }

    /// Sees to the length of the log; called by the writer after a commit, with its own connection.
    pub(super) fn look_after(&mut self, writer: &Connection) -> Outcome<()> {
        self.commits = self.commits.wrapping_add(1);
        if !self.commits.is_multiple_of(COMMITS_PER_LOOK) {
            return Ok(());
        }
        if self.is_moving {
            let ended = match self.ended.try_recv() {
                Err(TryRecvError::Empty) if pages_only_in_log(writer)? < LOG_PAGES_HARD_MAX => return Ok(()),
                // Too far behind: the writer waits, and with it everybody who would make it worse.
                Err(TryRecvError::Empty) => self.ended.recv().ok(),
                ended => ended.ok(),
            };
            self.is_moving = false;
            // No answer means that the thread has panicked; then the writer does all of it.
            ended.unwrap_or(Ok(()))?;
            return move_log(writer, "passive");
        }
        if pages_only_in_log(writer)? >= LOG_PAGES_MAX {
            self.is_moving = self.begin.as_ref().is_some_and(|begin| begin.try_send(()).is_ok());
            if !self.is_moving {
                return move_log(writer, "passive");
            }
        }
        Ok(())
    }
}

impl Drop for Checkpointer {
    /// Waits for a move under way: its connection must be closed before the writer closes the file.
    fn drop(&mut self) {
        self.begin = None;
        if let Some(thread) = self.thread.take() {
            // A panic there concerns nobody any more.
            let _ = thread.join();
        }
    }
}

/// Moves what is in the log into the database file, in one of SQLite's modes.
pub(super) fn move_log(conn: &Connection, mode: &str) -> Outcome<()> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    conn.prepare_cached(&sql)?.query_row([], |_| Ok(()))?;
    Ok(())
}

/// Moves all of the log and cuts it to nothing. Waits for a moment only while somebody reads in it; then it stays.
pub(super) fn empty_log(conn: &Connection) -> Outcome<()> {
    conn.busy_timeout(EMPTYING_PATIENCE)?;
    let moved = move_log(conn, "truncate");
    conn.busy_timeout(BUSY_TIMEOUT)?;
    moved
}

fn pages_only_in_log(conn: &Connection) -> Outcome<i64> {
    let mut noop = conn.prepare_cached("PRAGMA wal_checkpoint(noop)")?;
    Ok(noop.query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))?)
}
