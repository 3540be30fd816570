//! The secrets of the installation, sealed.

use async_trait::async_trait;
use dakghar_core::domain::installation::SealedSecrets;
use dakghar_core::ports::{InstallationStore, Saved, StoreError};

use super::MemoryStore;

#[async_trait]
impl InstallationStore for MemoryStore {
    async fn insert_secrets(&self, secrets: &SealedSecrets) -> Result<Saved, StoreError> {
        self.with(|state| {
            if state.installation.contains_key(&secrets.name) {
                return Saved::Stale;
            }
            state.installation.insert(secrets.name.clone(), secrets.clone());
            Saved::Done
        })
    }

    async fn save_secrets(&self, secrets: &SealedSecrets) -> Result<Saved, StoreError> {
        self.with(|state| match state.installation.get_mut(&secrets.name) {
            Some(stored) if stored.version == secrets.version => {
                *stored = SealedSecrets {
                    version: stored.version + 1,
                    ..secrets.clone()
                };
                Saved::Done
            }
            _ => Saved::Stale,
        })
    }

    async fn find_secrets(&self, name: &str) -> Result<Option<SealedSecrets>, StoreError> {
        self.with(|state| state.installation.get(name).cloned())
    }
}
