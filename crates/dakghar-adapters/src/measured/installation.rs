//! The secrets of the installation, measured.

use async_trait::async_trait;
use dakghar_core::domain::installation::SealedSecrets;
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{InstallationStore, Saved, StoreError};

use super::store::MeasuredStore;

#[async_trait]
impl<S: InstallationStore> InstallationStore for MeasuredStore<S> {
    async fn insert_secrets(&self, secrets: &SealedSecrets) -> Result<Saved, StoreError> {
        self.measure(StoreCall::InstallationInsert, self.inner.insert_secrets(secrets))
            .await
    }

    async fn save_secrets(&self, secrets: &SealedSecrets) -> Result<Saved, StoreError> {
        self.measure(StoreCall::InstallationSave, self.inner.save_secrets(secrets))
            .await
    }

    async fn find_secrets(&self, name: &str) -> Result<Option<SealedSecrets>, StoreError> {
        self.measure(StoreCall::InstallationFind, self.inner.find_secrets(name))
            .await
    }
}
