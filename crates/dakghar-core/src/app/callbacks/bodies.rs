//! What endpoints of the format `standard` are sent.

use crate::app::feed::FeedItem;
use crate::domain::{TenantId, Timestamp};

/// What one call hands over.
#[derive(Clone, Copy, Debug)]
pub struct Handed<'a> {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The entries, at least one, in their order.
    pub items: &'a [FeedItem],
    /// 1 for the first attempt.
    pub attempt: u32,
    /// True if the endpoint takes several in a call: then it gets a list, also of one.
    pub is_batch: bool,
}

/// Writes bodies. The API's own words for a record are known only where it is answered.
pub trait CallbackBodies: Send + Sync {
    /// Returns the body of a call, as JSON.
    fn standard(&self, handed: Handed<'_>) -> Vec<u8>;

    /// Returns the body of a test, as JSON: an event of this id in which nothing happened.
    fn test(&self, tenant_id: &TenantId, id: &str, at: Timestamp) -> Vec<u8>;
}
