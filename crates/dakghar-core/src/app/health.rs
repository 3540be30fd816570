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

    /// Returns one result for the store and one for the queue. An error text says what is wrong.
    pub async fn readiness(&self) -> Vec<(&'static str, Result<(), String>)> {
        let (store, queue) = futures_util::join!(self.store.ping(), self.queue.ping());
        vec![
            ("store", store.map_err(|error| error.to_string())),
            ("queue", queue.map_err(|error| error.to_string())),
        ]
    }
}
