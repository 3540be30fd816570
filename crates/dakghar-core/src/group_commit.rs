//! Many requests, one commit: what arrives while a commit is being written is the next one.
//!
//! There is no timer and no added delay. An idle group commits a single request at once; a busy one grows its
//! batches until the store keeps up. The queue is bounded: past the bound the caller is told at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_channel::{mpsc, oneshot};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};

/// A future that nobody has spawned yet.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How large a group may grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests in one commit.
    pub batch_max: usize,
    /// Commits that may be under way at a time.
    pub commits_max: usize,
    /// Requests that may wait.
    pub waiting_max: usize,
}

/// Why a request was not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Too many requests are waiting.
    #[error("too many requests are waiting")]
    Full,
    /// The process is stopping.
    #[error("the process is stopping")]
    Closed,
}

struct Request<In, Out> {
    input: In,
    answer: oneshot::Sender<Out>,
}

/// The entrance to a group commit; cheap to clone.
pub struct GroupCommit<In, Out> {
    entrance: mpsc::UnboundedSender<Request<In, Out>>,
    // The bound is counted here: a bounded channel grants every clone of its sender a place of its own.
    waiting: Arc<AtomicUsize>,
    waiting_max: usize,
}

impl<In, Out> Clone for GroupCommit<In, Out> {
    fn clone(&self) -> Self {
        Self {
            entrance: self.entrance.clone(),
            waiting: self.waiting.clone(),
            waiting_max: self.waiting_max,
        }
    }
}

impl<In, Out> GroupCommit<In, Out>
where
    In: Send + 'static,
    Out: Send + 'static,
{
    /// A group that commits with `commit`, which answers every request of its batch in order. The second part must
    /// be spawned; it ends when every entrance is dropped and everything that waits was committed.
    pub fn new<F, Fut>(limits: Limits, commit: F) -> (Self, BoxFuture<()>)
    where
        F: Fn(Vec<In>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Out>> + Send + 'static,
    {
        let (entrance, arrivals) = mpsc::unbounded();
        let waiting = Arc::new(AtomicUsize::new(0));
        let group = Self {
            entrance,
            waiting: waiting.clone(),
            waiting_max: limits.waiting_max,
        };
        (group, run(limits, Arc::new(commit), arrivals, waiting).boxed())
    }

    /// Adds the request to the next commit and does not wait for it. Answers whether there was room.
    pub fn post(&self, input: In) -> bool {
        self.enter(input).is_ok()
    }

    /// Waits until the request is committed.
    pub async fn submit(&self, input: In) -> Result<Out, Rejected> {
        self.enter(input)?.await.map_err(|_| Rejected::Closed)
    }

    fn enter(&self, input: In) -> Result<oneshot::Receiver<Out>, Rejected> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.waiting_max {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Rejected::Full);
        }
        let (answer, answered) = oneshot::channel();
        self.entrance
            .unbounded_send(Request { input, answer })
            .map_err(|_| Rejected::Closed)?;
        Ok(answered)
    }
}

async fn run<In, Out, F, Fut>(
    limits: Limits,
    commit: Arc<F>,
    arrivals: mpsc::UnboundedReceiver<Request<In, Out>>,
    waiting: Arc<AtomicUsize>,
) where
    F: Fn(Vec<In>) -> Fut + Send + Sync,
    Fut: Future<Output = Vec<Out>> + Send,
    In: Send,
    Out: Send,
{
    let mut batches = arrivals.ready_chunks(limits.batch_max).fuse();
    let mut under_way = FuturesUnordered::new();
    loop {
        if under_way.len() >= limits.commits_max {
            under_way.next().await;
            continue;
        }
        futures_util::select_biased! {
            () = under_way.select_next_some() => {}
            batch = batches.next() => match batch {
                Some(batch) => {
                    waiting.fetch_sub(batch.len(), Ordering::Relaxed);
                    under_way.push(answer_all(commit.clone(), batch));
                }
                None => break,
            },
        }
    }
    while under_way.next().await.is_some() {}
}

async fn answer_all<In, Out, F, Fut>(commit: Arc<F>, batch: Vec<Request<In, Out>>)
where
    F: Fn(Vec<In>) -> Fut,
    Fut: Future<Output = Vec<Out>>,
{
    let (inputs, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|request| (request.input, request.answer)).unzip();
    let outputs = commit(inputs).await;
    debug_assert_eq!(outputs.len(), answers.len());
    for (answer, output) in answers.into_iter().zip(outputs) {
        // The caller may have gone away; the commit stands.
        let _ = answer.send(output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use futures_util::future::join_all;
    use parking_lot::Mutex;

    fn limits(waiting_max: usize) -> Limits {
        Limits {
            batch_max: 8,
            commits_max: 1,
            waiting_max,
        }
    }

    #[test]
    fn requests_that_wait_share_a_commit_and_each_gets_its_own_answer() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let seen = sizes.clone();
        let (group, run) = GroupCommit::new(limits(100), move |batch: Vec<u32>| {
            seen.lock().push(batch.len());
            async move { batch.into_iter().map(|n| n * 2).collect() }
        });
        let answers = block_on(async {
            let asks = join_all((0..20).map(|n| {
                let group = group.clone();
                async move { group.submit(n).await }
            }));
            drop(group);
            futures_util::join!(asks, run).0
        });
        assert_eq!(answers, (0..20).map(|n| Ok(n * 2)).collect::<Vec<_>>());
        assert_eq!(*sizes.lock(), [8, 8, 4]);
    }

    #[test]
    fn past_the_bound_the_caller_is_told() {
        let (group, _run) = GroupCommit::new(limits(1), |batch: Vec<u32>| async move { batch });
        block_on(async {
            let first = group.submit(1);
            futures_util::pin_mut!(first);
            assert!(futures_util::poll!(&mut first).is_pending());
            assert_eq!(group.submit(2).await, Err(Rejected::Full));
        });
    }

    #[test]
    fn a_stopped_group_says_so() {
        let (group, run) = GroupCommit::new(limits(1), |batch: Vec<u32>| async move { batch });
        drop(run);
        assert_eq!(block_on(group.submit(1)), Err(Rejected::Closed));
    }
}
