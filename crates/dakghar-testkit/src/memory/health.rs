//! The state of the store.

use async_trait::async_trait;
use dakghar_core::ports::{StoreError, StoreHealth};

use super::MemoryStore;

#[async_trait]
impl StoreHealth for MemoryStore {
    async fn ping(&self) -> Result<(), StoreError> {
        if self.state.lock().hangs {
            std::future::pending::<()>().await;
        }
        self.with(|_| ())
    }

    fn stopped(&self) -> Option<String> {
        self.state.lock().stopped.clone()
    }
}
