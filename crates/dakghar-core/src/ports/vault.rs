//! Secrets at rest. Each tenant has a data key, wrapped by the master key. A secret sealed with it opens only for that
//! tenant.

use async_trait::async_trait;

use crate::domain::ids::TenantId;
use crate::domain::secret::Secret;

/// A secret could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The master key cannot be reached now.
    #[error("the key service is not available: {0}")]
    Unavailable(String),
    /// Sealed under another key, for another tenant or purpose, or damaged.
    #[error("the secret cannot be opened: {0}")]
    Unreadable(&'static str),
}

/// Seals and opens the secrets of tenants.
#[async_trait]
pub trait KeyVault: Send + Sync {
    /// Makes a data key for a new tenant. Returns it wrapped.
    async fn new_data_key(&self, tenant_id: &TenantId) -> Result<Vec<u8>, VaultError>;

    /// Seals a secret of the tenant. The same `purpose` (such as `access_token/111`) must be given to open it.
    async fn seal(
        &self,
        tenant_id: &TenantId,
        wrapped_data_key: &[u8],
        purpose: &str,
        secret: &Secret,
    ) -> Result<Vec<u8>, VaultError>;

    /// Opens a sealed secret.
    async fn open(
        &self,
        tenant_id: &TenantId,
        wrapped_data_key: &[u8],
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Secret, VaultError>;

    /// Returns the keyed hash under which an API key is kept.
    fn hash_api_key(&self, key: &str) -> Vec<u8>;

    /// Returns the hash under the previous master key, while that one is known.
    fn previous_hash_api_key(&self, _key: &str) -> Option<Vec<u8>> {
        None
    }
}
