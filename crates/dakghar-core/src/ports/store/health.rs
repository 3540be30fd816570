//! The state of the store itself.

use async_trait::async_trait;

use super::StoreError;

/// Whether the store can be used now.
#[async_trait]
pub trait StoreHealth: Send + Sync {
    /// Whether the store can be written now; the text says what is wrong.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Whether messages may be claimed now. A store that cannot keep its promises at present says why not, and accepts
    /// nothing either. Asked often; answers from memory.
    fn may_claim(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
