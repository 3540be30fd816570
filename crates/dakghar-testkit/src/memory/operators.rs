//! Keys of operators.

use async_trait::async_trait;
use dakghar_core::domain::operator_key::OperatorKey;
use dakghar_core::domain::{ApiKeyId, Timestamp};
use dakghar_core::ports::{OperatorStore, Saved, StoreError};

use super::MemoryStore;

#[async_trait]
impl OperatorStore for MemoryStore {
    async fn insert_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError> {
        self.with(|state| {
            if state.operator_keys.contains_key(&key.key.id) {
                return Saved::Stale;
            }
            state.operator_keys.insert(key.key.id, key.clone());
            Saved::Done
        })
    }

    async fn save_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError> {
        self.with(|state| match state.operator_keys.get_mut(&key.key.id) {
            Some(stored) if stored.version == key.version => {
                *stored = key.clone();
                stored.version += 1;
                Saved::Done
            }
            _ => Saved::Stale,
        })
    }

    async fn find_operator_key(&self, id: &ApiKeyId) -> Result<Option<OperatorKey>, StoreError> {
        self.with(|state| state.operator_keys.get(id).cloned())
    }

    async fn operator_keys(&self) -> Result<Vec<OperatorKey>, StoreError> {
        self.with(|state| state.operator_keys.values().cloned().collect())
    }

    async fn remove_operator_key(&self, id: &ApiKeyId) -> Result<bool, StoreError> {
        self.with(|state| state.operator_keys.remove(id).is_some())
    }

    async fn note_operator_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        self.with(|state| {
            if let Some(stored) = state.operator_keys.get_mut(id) {
                stored.key.last_used_at = stored.key.last_used_at.max(Some(at));
            }
        })
    }
}
