//! News of feeds on their way from one task or thread to another.

use dakghar_core::domain::TenantId;
use dakghar_core::domain::feed::{FeedEnd, FeedEnds, News, TakenMessage};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// News that wait for the one task that takes them. Putting some in never waits.
#[derive(Default)]
pub(crate) struct Told {
    ends: Mutex<FeedEnds>,
    arrived: Notify,
}

impl Told {
    pub(crate) fn put(&self, ends: &[FeedEnd]) {
        if ends.is_empty() {
            return;
        }
        {
            let mut waiting = self.ends.lock();
            for end in ends {
                waiting.note(*end);
            }
        }
        self.arrived.notify_one();
    }

    /// Notes that endpoints of these tenants have changed.
    pub(crate) fn put_endpoints(&self, tenants: &[TenantId]) {
        {
            let mut waiting = self.ends.lock();
            for tenant_id in tenants {
                waiting.note_endpoints(*tenant_id);
            }
        }
        self.arrived.notify_one();
    }

    /// Notes that entries without a place have arrived.
    pub(crate) fn put_arrived(&self) {
        self.ends.lock().note_arrived();
        self.arrived.notify_one();
    }

    /// Notes that Meta has taken these messages.
    pub(crate) fn put_taken(&self, taken: impl IntoIterator<Item = TakenMessage>) {
        {
            let mut waiting = self.ends.lock();
            for taken in taken {
                waiting.note_taken(taken);
            }
        }
        self.arrived.notify_one();
    }

    /// Notes that news may have been lost.
    pub(crate) fn miss(&self) {
        self.ends.lock().miss();
        self.arrived.notify_one();
    }

    /// Waits for news.
    pub(crate) async fn take(&self) -> News {
        loop {
            let news = self.ends.lock().take();
            match news {
                Some(news) => return news,
                None => self.arrived.notified().await,
            }
        }
    }
}
