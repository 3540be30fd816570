//! Data keys, and a vault over them.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::{Secret, Tenant};
use dakghar_core::ports::{DataKey, KeyContext, KeyError, KeyId, KeyService};
use dakghar_core::vault::{InstallationSecrets, MasterKey, Vault, VaultError};

/// A [`KeyService`] that hides nothing: a wrapped data key is its owner's id and the key itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryKeys;

fn owner(context: KeyContext<'_>) -> Vec<u8> {
    context.owner.to_string().into_bytes()
}

#[async_trait]
impl KeyService for MemoryKeys {
    fn key_id(&self) -> KeyId {
        KeyId::new("memory")
    }

    fn key_id_of(&self, _wrapped: &[u8]) -> Result<KeyId, KeyError> {
        Ok(self.key_id())
    }

    async fn wrap(&self, data_key: &DataKey, context: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        Ok([&owner(context)[..], data_key.as_bytes()].concat())
    }

    async fn unwrap(&self, wrapped: &[u8], context: KeyContext<'_>) -> Result<DataKey, KeyError> {
        let bytes = wrapped
            .strip_prefix(&owner(context)[..])
            .ok_or(KeyError::Unreadable("another owner's"))?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| KeyError::Unreadable("not a key"))?;
        Ok(DataKey::new(bytes.into()))
    }
}

/// A vault over [`MemoryKeys`].
pub fn vault() -> Arc<Vault> {
    vault_over(Arc::new(MemoryKeys))
}

/// A vault over this key service.
pub fn vault_over(keys: Arc<dyn KeyService>) -> Arc<Vault> {
    Arc::new(Vault::new(keys))
}

/// The secrets of an installation, the same in every test.
pub fn installation_secrets() -> Arc<InstallationSecrets> {
    let master_key = MasterKey::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("32 bytes");
    Arc::new(InstallationSecrets::derive(&master_key, None))
}

/// The tenant with a data key of its own, and with `token` sealed for each of its numbers.
pub async fn with_token(mut tenant: Tenant, vault: &Vault, token: &Secret) -> Result<Tenant, VaultError> {
    tenant.wrapped_data_key = vault.new_data_key(&tenant.id).await?;
    for number in &mut tenant.phone_numbers {
        let purpose = dakghar_core::app::token_purpose(&number.phone_number_id);
        number.sealed_token = vault
            .seal(&tenant.id, &tenant.wrapped_data_key, &purpose, token)
            .await?;
    }
    Ok(tenant)
}
