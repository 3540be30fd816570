//! The vault whose master key comes from the configuration.
//!
//! While the master key is being changed the previous one is given too: data keys wrapped under it still open, and
//! [`LocalVault::rewrap_data_key`] moves them over one by one. Unwrapped data keys are not kept: unwrapping takes
//! about as long as looking one up would, and a key that is not kept needs no expiry.

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::secret::Secret;
use dakghar_core::ports::{KeyVault, VaultError};
use zeroize::Zeroizing;

use super::derived::{KEY_BYTES, Key, MasterKeys, SealingKey};
use super::sealed;

/// The least that a master key must have. It should be random: [`generate_master_key`].
const MASTER_KEY_BYTES_MIN: usize = 32;

/// What kind of thing was encrypted; bound to it, so that one kind cannot stand in for the other.
const DATA_KEY: &[u8] = b"data_key";
const SECRET: &[u8] = b"secret";

/// A master key has fewer than 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the master key must have at least 32 bytes")]
pub struct MasterKeyTooShort;

/// A new random master key, 256 bits as 43 characters.
pub fn generate_master_key() -> Result<Secret, VaultError> {
    let bytes = random_key()?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

/// Seals secrets under a master key that this process holds.
pub struct LocalVault {
    current: MasterKeys,
    previous: Option<MasterKeys>,
}

impl LocalVault {
    /// A vault under this master key, each at least 32 bytes. `previous` only opens what was wrapped under it.
    pub fn new(master_key: &Secret, previous: Option<&Secret>) -> Result<Self, MasterKeyTooShort> {
        let derive = |key: &Secret| {
            (key.reveal().len() >= MASTER_KEY_BYTES_MIN)
                .then(|| MasterKeys::derive(key))
                .ok_or(MasterKeyTooShort)
        };
        Ok(Self {
            current: derive(master_key)?,
            previous: previous.map(derive).transpose()?,
        })
    }

    /// Differs for every master key and says nothing about it: kept beside the data, it tells at start that the
    /// master key is a wrong one, before anything is sealed under it.
    pub const fn key_check(&self) -> [u8; 8] {
        self.current.check
    }

    /// The check value of the previous master key: what the data carries while the change is not finished.
    pub fn previous_key_check(&self) -> Option<[u8; 8]> {
        self.previous.as_ref().map(|keys| keys.check)
    }

    /// The secret that signs callback data.
    pub fn opaque_secret(&self) -> Zeroizing<[u8; 32]> {
        self.current.opaque.clone()
    }

    /// The secret that signed callback data under the previous master key; statuses carry it for days after a change.
    pub fn previous_opaque_secret(&self) -> Option<Zeroizing<[u8; 32]>> {
        self.previous.as_ref().map(|keys| keys.opaque.clone())
    }

    /// The secret that signs page cursors.
    pub fn cursor_secret(&self) -> Zeroizing<[u8; 32]> {
        self.current.cursor.clone()
    }

    /// Wraps a data key again under the present master key; `None` when it already is.
    pub fn rewrap_data_key(&self, tenant_id: &TenantId, wrapped: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        if sealed::mark_of(wrapped)? == self.current.wrapping.mark {
            return Ok(None);
        }
        let data_key = self.unwrap_data_key(tenant_id, wrapped)?;
        self.wrap_data_key(tenant_id, &data_key).map(Some)
    }

    fn wrap_data_key(&self, tenant_id: &TenantId, data_key: &Key) -> Result<Vec<u8>, VaultError> {
        let tenant = tenant_id.to_string();
        sealed::seal(&self.current.wrapping, &[tenant.as_bytes(), DATA_KEY], &**data_key)
    }

    fn unwrap_data_key(&self, tenant_id: &TenantId, wrapped: &[u8]) -> Result<Key, VaultError> {
        let mark = sealed::mark_of(wrapped)?;
        let keys = [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|keys| keys.wrapping.mark == mark)
            .ok_or(VaultError::Unreadable(
                "its data key was wrapped under another master key",
            ))?;
        let tenant = tenant_id.to_string();
        let opened = sealed::open(&keys.wrapping, &[tenant.as_bytes(), DATA_KEY], wrapped)?;
        let bytes = opened
            .as_slice()
            .try_into()
            .map_err(|_| VaultError::Unreadable("its data key has the wrong length"))?;
        Ok(Zeroizing::new(bytes))
    }

    fn sealing_key(&self, tenant_id: &TenantId, wrapped: &[u8]) -> Result<SealingKey, VaultError> {
        let data_key = self.unwrap_data_key(tenant_id, wrapped)?;
        Ok(SealingKey::of_data_key(&data_key))
    }
}

#[async_trait]
impl KeyVault for LocalVault {
    async fn new_data_key(&self, tenant_id: &TenantId) -> Result<Vec<u8>, VaultError> {
        self.wrap_data_key(tenant_id, &random_key()?)
    }

    async fn seal(
        &self,
        tenant_id: &TenantId,
        wrapped_data_key: &[u8],
        purpose: &str,
        secret: &Secret,
    ) -> Result<Vec<u8>, VaultError> {
        let key = self.sealing_key(tenant_id, wrapped_data_key)?;
        let tenant = tenant_id.to_string();
        let bound = [tenant.as_bytes(), SECRET, purpose.as_bytes()];
        sealed::seal(&key, &bound, secret.reveal().as_bytes())
    }

    async fn open(
        &self,
        tenant_id: &TenantId,
        wrapped_data_key: &[u8],
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Secret, VaultError> {
        let key = self.sealing_key(tenant_id, wrapped_data_key)?;
        let tenant = tenant_id.to_string();
        let bound = [tenant.as_bytes(), SECRET, purpose.as_bytes()];
        let plain = sealed::open(&key, &bound, sealed)?;
        std::str::from_utf8(&plain)
            .map(Secret::new)
            .map_err(|_| VaultError::Unreadable("it is not text"))
    }

    fn hash_api_key(&self, key: &str) -> Vec<u8> {
        hash(&self.current.pepper, key)
    }

    fn previous_hash_api_key(&self, key: &str) -> Option<Vec<u8>> {
        self.previous.as_ref().map(|keys| hash(&keys.pepper, key))
    }
}

fn hash(pepper: &hmac::Key, api_key: &str) -> Vec<u8> {
    hmac::sign(pepper, api_key.as_bytes()).as_ref().to_vec()
}

fn random_key() -> Result<Key, VaultError> {
    let mut key: Key = Zeroizing::new([0; KEY_BYTES]);
    aws_lc_rs::rand::fill(&mut *key).map_err(|_| VaultError::Unavailable("no random numbers".into()))?;
    Ok(key)
}
