//! Waiting for entries of feeds.
//!
//! There is one tail for a process, however many wait: it takes the news of all feeds, and looks now and then how far the
//! feeds go that somebody waits for, all in one call. So a reader that waits costs the store nothing. News say only that it is
//! worth a look; what the reader then finds in the store is what counts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::poll_fn;
use parking_lot::Mutex;

use super::changed::{ChangedEndpoints, EndpointsChanged};
use crate::app::failure::Failure;
use crate::app::outcomes::Outcomes;
use crate::domain::TenantId;
use crate::domain::feed::{FeedEnd, News, Place};
use crate::metrics::Metrics;
use crate::ports::{FeedNews, FeedStore, Ports, StoreError};
use crate::signal::Signal;

/// The wait between two looks at the store while news come through.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The same while none do.
const LOOK_WITHOUT_NEWS: Duration = Duration::from_secs(1);
/// Feeds that are looked at in one call.
const FEEDS_AT_ONCE: usize = 500;

/// Tells readers of feeds when there is more.
pub struct Watching {
    /// Those who wait for Meta's answers hear of them by the same news.
    outcomes: Arc<Outcomes>,
    feed: Arc<dyn FeedStore>,
    news: Arc<dyn FeedNews>,
    metrics: Arc<Metrics>,
    endpoints: ChangedEndpoints,
    /// Entries have arrived, here or elsewhere, that have no place yet.
    arrivals: Signal,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    of_tenants: HashMap<TenantId, Line>,
    /// Counts readers, to name them.
    readers: u64,
}

/// The readers of one feed.
#[derive(Default)]
struct Line {
    last: Place,
    /// Counts the news.
    news: u64,
    /// By their names. `None` for one that does not wait at the moment.
    readers: BTreeMap<u64, Option<(Place, Waker)>>,
}

impl Line {
    /// Returns those who are to look at the store now.
    fn rouse(&mut self) -> impl Iterator<Item = Waker> {
        self.news += 1;
        self.readers
            .values_mut()
            .filter_map(|waiting| waiting.take().map(|(_, waker)| waker))
    }
}

impl Watching {
    pub(in crate::app) fn new(ports: &Ports, outcomes: Arc<Outcomes>) -> Self {
        Self {
            outcomes,
            feed: ports.feed.clone(),
            news: ports.news.clone(),
            metrics: ports.metrics.clone(),
            endpoints: ChangedEndpoints::default(),
            arrivals: Signal::default(),
            lines: Mutex::default(),
        }
    }

    /// Begins to listen for entries of this tenant. What becomes visible from now on is not missed: subscribe first, then
    /// read, then wait.
    pub fn subscribe(self: &Arc<Self>, tenant_id: &TenantId) -> FeedSubscription {
        let mut lines = self.lines.lock();
        lines.readers += 1;
        let reader = lines.readers;
        let line = lines.of_tenants.entry(*tenant_id).or_default();
        line.readers.insert(reader, None);
        FeedSubscription {
            watching: self.clone(),
            tenant_id: *tenant_id,
            reader,
            seen: None,
        }
    }

    /// Tells readers in all processes how far feeds go now.
    pub(in crate::app) fn tell(&self, ends: &[FeedEnd]) {
        self.note(ends);
        self.news.tell(ends);
    }

    /// Tells who gives places that entries have arrived here; and those in other processes too, if they are to know.
    pub(super) fn tell_arrived(&self, others: bool) {
        self.arrivals.raise();
        if others {
            self.news.tell_arrived();
        }
    }

    /// Waits until entries have arrived since it was last told of. Only who gives places waits for it.
    pub(super) async fn arrived(&self) {
        self.arrivals.raised().await;
    }

    /// Waits for news and passes them on. To be called again and again, by one task of a process.
    pub async fn take_news(&self) -> Result<(), Failure> {
        match self.news.next().await {
            News::Ends(ends) => {
                self.note(&ends);
                Ok(())
            }
            News::Endpoints(tenants) => {
                self.endpoints.note(&tenants);
                Ok(())
            }
            News::Arrived => {
                self.arrivals.raise();
                Ok(())
            }
            News::Taken(taken) => {
                self.outcomes.hear(taken);
                Ok(())
            }
            News::Missed => {
                self.arrivals.raise();
                self.endpoints.miss();
                self.look().await
            }
        }
    }

    /// Has whoever delivers look at all endpoints.
    pub(super) fn miss_endpoints(&self) {
        self.endpoints.miss();
    }

    /// Waits until endpoints have changed. One task of a process is told.
    pub(in crate::app) async fn endpoints_changed(&self) -> EndpointsChanged {
        self.endpoints.next().await
    }

    /// True while news come through.
    pub(in crate::app) fn hears(&self) -> bool {
        self.news.is_open()
    }

    /// Returns the wait until the next look at the store.
    pub fn look_wait(&self) -> Duration {
        let is_open = self.news.is_open();
        self.metrics.feed_news.set(i64::from(is_open));
        if is_open { LOOK_EVERY } else { LOOK_WITHOUT_NEWS }
    }

    /// Looks how far the feeds go that somebody listens to, for news that were lost.
    pub async fn look(&self) -> Result<(), Failure> {
        let tenants: Vec<TenantId> = self.lines.lock().of_tenants.keys().copied().collect();
        for tenants in tenants.chunks(FEEDS_AT_ONCE) {
            match self.look_at(tenants).await {
                Err(StoreError::Unreadable(_) | StoreError::Corrupt(_)) => {
                    // One of them. The others are not to suffer for it.
                    for tenant in tenants {
                        let _ = self.look_at(std::slice::from_ref(tenant)).await;
                    }
                }
                looked => looked?,
            }
        }
        Ok(())
    }

    async fn look_at(&self, tenants: &[TenantId]) -> Result<(), StoreError> {
        let ends = self.feed.ends(tenants).await?;
        let end = |(tenant_id, last): (&TenantId, Place)| FeedEnd {
            tenant_id: *tenant_id,
            last,
        };
        let ends: Vec<FeedEnd> = tenants.iter().zip(ends).map(end).collect();
        self.note(&ends);
        self.rouse_behind(tenants);
        Ok(())
    }

    fn note(&self, ends: &[FeedEnd]) {
        let mut wakers = Vec::new();
        {
            let mut lines = self.lines.lock();
            for end in ends {
                if let Some(line) = lines.of_tenants.get_mut(&end.tenant_id)
                    && end.last > line.last
                {
                    line.last = end.last;
                    wakers.extend(line.rouse());
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Wakes who waits before the end of its feed: it was told already, and did not find what it was told of.
    fn rouse_behind(&self, tenants: &[TenantId]) {
        let mut wakers = Vec::new();
        {
            let mut lines = self.lines.lock();
            for tenant_id in tenants {
                if let Some(line) = lines.of_tenants.get_mut(tenant_id)
                    && line.readers.values().flatten().any(|(place, _)| *place < line.last)
                {
                    wakers.extend(line.rouse());
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Somebody who listens for entries of a tenant.
pub struct FeedSubscription {
    watching: Arc<Watching>,
    tenant_id: TenantId,
    reader: u64,
    /// The news that it has acted upon.
    seen: Option<u64>,
}

impl FeedSubscription {
    /// Returns the last place of the feed, as far as it was told; before the first entry if nothing was told yet.
    pub fn last(&self) -> Place {
        let lines = self.watching.lines.lock();
        lines
            .of_tenants
            .get(&self.tenant_id)
            .map_or(Place::START, |line| line.last)
    }

    /// Waits until there may be entries behind this place. To be called after a read that found none behind it: what was
    /// told before that read, and what it did not find, is told again only after a while.
    ///
    /// Dropping the future loses nothing.
    pub async fn behind(&mut self, place: Place) {
        poll_fn(|cx| self.poll_behind(place, cx)).await;
    }

    fn poll_behind(&mut self, place: Place, cx: &Context<'_>) -> Poll<()> {
        let mut lines = self.watching.lines.lock();
        let line = lines.of_tenants.entry(self.tenant_id).or_default();
        let has_news = self.seen.replace(line.news) != Some(line.news);
        if has_news && line.last > place {
            line.readers.insert(self.reader, None);
            return Poll::Ready(());
        }
        line.readers.insert(self.reader, Some((place, cx.waker().clone())));
        Poll::Pending
    }
}

impl Drop for FeedSubscription {
    fn drop(&mut self) {
        let mut lines = self.watching.lines.lock();
        if let Some(line) = lines.of_tenants.get_mut(&self.tenant_id) {
            line.readers.remove(&self.reader);
            if line.readers.is_empty() {
                lines.of_tenants.remove(&self.tenant_id);
            }
        }
    }
}
