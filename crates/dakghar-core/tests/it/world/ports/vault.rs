//! Secrets that are sealed by writing on them whose they are. Opening them goes over the wire, as to a key service.

use async_trait::async_trait;
use dakghar_core::domain::{Secret, TenantId};
use dakghar_core::ports::{KeyVault, StoreError, VaultError};

use super::Near;
use crate::world::wire::Call;

#[async_trait]
impl KeyVault for Near {
    async fn new_data_key(&self, tenant_id: &TenantId) -> Result<Vec<u8>, VaultError> {
        Ok(tenant_id.to_string().into_bytes())
    }

    async fn seal(
        &self,
        tenant_id: &TenantId,
        _wrapped_data_key: &[u8],
        purpose: &str,
        secret: &Secret,
    ) -> Result<Vec<u8>, VaultError> {
        Ok(format!("{tenant_id}|{purpose}|{}", secret.reveal()).into_bytes())
    }

    async fn open(
        &self,
        tenant_id: &TenantId,
        _wrapped_data_key: &[u8],
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Secret, VaultError> {
        let owner = format!("{tenant_id}|{purpose}|");
        let text = String::from_utf8_lossy(sealed).into_owned();
        let opened = text.strip_prefix(&owner).map(Secret::new);
        let opened = opened.ok_or(VaultError::Unreadable("it is somebody else's"))?;
        let answer = self.once(Call::OpenToken, move |_| Ok(opened)).await;
        answer.map_err(|error: StoreError| VaultError::Unavailable(error.to_string()))
    }

    fn hash_api_key(&self, key: &str) -> Vec<u8> {
        key.as_bytes().to_vec()
    }
}
