//! Secrets at rest: every tenant has a data key, and a tenant's secrets are sealed under it.
//!
//! A [`KeyService`] wraps the data keys. Sealing, the keyed hashes of API keys and the signing keys are here, once for
//! every key service. Both the wrapped data key and the sealed secret bind the tenant as additional data, so a value
//! copied to another tenant, purpose or installation does not open. Nothing here stores anything.
//!
//! While the master key is being changed the previous one is given too: data keys wrapped under it still open, and
//! [`Vault::rewrap_data_key`] moves them over one by one. What a master key in this process unwraps is not kept:
//! unwrapping takes about as long as looking one up would, and a key that is not kept needs no expiry. What a service
//! elsewhere unwraps is kept for some minutes ([`KeptKeys`]).

mod derivation;
mod installation;
mod kept;
mod random;
pub mod sealing;
mod services;
pub mod wrapped;

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::domain::breaker::Open;
use crate::domain::secret::Secret;
use crate::ports::{DATA_KEY_BYTES, DataKey, KeyContext, KeyError, KeyId, KeyOwner, KeyService};

pub use derivation::{MasterKey, MasterKeyTooShort, Root};
pub use installation::{InstallationSecrets, KEY_CHECK_BYTES, SigningKeys};
pub use kept::{KEPT_FOR, KEPT_MAX, KeptKeys, KeptKeysSetup};
use sealing::{NotSealed, SealingKey, Unreadable};
pub use services::KeyServices;

/// The kind of a sealed secret; bound to it, so that no wrapped data key can stand in for one.
const SECRET: &[u8] = b"secret";

/// A secret could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key service cannot be reached at present, or does not allow it at present.
    #[error("the key service is not available: {0}")]
    Unavailable(String),
    /// Sealed under another key, for another owner or purpose, or damaged.
    #[error("the secret cannot be opened: {0}")]
    Unreadable(&'static str),
}

impl From<KeyError> for VaultError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Unavailable(why) => Self::Unavailable(why),
            KeyError::Refused(_) => Self::Unavailable(error.to_string()),
            KeyError::Unreadable(why) => Self::Unreadable(why),
        }
    }
}

impl From<NotSealed> for VaultError {
    fn from(NotSealed(why): NotSealed) -> Self {
        Self::Unavailable(why.into())
    }
}

impl From<Unreadable> for VaultError {
    fn from(Unreadable(why): Unreadable) -> Self {
        Self::Unreadable(why)
    }
}

/// The key under which a data key is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrappedUnder {
    /// The key that wraps now.
    Current,
    /// A key before it: the data key waits to be wrapped again.
    Previous,
}

/// Seals and opens the secrets of tenants and apps.
pub struct Vault {
    keys: Arc<dyn KeyService>,
    current: InstallationSecrets,
    previous: Option<InstallationSecrets>,
}

impl Vault {
    /// A vault over this key service; `previous` holds the secrets under the master key before the present one.
    pub fn new(keys: Arc<dyn KeyService>, current: InstallationSecrets, previous: Option<InstallationSecrets>) -> Self {
        Self {
            keys,
            current,
            previous,
        }
    }

    /// Makes a data key for a new owner; returns it wrapped.
    pub async fn new_data_key(&self, owner: impl Into<KeyOwner<'_>>) -> Result<Vec<u8>, VaultError> {
        let owner = owner.into();
        let mut bytes = Zeroizing::new([0; DATA_KEY_BYTES]);
        random::fill(&mut *bytes).map_err(|_| NotSealed("no random numbers"))?;
        Ok(self.keys.wrap(&DataKey::new(bytes), KeyContext { owner }).await?)
    }

    /// Seals a secret of its owner; `purpose` (such as `access_token/111`) must be named again to open it.
    pub async fn seal(
        &self,
        owner: impl Into<KeyOwner<'_>>,
        wrapped_data_key: &[u8],
        purpose: &str,
        secret: &Secret,
    ) -> Result<Vec<u8>, VaultError> {
        let owner = owner.into();
        let key = self.sealing_key(owner, wrapped_data_key).await?;
        let owner = owner.to_string();
        let bound = [owner.as_bytes(), SECRET, purpose.as_bytes()];
        Ok(key.seal(&bound, secret.reveal().as_bytes())?)
    }

    /// Opens a sealed secret.
    pub async fn open(
        &self,
        owner: impl Into<KeyOwner<'_>>,
        wrapped_data_key: &[u8],
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Secret, VaultError> {
        let owner = owner.into();
        let key = self.sealing_key(owner, wrapped_data_key).await?;
        let owner = owner.to_string();
        let bound = [owner.as_bytes(), SECRET, purpose.as_bytes()];
        let plain = key.open(&bound, sealed)?;
        std::str::from_utf8(&plain)
            .map(Secret::new)
            .map_err(|_| VaultError::Unreadable("it is not text"))
    }

    /// Unwraps an owner's data key to see that it can be, and returns under which key it is wrapped.
    pub async fn check_data_key(
        &self,
        owner: impl Into<KeyOwner<'_>>,
        wrapped: &[u8],
    ) -> Result<WrappedUnder, VaultError> {
        let owner = owner.into();
        self.keys.unwrap(wrapped, KeyContext { owner }).await?;
        Ok(if self.is_current(wrapped)? {
            WrappedUnder::Current
        } else {
            WrappedUnder::Previous
        })
    }

    /// Wraps a data key again under the key that wraps now; `None` when it already is.
    pub async fn rewrap_data_key(
        &self,
        owner: impl Into<KeyOwner<'_>>,
        wrapped: &[u8],
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let owner = owner.into();
        if self.is_current(wrapped)? {
            return Ok(None);
        }
        let context = KeyContext { owner };
        let data_key = self.keys.unwrap(wrapped, context).await?;
        Ok(Some(self.keys.wrap(&data_key, context).await?))
    }

    /// The key under which data keys are wrapped now.
    pub fn key_id(&self) -> KeyId {
        self.keys.key_id()
    }

    /// The key under which a data key is wrapped, by its form.
    pub fn key_id_of(&self, wrapped: &[u8]) -> Result<KeyId, VaultError> {
        Ok(self.keys.key_id_of(wrapped)?)
    }

    /// The keyed hash under which an API key is kept: 32 bytes.
    pub fn hash_api_key(&self, key: &str) -> Vec<u8> {
        self.current.hash_api_key(key)
    }

    /// The same as it was before the master key was changed, while the previous one is known.
    pub fn previous_hash_api_key(&self, key: &str) -> Option<Vec<u8>> {
        self.previous.as_ref().map(|secrets| secrets.hash_api_key(key))
    }

    /// Differs for every master key and says nothing about it: equal checks show that two processes have the same one.
    pub const fn key_check(&self) -> [u8; KEY_CHECK_BYTES] {
        self.current.check
    }

    /// The check of the previous master key, while it is known.
    pub fn previous_key_check(&self) -> Option<[u8; KEY_CHECK_BYTES]> {
        self.previous.as_ref().map(|secrets| secrets.check)
    }

    /// The keys that sign callback data and page cursors.
    pub fn signing_keys(&self) -> SigningKeys {
        SigningKeys {
            opaque: *self.current.opaque,
            opaque_previous: self.previous.as_ref().map(|secrets| *secrets.opaque),
            cursor: *self.current.cursor,
        }
    }

    /// Lets the key services do what is due, such as forgetting keys. A process that runs calls this every second.
    pub async fn look(&self) {
        self.keys.look().await;
    }

    /// Returns since when a key service cannot be used, and when it is tried again; `None` while all can.
    pub fn key_service_away(&self) -> Option<Open> {
        self.keys.away()
    }

    fn is_current(&self, wrapped: &[u8]) -> Result<bool, VaultError> {
        Ok(self.keys.key_id_of(wrapped)? == self.keys.key_id())
    }

    async fn sealing_key(&self, owner: KeyOwner<'_>, wrapped: &[u8]) -> Result<SealingKey, VaultError> {
        let data_key = self.keys.unwrap(wrapped, KeyContext { owner }).await?;
        let root = Root::extract(b"dakghar/data-key/v1", data_key.as_bytes());
        Ok(SealingKey::derive(&root, "secrets", "secrets mark"))
    }
}

#[cfg(test)]
mod tests;
