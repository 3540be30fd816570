//! Pages of lists: how many are built at a time, and how many bytes of them wait for their clients.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use dakghar_core::domain::Problem;
use dakghar_core::metrics::{Budget, Counter, Limit, Metrics};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::budget::{ByteBudget, Lease, exhausted};
use super::shown::Shown;
use super::views::PageView;

/// Pages that are read and written as JSON at a time.
const BUILDING_MAX: usize = 8;
/// The same of one owner: its slow lists leave room for those of others.
const BUILDING_OF_OWNER_MAX: usize = 2;
/// The time that a request may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pages under way.
pub(super) struct Pages<K> {
    budget: ByteBudget<K>,
    building: Arc<Semaphore>,
    by_owner: Mutex<HashMap<K, Weak<Semaphore>>>,
    refused: Counter,
    patience: Duration,
}

impl<K: Clone + Eq + Hash> Pages<K> {
    /// Makes room for this many bytes of pages, of which one owner may have half.
    pub(super) fn new(bytes_max: usize, metrics: &Metrics) -> Self {
        Self {
            budget: ByteBudget::new(bytes_max, Budget::Pages, metrics),
            building: Arc::new(Semaphore::new(BUILDING_MAX)),
            by_owner: Mutex::new(HashMap::new()),
            refused: metrics.refused.of(Limit::PagesAtOnce).clone(),
            patience: PATIENCE,
        }
    }

    /// Waits for the turn of this owner to build a page. Fails with `503 overloaded` when that takes too long.
    pub(super) async fn turn(&self, owner: K) -> Result<Turn<K>, Problem> {
        let of_owner = self.turns_of(&owner);
        // Its own turn comes first: whoever waits for that must not keep a place from others.
        let turns = async { (permit(of_owner).await, permit(Arc::clone(&self.building)).await) };
        let permits = tokio::time::timeout(self.patience, turns).await.map_err(|_| {
            self.refused.inc();
            exhausted()
        })?;
        Ok(Turn {
            lease: self.budget.lease(owner),
            permits,
        })
    }

    fn turns_of(&self, owner: &K) -> Arc<Semaphore> {
        let mut by_owner = self.by_owner.lock();
        if let Some(turns) = by_owner.get(owner).and_then(Weak::upgrade) {
            return turns;
        }
        by_owner.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(BUILDING_OF_OWNER_MAX));
        by_owner.insert(owner.clone(), Arc::downgrade(&turns));
        turns
    }
}

async fn permit(turns: Arc<Semaphore>) -> OwnedSemaphorePermit {
    turns.acquire_owned().await.expect("never closed")
}

/// The turn to build one page.
pub(super) struct Turn<K: Clone + Eq + Hash> {
    lease: Lease<K>,
    permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Turn<K> {
    /// Answers with this as JSON. Its bytes count until the client has taken them or gone. Fails with `503 overloaded`
    /// when too many wait for their clients already.
    pub(super) fn answer(self, page: &impl Serialize) -> Result<Response, Problem> {
        let json = serde_json::to_vec(page).expect("texts, numbers and JSON");
        let mut response = Response::new(Body::from(self.lease(json)?));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    /// Answers with a page of a list. What the answer has is counted, for whoever records that it was read.
    pub(super) fn page<T: Serialize>(self, page: &PageView<T>) -> Result<Response, Problem> {
        let mut response = self.answer(page)?;
        response.extensions_mut().insert(Shown(page.len()));
        Ok(response)
    }

    /// Returns the text of a page as a part of an answer, whose bytes count in the same way.
    pub(super) fn lease(self, text: Vec<u8>) -> Result<Bytes, Problem> {
        let Self { mut lease, permits } = self;
        lease.grow(text.capacity())?;
        drop(permits);
        Ok(Bytes::from_owner(Leased { text, _lease: lease }))
    }
}

/// Text that stays in a budget for as long as anything refers to it. A connection holds on to the bytes of an answer
/// after it has dropped its body.
struct Leased<K: Clone + Eq + Hash> {
    text: Vec<u8>,
    _lease: Lease<K>,
}

impl<K: Clone + Eq + Hash> AsRef<[u8]> for Leased<K> {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_page_keeps_its_bytes_until_the_last_of_them_is_gone() {
        let pages = Pages::new(300, &Metrics::default());
        let answer = async |text: usize| pages.turn("a").await.expect("a turn").answer(&"x".repeat(text));
        let first = answer(98).await.expect("room");
        assert!((100..=150).contains(&pages.budget.used()), "as much as the JSON has");
        let problem = answer(98).await.expect_err("beyond the share");
        assert_eq!(problem.code.as_str(), "overloaded");
        let sent = first.into_body().collect().await.expect("readable").to_bytes();
        assert!(answer(98).await.is_err(), "a connection still holds it");
        drop(sent);
        assert_eq!(pages.budget.used(), 0);
        assert!(answer(98).await.is_ok());
    }

    #[tokio::test]
    async fn slow_lists_of_one_owner_hold_up_only_its_own() {
        let metrics = Metrics::default();
        let mut pages = Pages::new(1000, &metrics);
        pages.patience = Duration::from_millis(20);
        let slow = [
            pages.turn("a").await.expect("a turn"),
            pages.turn("a").await.expect("a turn"),
        ];
        assert!(pages.turn("a").now_or_never().is_none(), "it waits for its own");
        assert!(
            pages.turn("b").now_or_never().is_some_and(|turn| turn.is_ok()),
            "another does not"
        );
        let problem = pages.turn("a").await.err().expect("too long a wait");
        assert_eq!(problem.code.as_str(), "overloaded");
        assert_eq!(metrics.refused.of(Limit::PagesAtOnce).get(), 1);
        drop(slow);
        assert!(pages.turn("a").now_or_never().is_some_and(|turn| turn.is_ok()));
    }
}
