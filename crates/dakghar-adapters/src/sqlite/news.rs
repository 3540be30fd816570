//! Tells this process which feeds have grown, when the commit that did it is on the disk.

use async_trait::async_trait;
use dakghar_core::domain::TenantId;
use dakghar_core::domain::feed::{FeedEnd, News, TakenMessage};
use dakghar_core::ports::FeedNews;

use super::SqliteStore;

#[async_trait]
impl FeedNews for SqliteStore {
    /// Nobody else hears of it: there is one server process, and whoever opens the file beside it looks for itself.
    fn tell(&self, _ends: &[FeedEnd]) {}

    fn tell_endpoints(&self, tenant_id: &TenantId) {
        self.told.put_endpoints(&[*tenant_id]);
    }

    /// Each entry has its place at once.
    fn tell_arrived(&self) {}

    /// Whoever waits is in this process, and was told.
    fn tell_taken(&self, _taken: TakenMessage) {}

    async fn next(&self) -> News {
        self.told.take().await
    }

    fn is_open(&self) -> bool {
        self.is_alone()
    }
}
