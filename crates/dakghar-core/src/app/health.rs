//! Whether the surroundings can be used now.

use std::sync::Arc;

use crate::ports::{Queue, StoreHealth};

/// Asks the store and the queue.
pub struct Health {
    pub(super) store: Arc<dyn StoreHealth>,
    pub(super) queue: Arc<dyn Queue>,
}

impl Health {
    /// Whether the store can be written and the queue be used; each with what is wrong.
    pub async fn readiness(&self) -> Vec<(&'static str, Result<(), String>)> {
        let (store, queue) = futures_util::join!(self.store.ping(), self.queue.ping());
        vec![
            ("store", store.map_err(|error| error.to_string())),
            ("queue", queue.map_err(|error| error.to_string())),
        ]
    }
}
