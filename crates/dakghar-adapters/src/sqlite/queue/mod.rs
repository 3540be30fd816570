//! The queue of the embedded backend: the message table itself.
//!
//! Due messages are read from the index of the queued ones; kept in memory is only which messages are out with a
//! worker. So nothing can be lost with the memory, and whatever another process writes into the file is seen at the
//! next look.

pub(super) mod due;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{Clock, Disposition, DueWork, Job, JobKey, Queue, QueueEntry, QueueError, StoreHealth};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Mutex, Notify};
use tokio::time::sleep;

use super::SqliteStore;
use due::{Book, Chosen, Due};

/// The longest sleep: messages that another process made due are seen after this.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The rest of a message after its job was dropped without an end, so that a worker that fails at once (because the
/// store does not answer, for example) does not get it back in a tight loop.
const REST_AFTER_DROP: Duration = Duration::from_millis(200);

/// The rest of a message that cannot be read. It stays queued in the table, and must not stand in the others' way
/// there; when it was mended, it is sent.
const REST_UNREADABLE: Duration = Duration::from_mins(1);

/// Due messages of a [`SqliteStore`].
pub struct SqliteQueue {
    store: Arc<SqliteStore>,
    clock: Arc<dyn Clock>,
    /// Something may have become due.
    changed: Notify,
    /// When the taker looks again by itself, in milliseconds: news of messages due later need not wake it.
    looks_at: AtomicI64,
    closed: AtomicBool,
    /// Which messages are out, and how far the looks came. Locked by a look, which runs on another thread.
    book: Arc<parking_lot::Mutex<Book>>,
    /// One taker at a time; the others wait here.
    ends: Mutex<Ends>,
}

/// Comes back with the `seq` of each message whose job has ended, and whether it may be due again.
type Ends = FuturesUnordered<BoxFuture<'static, (i64, bool)>>;

impl SqliteQueue {
    /// The queue over this store. There must be one at most per file.
    pub fn new(store: Arc<SqliteStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            changed: Notify::new(),
            looks_at: AtomicI64::new(i64::MAX),
            closed: AtomicBool::new(false),
            book: Arc::default(),
            ends: Mutex::new(Ends::new()),
        }
    }

    /// Messages that are due now and not out, fairly chosen; and when the next one will be due.
    async fn look(&self, max: usize) -> Result<Chosen, QueueError> {
        let (now, book) = (self.clock.now(), self.book.clone());
        self.store
            .delivery
            .run(move |conn| due::choose(conn, now, &mut book.lock(), max))
            .await
            .map_err(|error| QueueError(error.to_string()))
    }

    fn hand_out(&self, ends: &Ends, due: &Due) -> Job {
        let seq = due.seq;
        let (job, end) = Job::new(JobKey::Send(due.key), due.drive);
        self.book.lock().out.insert(seq);
        ends.push(Box::pin(async move {
            match end.await {
                Ok(Disposition::Done | Disposition::Dead(_)) => (seq, false),
                Ok(Disposition::Superseded) => (seq, true),
                Ok(Disposition::Unreadable) => {
                    sleep(REST_UNREADABLE).await;
                    (seq, true)
                }
                Err(_) => {
                    sleep(REST_AFTER_DROP).await;
                    (seq, true)
                }
            }
        }));
        job
    }

    /// Forgets the messages whose jobs have ended.
    fn collect(&self, ends: &mut Ends) {
        while let Some(Some((seq, _))) = ends.next().now_or_never() {
            self.book.lock().out.remove(&seq);
        }
    }

    /// Sleeps until something may be due.
    async fn rest(&self, ends: &mut Ends, next_slot_at: Option<Timestamp>) {
        let now = self.clock.now();
        let pause = next_slot_at.map_or(LOOK_EVERY, |at| at.since(now)).min(LOOK_EVERY);
        self.looks_at.store((now + pause).as_millis(), Ordering::Release);
        let timer = sleep(pause);
        tokio::pin!(timer);
        loop {
            tokio::select! {
                () = self.changed.notified() => return,
                () = &mut timer => return,
                Some((seq, may_be_due)) = ends.next() => {
                    self.book.lock().out.remove(&seq);
                    if may_be_due {
                        return;
                    }
                }
            }
        }
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    fn window(&self) -> Option<Duration> {
        None
    }

    async fn enqueue(&self, entries: &[QueueEntry]) -> Result<(), QueueError> {
        // The messages are in the table already; the taker looks for itself how soon they are due.
        let looks_at = self.looks_at.load(Ordering::Acquire);
        if entries.iter().any(|entry| entry.slot_at.as_millis() < looks_at) {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// After [`Queue::close`] the result is empty.
    async fn take(&self, max: usize) -> Result<Vec<Job>, QueueError> {
        let mut ends = self.ends.lock().await;
        while max > 0 && !self.closed.load(Ordering::Acquire) {
            self.collect(&mut ends);
            // A look may miss what is being stored meanwhile, so all of that is news.
            self.looks_at.store(i64::MAX, Ordering::Release);
            let chosen = self.look(max).await?;
            if !chosen.due.is_empty() {
                return Ok(chosen.due.iter().map(|due| self.hand_out(&ends, due)).collect());
            }
            self.rest(&mut ends, chosen.next_slot_at).await;
        }
        // The takers behind this one must not wait either.
        self.changed.notify_one();
        Ok(Vec::new())
    }

    async fn due_work(&self) -> Result<Vec<DueWork>, QueueError> {
        let now = self.clock.now();
        let counted = self.store.delivery.run(move |conn| due::waiting(conn, now)).await;
        counted.map_err(|error| QueueError(error.to_string()))
    }

    async fn ping(&self) -> Result<(), QueueError> {
        self.store.ping().await.map_err(|error| QueueError(error.to_string()))
    }

    async fn lost(&self) {
        std::future::pending::<()>().await;
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}
