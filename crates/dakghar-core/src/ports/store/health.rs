//! The state of the store itself.

use async_trait::async_trait;

use super::StoreError;

/// Checks that the store can be used.
#[async_trait]
pub trait StoreHealth: Send + Sync {
    /// Checks that the store can be written now. The error text says what is wrong.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Checks that messages may be claimed now. A store that cannot keep its promises at present returns the reason,
    /// and accepts nothing either. Called often; returns from memory.
    fn may_claim(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Why the store has stopped for good, so that only another process can use it again; `None` while it works or mends
    /// itself. Returns from memory.
    fn stopped(&self) -> Option<String> {
        None
    }
}
