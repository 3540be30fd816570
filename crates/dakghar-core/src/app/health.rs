//! The state of the store and the queue.

use std::sync::Arc;

use super::failed_requests::FailedRequests;
use super::sending::Host;
use crate::domain::breaker::Open;
use crate::domain::{ErrorCode, Timestamp};
use crate::ports::{Queue, StoreError, StoreHealth};

/// Asks the store and the queue.
pub struct Health {
    pub(super) store: Arc<dyn StoreHealth>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) host: Host,
    pub(super) failed_requests: Arc<FailedRequests>,
}

impl Health {
    /// Returns since when this process cannot reach Meta, and when it tries again; `None` while it can.
    pub fn meta_unreachable(&self) -> Option<Open> {
        self.host.unreachable()
    }

    /// Why this process cannot go on, if only another one can.
    pub fn stopped(&self) -> Option<String> {
        self.store.stopped()
    }

    /// Checks that the store can be used now. The error text says what is wrong. Takes as long as it hangs.
    pub async fn check_store(&self) -> Result<(), String> {
        let checked = self.store.ping().await;
        if let Err(error @ StoreError::Full(_)) = &checked
            && self.store_full_since().is_none()
            && self.failed_requests.note(ErrorCode::StoreFull)
        {
            tracing::error!(%error, "the store is full: it refuses writes, reads go on");
        }
        checked.map_err(|error| error.to_string())
    }

    /// Since when the store refuses writes because it is full; `None` while it does not. Returns from memory.
    pub fn store_full_since(&self) -> Option<Timestamp> {
        self.failed_requests.store_full_since()
    }

    /// The requests that failed for the surroundings.
    pub const fn failed_requests(&self) -> &Arc<FailedRequests> {
        &self.failed_requests
    }

    /// The same for the queue.
    pub async fn check_queue(&self) -> Result<(), String> {
        self.queue.ping().await.map_err(|error| error.to_string())
    }
}
