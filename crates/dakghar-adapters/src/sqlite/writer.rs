//! The one thread that writes.
//!
//! SQLite allows one writer at a time; here it never waits for a lock of its own process. What queued up while a
//! commit was being written becomes the next commit, and nobody is answered before it is on the disk. A piece of work
//! that fails takes only itself back; a failure of the disk takes back everything in the commit.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dakghar_core::ports::StoreError;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::{self, Checkpointer};
use super::failure::{Failure, Outcome};

/// Pieces of work in one commit at most.
const WORK_PER_COMMIT_MAX: usize = 256;
/// Pieces of work that may wait; whoever comes then waits to be let in.
const WORK_WAITING_MAX: usize = 1024;
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
    Work(Box<dyn Work>),
    /// Empty the log and end.
    Close(oneshot::Sender<()>),
}

/// The way to the writer thread.
pub(super) struct Writer {
    orders: mpsc::Sender<Order>,
}

impl Writer {
    /// Starts the thread. It ends when it is told to, or when this is dropped.
    pub(super) fn start(conn: Connection, checkpointer: Checkpointer) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel(WORK_WAITING_MAX);
        let thread = WriterThread {
            conn,
            checkpointer,
            inbox,
            doubt: None,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "ends when its channel closes; `close` waits for that"
        )]
        std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || thread.serve())?;
        Ok(Self { orders })
    }

    /// Does the work in a transaction and returns when that is on the disk.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let asked = Asked {
            work: Some(work),
            done: None,
            reply,
        };
        if self.orders.send(Order::Work(Box::new(asked))).await.is_err() {
            return Err(closed());
        }
        answer.await.unwrap_or_else(|_| Err(closed()))
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
    /// Why nothing is written any more.
    doubt: Option<StoreError>,
}

impl WriterThread {
    fn serve(mut self) {
        let mut close = None;
        while close.is_none() {
            let Some(first) = self.inbox.blocking_recv() else { break };
            let mut batch = Vec::new();
            let mut next = Some(first);
            while let Some(order) = next.take() {
                match order {
                    Order::Work(work) => batch.push(work),
                    Order::Close(closed) => close = Some(closed),
                }
                if close.is_none() && batch.len() < WORK_PER_COMMIT_MAX {
                    next = self.inbox.try_recv().ok();
                }
            }
            if !batch.is_empty() {
                self.commit(batch);
            }
        }
        let is_sound = self.doubt.is_none();
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

    /// One transaction, then the answers, then the housekeeping that nobody waits for.
    fn commit(&mut self, mut batch: Vec<Box<dyn Work>>) {
        let result = match &self.doubt {
            Some(doubt) => Err(doubt.clone()),
            None => self.write(&mut batch).map_err(|failure| self.judge(&failure)),
        };
        match result {
            Ok(errors) => {
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
    /// errors inside the `Ok` concern single pieces.
    fn write(&self, batch: &mut [Box<dyn Work>]) -> Outcome<Vec<Option<Failure>>> {
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let written = self.write_all(batch).and_then(|errors| {
            self.conn.prepare_cached("COMMIT")?.execute([])?;
            Ok(errors)
        });
        if written.is_err() && !self.conn.is_autocommit() {
            // A transaction that cannot be rolled back is not committed either; the next BEGIN will say so.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        written
    }

    fn write_all(&self, batch: &mut [Box<dyn Work>]) -> Outcome<Vec<Option<Failure>>> {
        // Work that is alone can be undone with the transaction and needs no savepoint of its own.
        if let [only] = batch {
            return run(only.as_mut(), &self.conn).map(|()| vec![None]);
        }
        let mut errors = Vec::with_capacity(batch.len());
        for work in batch {
            self.conn.prepare_cached("SAVEPOINT work")?.execute([])?;
            let error = run(work.as_mut(), &self.conn).err();
            if let Some(failure) = error {
                if failure.spoils_the_batch() || self.conn.is_autocommit() {
                    return Err(failure);
                }
                self.conn.prepare_cached("ROLLBACK TO work")?.execute([])?;
                errors.push(Some(failure));
            } else {
                errors.push(None);
            }
            self.conn.prepare_cached("RELEASE work")?.execute([])?;
        }
        Ok(errors)
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
        self.doubt.insert(doubt).clone()
    }
}

/// Runs one piece of work; a panic in it is an error like any other.
fn run(work: &mut dyn Work, conn: &Connection) -> Outcome<()> {
    catch_unwind(AssertUnwindSafe(|| work.run(conn)))
        .unwrap_or_else(|_| Err(Failure::Damaged("work on the database panicked".into())))
}
