//! Many requests, one commit: requests that arrive while a commit is being written form the next one.
//!
//! There is no timer and no added delay. An idle group commits a single request at once; a busy one grows its batches
//! until the store keeps up. Where several commits may be under way, they grow alike: a small one beside a large one
//! would cost the store as much. The queue and the batches are bounded, in requests and in bytes. Past the bound of the
//! queue a request fails at once. Requests that come in together are never parted: where they do not fit into the batch of
//! those before them, they begin the next one, also if it is larger than a batch may be.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_channel::{mpsc, oneshot};
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use prometheus_client::metrics::counter::Counter;

/// A future that nobody has spawned yet.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a request brings along.
pub trait Weighed {
    /// Returns about as many bytes as it has in memory.
    fn bytes(&self) -> usize;
}

impl<T: Weighed> Weighed for Vec<T> {
    fn bytes(&self) -> usize {
        self.iter().map(T::bytes).sum()
    }
}

/// The bounds of a group.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The most requests in one commit; more that came in together have a commit to themselves.
    pub batch_max: usize,
    /// The bytes of requests at which a commit takes no more of them; a larger one, or larger ones that came in together, have
    /// a commit to themselves.
    pub batch_bytes_max: usize,
    /// The most commits under way at a time.
    pub commits_max: usize,
    /// The most requests that may wait.
    pub waiting_max: usize,
    /// The most bytes of requests that may wait; a larger one may if it waits alone.
    pub waiting_bytes_max: usize,
    /// Counts the requests that found no room.
    pub refused: Counter,
}

/// The reason a request was not committed.
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
    bytes: usize,
    answer: oneshot::Sender<Out>,
}

/// Requests that come in together, and so are in one commit.
enum Arrival<In, Out> {
    One(Request<In, Out>),
    Many(Vec<Request<In, Out>>),
}

impl<In, Out> Arrival<In, Out> {
    fn requests(&self) -> &[Request<In, Out>] {
        match self {
            Self::One(request) => std::slice::from_ref(request),
            Self::Many(requests) => requests,
        }
    }

    fn bytes(&self) -> usize {
        self.requests().iter().map(|request| request.bytes).sum()
    }
}

/// The entrance to a group commit; cheap to clone.
pub struct GroupCommit<In, Out> {
    entrance: mpsc::UnboundedSender<Arrival<In, Out>>,
    // Counts for the bound: a bounded channel would grant every clone of its sender a place of its own.
    waiting: Arc<Waiting>,
    waiting_max: usize,
    waiting_bytes_max: usize,
    refused: Counter,
}

#[derive(Default)]
struct Waiting {
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

impl Waiting {
    fn leave(&self, requests: usize, bytes: usize) {
        self.requests.fetch_sub(requests, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl<In, Out> Clone for GroupCommit<In, Out> {
    fn clone(&self) -> Self {
        Self {
            entrance: self.entrance.clone(),
            waiting: self.waiting.clone(),
            waiting_max: self.waiting_max,
            waiting_bytes_max: self.waiting_bytes_max,
            refused: self.refused.clone(),
        }
    }
}

impl<In, Out> GroupCommit<In, Out>
where
    In: Weighed + Send + 'static,
    Out: Send + 'static,
{
    /// Makes a group that commits with `commit`, which returns one output for each request of its batch, in order. The
    /// future must be spawned. It ends after every entrance is dropped and every waiting request was committed.
    pub fn new<F, Fut>(limits: Limits, commit: F) -> (Self, BoxFuture<()>)
    where
        F: Fn(Vec<In>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Out>> + Send + 'static,
    {
        #[expect(clippy::disallowed_methods, reason = "the bound is counted at the entrance")]
        let (entrance, arrivals) = mpsc::unbounded();
        let waiting = Arc::<Waiting>::default();
        let group = Self {
            entrance,
            waiting: waiting.clone(),
            waiting_max: limits.waiting_max,
            waiting_bytes_max: limits.waiting_bytes_max,
            refused: limits.refused.clone(),
        };
        (group, run(limits, Arc::new(commit), arrivals, waiting).boxed())
    }

    /// Adds the request to the next commit and does not wait for it. Returns false if there was no room.
    pub fn post(&self, input: In) -> bool {
        self.enter(input).is_ok()
    }

    /// Adds the request to the next commit and waits for its output.
    pub async fn submit(&self, input: In) -> Result<Out, Rejected> {
        self.enter(input)?.await.map_err(|_| Rejected::Closed)
    }

    /// Adds all of these requests to one commit, and waits for their outputs, in order. Either all of them are added or none.
    pub async fn submit_all(&self, inputs: Vec<In>) -> Result<Vec<Result<Out, Rejected>>, Rejected> {
        let count = inputs.len();
        let weights: Vec<usize> = inputs.iter().map(In::bytes).collect();
        let bytes = weights.iter().sum();
        let requests_before = self.waiting.requests.fetch_add(count, Ordering::Relaxed);
        let bytes_before = self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        let is_too_much = bytes_before > 0 && bytes_before.saturating_add(bytes) > self.waiting_bytes_max;
        if requests_before >= self.waiting_max || is_too_much {
            self.waiting.leave(count, bytes);
            self.refused.inc();
            return Err(Rejected::Full);
        }
        let (requests, answers): (Vec<_>, Vec<_>) = inputs
            .into_iter()
            .zip(weights)
            .map(|(input, bytes)| {
                let (answer, answered) = oneshot::channel();
                (Request { input, bytes, answer }, answered)
            })
            .unzip();
        self.entrance
            .unbounded_send(Arrival::Many(requests))
            .map_err(|_| Rejected::Closed)?;
        let answers = join_all(answers).await.into_iter();
        Ok(answers.map(|answer| answer.map_err(|_| Rejected::Closed)).collect())
    }

    fn enter(&self, input: In) -> Result<oneshot::Receiver<Out>, Rejected> {
        let bytes = input.bytes();
        let requests_before = self.waiting.requests.fetch_add(1, Ordering::Relaxed);
        let bytes_before = self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        let is_too_much = bytes_before > 0 && bytes_before.saturating_add(bytes) > self.waiting_bytes_max;
        if requests_before >= self.waiting_max || is_too_much {
            self.waiting.leave(1, bytes);
            self.refused.inc();
            return Err(Rejected::Full);
        }
        let (answer, answered) = oneshot::channel();
        self.entrance
            .unbounded_send(Arrival::One(Request { input, bytes, answer }))
            .map_err(|_| Rejected::Closed)?;
        Ok(answered)
    }
}

async fn run<In, Out, F, Fut>(
    limits: Limits,
    commit: Arc<F>,
    arrivals: mpsc::UnboundedReceiver<Arrival<In, Out>>,
    waiting: Arc<Waiting>,
) where
    F: Fn(Vec<In>) -> Fut + Send + Sync,
    Fut: Future<Output = Vec<Out>> + Send,
    In: Send,
    Out: Send,
{
    let mut arrivals = arrivals.ready_chunks(limits.batch_max).fuse();
    let mut next = VecDeque::new();
    let mut requests_next = 0_usize;
    let mut under_way = FuturesUnordered::new();
    let mut requests_under_way = 0;
    loop {
        // While a commit is under way, another one starts only if it is no smaller. As many requests as can then share
        // the fixed cost of a commit, and none waits longer than for the commit that is under way.
        let is_worth_it = requests_next >= requests_under_way.min(limits.batch_max);
        if !next.is_empty() && is_worth_it && under_way.len() < limits.commits_max {
            let batch = take_batch(&mut next, &limits);
            waiting.leave(batch.len(), batch.iter().map(|request| request.bytes).sum());
            requests_next -= batch.len();
            requests_under_way += batch.len();
            under_way.push(commit_batch(commit.clone(), batch));
            continue;
        }
        futures_util::select_biased! {
            answered = under_way.select_next_some() => requests_under_way -= answered,
            arrived = arrivals.next() => {
                for arrival in arrived.into_iter().flatten() {
                    requests_next += arrival.requests().len();
                    next.push_back(arrival);
                }
            }
            complete => break,
        }
    }
}

/// Takes the requests of the next commit: those of the first arrival, and of as many behind it as fit.
fn take_batch<In, Out>(next: &mut VecDeque<Arrival<In, Out>>, limits: &Limits) -> Vec<Request<In, Out>> {
    let mut batch = Vec::new();
    let mut bytes = 0_usize;
    while let Some(arrival) = next.front() {
        let bytes_with_it = bytes.saturating_add(arrival.bytes());
        let requests_with_it = batch.len() + arrival.requests().len();
        let fits = requests_with_it <= limits.batch_max && bytes_with_it <= limits.batch_bytes_max;
        if !fits && !batch.is_empty() {
            break;
        }
        bytes = bytes_with_it;
        match next.pop_front() {
            Some(Arrival::One(request)) => batch.push(request),
            Some(Arrival::Many(requests)) => batch.extend(requests),
            None => break,
        }
    }
    batch
}

/// Commits a batch and sends each request its output. Returns the number of requests.
async fn commit_batch<In, Out, F, Fut>(commit: Arc<F>, batch: Vec<Request<In, Out>>) -> usize
where
    F: Fn(Vec<In>) -> Fut,
    Fut: Future<Output = Vec<Out>>,
{
    let (inputs, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|request| (request.input, request.answer)).unzip();
    let requests = answers.len();
    let outputs = commit(inputs).await;
    debug_assert_eq!(outputs.len(), requests);
    for (answer, output) in answers.into_iter().zip(outputs) {
        // The caller may have gone away; the commit stands.
        let _ = answer.send(output);
    }
    requests
}

#[cfg(test)]
mod tests;
