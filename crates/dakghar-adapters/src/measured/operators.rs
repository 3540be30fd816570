//! Keys of operators, measured.

use async_trait::async_trait;
use dakghar_core::domain::ids::ApiKeyId;
use dakghar_core::domain::operator_key::OperatorKey;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{OperatorStore, Saved, StoreError};

use super::store::MeasuredStore;

#[async_trait]
impl<S: OperatorStore> OperatorStore for MeasuredStore<S> {
    async fn insert_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError> {
        self.measure(StoreCall::OperatorsInsert, self.inner.insert_operator_key(key))
            .await
    }

    async fn save_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError> {
        self.measure(StoreCall::OperatorsSave, self.inner.save_operator_key(key))
            .await
    }

    async fn find_operator_key(&self, id: &ApiKeyId) -> Result<Option<OperatorKey>, StoreError> {
        self.measure(StoreCall::OperatorsFind, self.inner.find_operator_key(id))
            .await
    }

    async fn operator_keys(&self) -> Result<Vec<OperatorKey>, StoreError> {
        self.measure(StoreCall::OperatorsAll, self.inner.operator_keys()).await
    }

    async fn remove_operator_key(&self, id: &ApiKeyId) -> Result<bool, StoreError> {
        self.measure(StoreCall::OperatorsRemove, self.inner.remove_operator_key(id))
            .await
    }

    async fn note_operator_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        self.measure(StoreCall::OperatorsNoteUse, self.inner.note_operator_use(id, at))
            .await
    }
}
