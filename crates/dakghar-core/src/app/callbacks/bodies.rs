//! What is sent.

use crate::app::feed::FeedItem;
use crate::domain::endpoint::EndpointFormat;
use crate::domain::{ReplayId, TenantId};

/// What one call hands over.
#[derive(Clone, Copy, Debug)]
pub struct Handed<'a> {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The entries, at least one, in their order.
    pub items: &'a [FeedItem],
    /// 1 for the first attempt of the first of them.
    pub attempt: u32,
    /// Set if they are handed over once more, on request.
    pub replay: Option<ReplayId>,
    /// True if the endpoint takes several in a call: then it gets a list, also of one.
    pub is_batch: bool,
}

/// Writes bodies. The API's own words for a record are known only where it is answered.
pub trait CallbackBodies: Send + Sync {
    /// Returns the body of a call in this format; `None` if the format has nothing for any of these entries.
    fn body(&self, format: EndpointFormat, handed: Handed<'_>) -> Option<Vec<u8>>;
}
