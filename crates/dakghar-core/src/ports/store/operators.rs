//! Keys of operators.

use async_trait::async_trait;

use super::{Saved, StoreError};
use crate::domain::ids::ApiKeyId;
use crate::domain::operator_key::OperatorKey;
use crate::domain::time::Timestamp;

/// Keys of operators, of which there are a few.
#[async_trait]
pub trait OperatorStore: Send + Sync {
    /// Stores a new key (`version` 0). Returns `Stale` if there is one of this id.
    async fn insert_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError>;

    /// Saves a whole key, if `key.version` is still the stored one.
    async fn save_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError>;

    /// Returns one key.
    async fn find_operator_key(&self, id: &ApiKeyId) -> Result<Option<OperatorKey>, StoreError>;

    /// Returns all keys in the order of their ids. One that cannot be read is left out: nobody is let in by it.
    async fn operator_keys(&self) -> Result<Vec<OperatorKey>, StoreError>;

    /// Deletes a key. Returns false if there was none of this id.
    async fn remove_operator_key(&self, id: &ApiKeyId) -> Result<bool, StoreError>;

    /// Notes that a key was used, if that is later than what is noted. Its version does not change. Of a key that is not
    /// there nothing is noted.
    async fn note_operator_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<(), StoreError>;
}
