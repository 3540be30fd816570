//! The processes that take webhooks.

use async_trait::async_trait;
use dakghar_core::domain::Timestamp;
use dakghar_core::domain::listening::Listener;
use dakghar_core::ports::{ListenerStore, StoreError};

use super::MemoryStore;

#[async_trait]
impl ListenerStore for MemoryStore {
    async fn keep_listener(&self, listener: &Listener) -> Result<(), StoreError> {
        self.with(|state| {
            state.listeners.insert(listener.process.clone(), listener.clone());
        })
    }

    async fn listeners(&self) -> Result<Vec<Listener>, StoreError> {
        self.with(|state| state.listeners.values().cloned().collect())
    }

    async fn forget_listeners(&self, before: Timestamp) -> Result<(), StoreError> {
        self.with(|state| {
            state.listeners.retain(|_, listener| {
                listener.heard_until >= before || listener.gap.is_some_and(|gap| gap.until >= before)
            });
        })
    }
}
