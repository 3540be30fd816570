//! The secrets of the installation itself.

use async_trait::async_trait;

use super::{Saved, StoreError};
use crate::domain::installation::SealedSecrets;

/// The secrets of the installation itself, sealed.
#[async_trait]
pub trait InstallationStore: Send + Sync {
    /// Stores new ones (`version` 0). Returns `Stale` if there are some of this name.
    async fn insert_secrets(&self, secrets: &SealedSecrets) -> Result<Saved, StoreError>;

    /// Saves all of them, if `secrets.version` is still the stored one.
    async fn save_secrets(&self, secrets: &SealedSecrets) -> Result<Saved, StoreError>;

    /// Returns those of this name.
    async fn find_secrets(&self, name: &str) -> Result<Option<SealedSecrets>, StoreError>;
}
