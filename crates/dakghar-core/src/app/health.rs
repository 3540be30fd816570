//! The state of the store and the queue.

use std::sync::Arc;

use super::sending::Host;
use crate::domain::breaker::Open;
use crate::ports::{Queue, StoreHealth};

/// Asks the store and the queue.
pub struct Health {
    pub(super) store: Arc<dyn StoreHealth>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) host: Host,
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
        self.store.ping().await.map_err(|error| error.to_string())
    }

    /// The same for the queue.
    pub async fn check_queue(&self) -> Result<(), String> {
        self.queue.ping().await.map_err(|error| error.to_string())
    }
}
