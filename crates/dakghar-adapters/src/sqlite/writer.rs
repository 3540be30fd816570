//! The one thread that writes.
//!
//! SQLite allows one writer at a time; here it never waits for a lock of its own process. What queued up while a
//! commit was being written becomes the next commit, and nobody is answered before it is on the disk. A piece of work
//! that fails takes only itself back; a failure of the disk takes back everything in the commit.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use dakghar_core::domain::feed::FeedEnd;
use dakghar_core::ports::{Remains, StoreError};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::checkpoint::{self, Checkpointer};
use super::failure::{Failure, Outcome};
use super::{grown, people_erased};
use crate::told::Told;
use crate::vital::vital_thread;

/// Pieces of work in one commit at most.
const WORK_PER_COMMIT_MAX: usize = 256;
/// Pieces of work that may wait; whoever comes then waits to be let in.
const WORK_WAITING_MAX: usize = 1024;
/// The bytes of work that brings no texts along.
const SMALL_WORK_BYTES: usize = 16 * 1024;
/// The bytes of work at which a commit takes no more of it.
const COMMIT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The bytes of work that may wait or be under way; whoever comes then waits to be let in. A larger piece goes alone.
const WORK_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// One piece of work together with the way back to whoever asked for it.
trait Work: Send {
    /// Does it, inside the transaction.
    fn run(&mut self, conn: &Connection) -> Outcome<()>;
    /// Tells how it ended: after the commit, or instead of it.
    fn answer(self: Box<Self>, error: Option<StoreError>);
}

struct Asked<T, F> {
    work: Option<F>,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Work for Asked<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Outcome<T> + Send,
{
    fn run(&mut self, conn: &Connection) -> Outcome<()> {
        let work = self.work.take().expect("work runs once");
        self.done = Some(work(conn)?);
        Ok(())
    }

    fn answer(self: Box<Self>, error: Option<StoreError>) {
        let answer = match error {
            Some(error) => Err(error),
            None => Ok(self.done.expect("work without an error is done")),
        };
        // Whoever asked may have given up waiting; the work is durable all the same.
        let _ = self.reply.send(answer);
    }
}

enum Order {
    Work(Piece),
    /// Empty the log, unless somebody reads in it.
    EmptyLog(oneshot::Sender<()>),
    /// Overwrite what deleted records have left behind.
    ClearRemains(oneshot::Sender<Result<Remains, StoreError>>),
    /// Empty the log and end.
    Close(oneshot::Sender<()>),
}

/// A piece of work, and its bytes for as long as it waits or is under way.
struct Piece {
    work: Box<dyn Work>,
    bytes: u32,
    room: OwnedSemaphorePermit,
}

/// Why nothing is written any more, once that is so.
type Doubt = Arc<OnceLock<StoreError>>;

/// The way to the writer thread.
pub(super) struct Writer {
    orders: mpsc::Sender<Order>,
    room: Arc<Semaphore>,
    doubt: Doubt,
}

impl Writer {
    /// Starts the thread. It ends when it is told to, or when this is dropped.
    pub(super) fn start(conn: Connection, checkpointer: Checkpointer, told: Arc<Told>) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel(WORK_WAITING_MAX);
        let doubt = Doubt::default();
        let thread = WriterThread {
            conn,
            checkpointer,
            inbox,
            told,
            doubt: doubt.clone(),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "ends when its channel closes; `close` waits for that"
        )]
        std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || vital_thread("the writer of the store", || thread.serve()))?;
        let room = Arc::new(Semaphore::new(WORK_BYTES_MAX as usize));
        Ok(Self { orders, room, doubt })
    }

    /// Why it writes nothing any more, if it has stopped for good.
    pub(super) fn stopped(&self) -> Option<String> {
        self.doubt.get().map(ToString::to_string)
    }

    /// Does the work, which has few bytes, in a transaction and returns when that is on the disk.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        self.run_sized(SMALL_WORK_BYTES, work).await
    }

    /// The same for work that has about so many bytes.
    pub(super) async fn run_sized<T, F>(&self, bytes: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(WORK_BYTES_MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await;
        let room = room.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let asked = Asked {
            work: Some(work),
            done: None,
            reply,
        };
        let piece = Piece {
            work: Box::new(asked),
            bytes,
            room,
        };
        if self.orders.send(Order::Work(piece)).await.is_err() {
            return Err(closed());
        }
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Empties the log into the database file, so that what was overwritten there is not left in it. While somebody reads
    /// in it, it stays for a later time.
    pub(super) async fn empty_log(&self) {
        let (emptied, wait) = oneshot::channel();
        if self.orders.send(Order::EmptyLog(emptied)).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// Overwrites what deleted records have left behind in the file and its log.
    pub(super) async fn clear_remains(&self) -> Result<Remains, StoreError> {
        let (cleared, wait) = oneshot::channel();
        if self.orders.send(Order::ClearRemains(cleared)).await.is_err() {
            return Err(closed());
        }
        wait.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Finishes what was asked for, empties the log into the database file and ends the thread.
    pub(super) async fn close(&self) {
        let (closed, wait) = oneshot::channel();
        if self.orders.send(Order::Close(closed)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it was closed".into())
}

struct WriterThread {
    conn: Connection,
    checkpointer: Checkpointer,
    inbox: mpsc::Receiver<Order>,
    /// Which feeds have grown.
    told: Arc<Told>,
    doubt: Doubt,
}

impl WriterThread {
    fn serve(mut self) {
        let mut close = None;
        while close.is_none() {
            let (mut emptied, mut cleared) = (None, None);
            let Some(first) = self.inbox.blocking_recv() else { break };
            let (mut batch, mut rooms, mut bytes) = (Vec::new(), Vec::new(), 0);
            let mut next = Some(first);
            while let Some(order) = next.take() {
                match order {
                    Order::Work(piece) => {
                        batch.push(piece.work);
                        rooms.push(piece.room);
                        bytes += piece.bytes as usize;
                    }
                    Order::EmptyLog(reply) => emptied = Some(reply),
                    Order::ClearRemains(reply) => cleared = Some(reply),
                    Order::Close(closed) => close = Some(closed),
                }
                let is_ended = close.is_some() || emptied.is_some() || cleared.is_some();
                if !is_ended && batch.len() < WORK_PER_COMMIT_MAX && bytes < COMMIT_BYTES_MAX {
                    next = self.inbox.try_recv().ok();
                }
            }
            if !batch.is_empty() {
                self.commit(batch);
            }
            drop(rooms);
            if let Some(emptied) = emptied {
                let moved = checkpoint::empty_log(&self.conn);
                self.report_move(moved);
                let _ = emptied.send(());
            }
            if let Some(cleared) = cleared {
                let remains = self.clear_remains();
                let _ = cleared.send(remains);
            }
        }
        let is_sound = self.doubt.get().is_none();
        drop(self.checkpointer);
        if is_sound && let Err(failure) = checkpoint::move_log(&self.conn, "truncate") {
            let error = failure.to_store_error();
            tracing::warn!(%error, "the log could not be emptied; the next start does it");
        }
        drop(self.conn);
        if let Some(closed) = close {
            let _ = closed.send(());
        }
    }

    fn clear_remains(&mut self) -> Result<Remains, StoreError> {
        match self.doubt.get() {
            Some(doubt) => Err(doubt.clone()),
            None => people_erased::clear(&self.conn).map_err(|failure| self.judge(&failure)),
        }
    }

    /// One transaction, then the answers, then the housekeeping that nobody waits for.
    fn commit(&mut self, mut batch: Vec<Box<dyn Work>>) {
        let result = match self.doubt.get() {
            Some(doubt) => Err(doubt.clone()),
            None => self.write(&mut batch).map_err(|failure| self.judge(&failure)),
        };
        match result {
            Ok((errors, added)) => {
                self.told.put(&added);
                for (work, error) in batch.into_iter().zip(errors) {
                    work.answer(error.map(|failure| failure.to_store_error()));
                }
                let moved = self.checkpointer.look_after(&self.conn);
                self.report_move(moved);
            }
            Err(error) => {
                for work in batch {
                    work.answer(Some(error.clone()));
                }
            }
        }
    }

    /// Does the work of the batch and commits it. An error concerns the whole batch and leaves nothing behind; the
    /// errors inside the `Ok` concern single pieces. Beside them is what was added to feeds.
    fn write(&self, batch: &mut [Box<dyn Work>]) -> Outcome<(Vec<Option<Failure>>, Vec<FeedEnd>)> {
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let written = self.write_all(batch).and_then(|written| {
            self.conn.prepare_cached("COMMIT")?.execute([])?;
            Ok(written)
        });
        if written.is_err() && !self.conn.is_autocommit() {
            // A transaction that cannot be rolled back is not committed either; the next BEGIN will say so.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        written
    }

    fn write_all(&self, batch: &mut [Box<dyn Work>]) -> Outcome<(Vec<Option<Failure>>, Vec<FeedEnd>)> {
        // Work that is alone can be undone with the transaction and needs no savepoint of its own.
        if let [only] = batch {
            let (done, added) = run(only.as_mut(), &self.conn);
            return done.map(|()| (vec![None], added));
        }
        let (mut errors, mut all_added) = (Vec::with_capacity(batch.len()), Vec::new());
        for work in batch {
            self.conn.prepare_cached("SAVEPOINT work")?.execute([])?;
            let (done, added) = run(work.as_mut(), &self.conn);
            let error = done.err();
            if let Some(failure) = error {
                if failure.spoils_the_batch() || self.conn.is_autocommit() {
                    return Err(failure);
                }
                self.conn.prepare_cached("ROLLBACK TO work")?.execute([])?;
                errors.push(Some(failure));
            } else {
                all_added.extend(added);
                errors.push(None);
            }
            self.conn.prepare_cached("RELEASE work")?.execute([])?;
        }
        Ok((errors, all_added))
    }

    /// Says when the log could not be moved. Everything is still in it, so nothing is lost; unless the disk itself is
    /// in doubt, it is tried again after the next commit.
    fn report_move(&mut self, moved: Outcome<()>) {
        if let Err(failure) = moved {
            let error = self.judge(&failure);
            tracing::warn!(%error, "the log could not be moved into the database file");
        }
    }

    /// Stops writing for good when the disk is in doubt.
    fn judge(&mut self, failure: &Failure) -> StoreError {
        let error = failure.to_store_error();
        if !failure.makes_the_disk_doubtful() {
            return error;
        }
        tracing::error!(%error, "the writer has stopped for good: check the disk, then restart");
        let doubt = StoreError::Unavailable(format!(
            "the disk did not keep what was written, so nothing more is written until a restart: {error}"
        ));
        self.doubt.get_or_init(|| doubt).clone()
    }
}

/// Runs one piece of work; a panic in it is an error like any other. Returns what it added to feeds as well.
fn run(work: &mut dyn Work, conn: &Connection) -> (Outcome<()>, Vec<FeedEnd>) {
    let done = catch_unwind(AssertUnwindSafe(|| work.run(conn)))
        .unwrap_or_else(|_| Err(Failure::Damaged("work on the database panicked".into())));
    (done, grown::take())
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use parking_lot::Mutex;

    use super::super::cells::number;
    use super::super::connection;
    use super::*;

    #[tokio::test]
    async fn a_commit_ends_at_its_bytes_and_no_more_of_them_wait() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("writer.sqlite3");
        let open = || connection::open_writer(&file).expect("opens");
        std::fs::File::create(&file).expect("created");
        let create = "PRAGMA journal_mode = wal; CREATE TABLE pieces (n)";
        open().execute_batch(create).expect("runs");
        let checkpointer = Checkpointer::start(open()).expect("starts");
        let writer = Writer::start(open(), checkpointer, Arc::default()).expect("starts");
        let beside = Arc::new(Mutex::new(open()));

        let (go, gate) = std::sync::mpsc::sync_channel::<()>(0);
        let first = writer.run(move |_| {
            gate.recv().expect("open");
            Ok(())
        });
        let pieces = (0..6).map(|n| {
            let beside = beside.clone();
            writer.run_sized(COMMIT_BYTES_MAX, move |conn| {
                conn.execute("INSERT INTO pieces VALUES (?)", [n])?;
                let count = "SELECT count(*) FROM pieces";
                Ok(beside.lock().query_row(count, [], |row| number(row, 0))?)
            })
        });
        let (mut first, mut pieces) = (std::pin::pin!(first), std::pin::pin!(join_all(pieces)));
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        assert!(futures_util::poll!(pieces.as_mut()).is_pending());
        let admitted = writer.orders.max_capacity() - writer.orders.capacity();
        assert!(admitted <= 4, "{admitted} pieces wait; the others wait to be let in");
        go.send(()).expect("it waits");
        let (first, committed) = tokio::join!(first, pieces);
        assert_eq!(first, Ok(()));
        let committed: Vec<i64> = committed.into_iter().map(|count| count.expect("done")).collect();
        assert_eq!(committed, [0, 1, 2, 3, 4, 5], "each had a commit to itself");
        writer.close().await;
        assert_eq!(writer.room.available_permits(), WORK_BYTES_MAX as usize);
    }
}
