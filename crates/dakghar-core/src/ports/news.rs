//! News among the processes of an installation: who waits for entries or for Meta's answers, and who delivers, hears of them
//! without asking the store.

use async_trait::async_trait;

use crate::domain::TenantId;
use crate::domain::feed::{FeedEnd, News, TakenMessage};

/// Tells the processes of an installation which feeds have grown. Any news may be lost: whoever waits for entries looks at
/// the store as well, now and then.
#[async_trait]
pub trait FeedNews: Send + Sync {
    /// Tells the other processes how far these feeds go now. Returns at once, and what cannot be told is lost.
    fn tell(&self, ends: &[FeedEnd]);

    /// Tells all processes, this one too, that endpoints of a tenant were made, changed or removed. Returns at once, and what
    /// cannot be told is lost.
    fn tell_endpoints(&self, tenant_id: &TenantId);
    /// Tells the other processes that entries have arrived which have no place yet. Returns at once, and may be lost.
    fn tell_arrived(&self);

    /// Tells the other processes that Meta has taken a message whose client waits in one of them. Returns at once, and may be
    /// lost: that process looks at the store as well.
    fn tell_taken(&self, taken: TakenMessage);

    /// Waits for news, which are handed out once: those of other processes, and those that the store of this process tells
    /// by itself. After a time in which news may have been lost, it is [`News::Missed`].
    async fn next(&self) -> News;

    /// True while news come through, as far as this process can tell.
    fn is_open(&self) -> bool;
}
