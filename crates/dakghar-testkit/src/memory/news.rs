//! News of feeds in one process.

use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::TenantId;
use dakghar_core::domain::feed::{FeedEnd, FeedEnds, News, TakenMessage};
use dakghar_core::ports::FeedNews;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::MemoryStore;

#[async_trait]
impl FeedNews for MemoryStore {
    fn tell(&self, _ends: &[FeedEnd]) {}

    fn tell_endpoints(&self, tenant_id: &TenantId) {
        let feeds = &mut self.state.lock().feeds;
        feeds.news.note_endpoints(*tenant_id);
        feeds.has_news.notify_one();
    }

    fn tell_arrived(&self) {}

    fn tell_taken(&self, _taken: TakenMessage) {}

    async fn next(&self) -> News {
        loop {
            let (news, arrived) = {
                let feeds = &mut self.state.lock().feeds;
                (feeds.news.take(), feeds.has_news.clone())
            };
            match news {
                Some(news) => return news,
                None => arrived.notified().await,
            }
        }
    }

    fn is_open(&self) -> bool {
        true
    }
}

/// News among processes that share a store: what one tells, all hear.
#[derive(Clone, Default)]
pub struct NewsAmong(Arc<Mutex<Vec<Arc<Inbox>>>>);

/// What a process of them tells and hears.
pub struct ProcessNews {
    among: NewsAmong,
    own: Arc<Inbox>,
}

#[derive(Default)]
struct Inbox {
    news: Mutex<FeedEnds>,
    has_news: Notify,
}

impl NewsAmong {
    /// Adds a process.
    pub fn join(&self) -> Arc<ProcessNews> {
        let own = Arc::<Inbox>::default();
        self.0.lock().push(own.clone());
        let among = self.clone();
        Arc::new(ProcessNews { among, own })
    }

    fn note(&self, note: impl Fn(&mut FeedEnds)) {
        for inbox in &*self.0.lock() {
            note(&mut inbox.news.lock());
            inbox.has_news.notify_one();
        }
    }
}

#[async_trait]
impl FeedNews for ProcessNews {
    fn tell(&self, ends: &[FeedEnd]) {
        self.among.note(|news| ends.iter().for_each(|end| news.note(*end)));
    }

    fn tell_endpoints(&self, tenant_id: &TenantId) {
        self.among.note(|news| news.note_endpoints(*tenant_id));
    }

    fn tell_arrived(&self) {
        self.among.note(FeedEnds::note_arrived);
    }

    fn tell_taken(&self, taken: TakenMessage) {
        self.among.note(|news| news.note_taken(taken.clone()));
    }

    async fn next(&self) -> News {
        loop {
            let news = self.own.news.lock().take();
            match news {
                Some(news) => return news,
                None => self.own.has_news.notified().await,
            }
        }
    }

    fn is_open(&self) -> bool {
        true
    }
}

/// News that never come: everybody looks at the store.
#[derive(Debug)]
pub struct NoNews;

#[async_trait]
impl FeedNews for NoNews {
    fn tell(&self, _ends: &[FeedEnd]) {}

    fn tell_endpoints(&self, _tenant_id: &TenantId) {}

    fn tell_arrived(&self) {}

    fn tell_taken(&self, _taken: TakenMessage) {}

    async fn next(&self) -> News {
        pending().await
    }

    fn is_open(&self) -> bool {
        false
    }
}
