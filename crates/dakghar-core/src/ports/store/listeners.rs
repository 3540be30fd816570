//! The processes that take Meta's webhooks, and when they did not.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::listening::Listener;
use crate::domain::time::Timestamp;

/// Listeners of this installation, of which there are a few.
#[async_trait]
pub trait ListenerStore: Send + Sync {
    /// Stores the listener in place of what was stored of its process.
    async fn keep_listener(&self, listener: &Listener) -> Result<(), StoreError>;

    /// Returns all listeners, in any order. Unlike elsewhere, one that cannot be read is an error: it may hide a gap.
    async fn listeners(&self) -> Result<Vec<Listener>, StoreError>;

    /// Deletes those that were not heard of after `before`, and whose gap ended before it.
    async fn forget_listeners(&self, before: Timestamp) -> Result<(), StoreError>;
}
