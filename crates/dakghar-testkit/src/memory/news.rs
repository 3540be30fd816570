//! News of feeds in one process.

use std::future::pending;

use async_trait::async_trait;
use dakghar_core::domain::TenantId;
use dakghar_core::domain::feed::{FeedEnd, News};
use dakghar_core::ports::FeedNews;

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

/// News that never come: everybody looks at the store.
#[derive(Debug)]
pub struct NoNews;

#[async_trait]
impl FeedNews for NoNews {
    fn tell(&self, _ends: &[FeedEnd]) {}

    fn tell_endpoints(&self, _tenant_id: &TenantId) {}

    fn tell_arrived(&self) {}

    async fn next(&self) -> News {
        pending().await
    }

    fn is_open(&self) -> bool {
        false
    }
}
