//! Secrets at rest: every tenant has a data key, and a tenant's secrets are sealed under it.
//!
//! A [`KeyService`] wraps the data keys. Sealing is here, once for every key service, and so are the secrets of the
//! installation itself ([`InstallationSecrets`]): what hashes API keys and what signs. They are sealed like those of a tenant. Both the wrapped data key and the sealed secret bind the tenant as additional data, so a value
//! copied to another tenant, purpose or installation does not open. Nothing here stores anything.
//!
//! While the master key is being changed the previous one is given too: data keys wrapped under it still open, and
//! [`Vault::rewrap_data_key`] moves them over one by one. What a master key in this process unwraps is not kept:
//! unwrapping takes about as long as looking one up would, and a key that is not kept needs no expiry. What a service
//! elsewhere unwraps is kept for some minutes ([`KeptKeys`]).

mod dated;
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
use crate::domain::installation::{INSTALLATION_SECRETS, SealedSecrets};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::ports::{DATA_KEY_BYTES, DataKey, KeyContext, KeyError, KeyId, KeyOwner, KeyService};

pub use dated::DatedKey;
pub use derivation::{KEY_CHECK_BYTES, MasterKey, MasterKeyTooShort, Root};
pub use installation::{InstallationSecrets, SigningKeys};
pub use kept::{KEPT_FOR, KEPT_MAX, KeptKeys, KeptKeysSetup};
use sealing::{NotSealed, SealingKey, Unreadable};
pub use services::KeyServices;

/// The kind of a sealed secret; bound to it, so that no wrapped data key can stand in for one.
const SECRET: &[u8] = b"secret";

/// The purpose of the sealed secrets of the installation, with the version of their form.
const OF_INSTALLATION: &str = "installation secrets/1";

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

/// Seals and opens the secrets of tenants, of apps and of the installation.
pub struct Vault {
    keys: Arc<dyn KeyService>,
}

impl Vault {
    /// A vault over this key service.
    pub fn new(keys: Arc<dyn KeyService>) -> Self {
        Self { keys }
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
        let key = self
            .sealing_key(owner, DatedKey::parse(wrapped_data_key)?.present)
            .await?;
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
        let key = self.key_of(owner, wrapped_data_key, sealed).await?;
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
        for wrapped in wrapped_forms(wrapped)? {
            self.keys.unwrap(wrapped, KeyContext { owner }).await?;
        }
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
        let dated = DatedKey::parse(wrapped)?;
        let present = self.rewrapped(owner, dated.present).await?;
        let previous = match dated.previous {
            Some(previous) => Some(self.rewrapped(owner, previous).await?),
            None => None,
        };
        let moved = DatedKey {
            made_at: dated.made_at,
            present: &present,
            previous: previous.as_deref(),
        };
        Ok(Some(moved.to_bytes()))
    }

    async fn rewrapped(&self, owner: KeyOwner<'_>, wrapped: &[u8]) -> Result<Vec<u8>, VaultError> {
        let context = KeyContext { owner };
        let data_key = self.keys.unwrap(wrapped, context).await?;
        Ok(self.keys.wrap(&data_key, context).await?)
    }

    /// The key under which data keys are wrapped now.
    pub fn key_id(&self) -> KeyId {
        self.keys.key_id()
    }

    /// The key under which a data key is wrapped, by its form; where the one before it is kept and is under another key, that
    /// other key, which is still needed for it.
    pub fn key_id_of(&self, wrapped: &[u8]) -> Result<KeyId, VaultError> {
        let present = self.keys.key_id();
        let mut under = None;
        for wrapped in wrapped_forms(wrapped)? {
            let key = self.keys.key_id_of(wrapped)?;
            under = under.filter(|under| *under != present).or(Some(key));
        }
        Ok(under.unwrap_or(present))
    }

    /// Takes a stored data key apart.
    pub fn dated(stored: &[u8]) -> Result<DatedKey<'_>, VaultError> {
        Ok(DatedKey::parse(stored)?)
    }

    /// A new data key in the place of the stored one, which goes on to open what was sealed under it.
    pub async fn replace_data_key(
        &self,
        owner: impl Into<KeyOwner<'_>>,
        stored: &[u8],
        now: Timestamp,
    ) -> Result<Vec<u8>, VaultError> {
        let owner = owner.into();
        let previous = DatedKey::parse(stored)?.present;
        // A key that nobody can open must not be put aside as if it could be opened later.
        self.keys.unwrap(previous, KeyContext { owner }).await?;
        let replaced = DatedKey {
            made_at: Some(now),
            present: &self.new_data_key(owner).await?,
            previous: Some(previous),
        };
        Ok(replaced.to_bytes())
    }

    /// Seals a secret anew under the present data key of a stored pair; `None` where it is sealed under that already.
    pub async fn reseal(
        &self,
        owner: impl Into<KeyOwner<'_>>,
        stored: &[u8],
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let owner = owner.into();
        let present = self.sealing_key(owner, DatedKey::parse(stored)?.present).await?;
        if sealing::mark_of(sealed)? == present.mark() {
            return Ok(None);
        }
        let secret = self.open(owner, stored, purpose, sealed).await?;
        self.seal(owner, stored, purpose, &secret).await.map(Some)
    }

    /// Seals the secrets of the installation under a new data key.
    pub async fn seal_installation(&self, secrets: &InstallationSecrets) -> Result<SealedSecrets, VaultError> {
        let wrapped_data_key = self.new_data_key(KeyOwner::Installation).await?;
        let text = secrets.to_text();
        let sealed = self.seal(KeyOwner::Installation, &wrapped_data_key, OF_INSTALLATION, &text);
        Ok(SealedSecrets {
            name: INSTALLATION_SECRETS.to_owned(),
            sealed: sealed.await?,
            wrapped_data_key,
            version: 0,
        })
    }

    /// Opens the secrets of the installation.
    pub async fn open_installation(&self, secrets: &SealedSecrets) -> Result<InstallationSecrets, VaultError> {
        let (wrapped, sealed) = (&secrets.wrapped_data_key, &secrets.sealed);
        let text = self
            .open(KeyOwner::Installation, wrapped, OF_INSTALLATION, sealed)
            .await?;
        Ok(InstallationSecrets::parse(&text)?)
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
        Ok(self.key_id_of(wrapped)? == self.keys.key_id())
    }

    /// The key that sealed this: of the two of a stored pair, the one that it names.
    async fn key_of(&self, owner: KeyOwner<'_>, stored: &[u8], sealed: &[u8]) -> Result<SealingKey, VaultError> {
        let dated = DatedKey::parse(stored)?;
        let present = self.sealing_key(owner, dated.present).await?;
        match dated.previous {
            Some(previous) if sealing::mark_of(sealed)? != present.mark() => self.sealing_key(owner, previous).await,
            _ => Ok(present),
        }
    }

    async fn sealing_key(&self, owner: KeyOwner<'_>, wrapped: &[u8]) -> Result<SealingKey, VaultError> {
        let data_key = self.keys.unwrap(wrapped, KeyContext { owner }).await?;
        let root = Root::extract(b"dakghar/data-key/v1", data_key.as_bytes());
        Ok(SealingKey::derive(&root, "secrets", "secrets mark"))
    }
}

/// The wrapped data keys of a stored form.
fn wrapped_forms(stored: &[u8]) -> Result<impl Iterator<Item = &[u8]>, VaultError> {
    let dated = DatedKey::parse(stored)?;
    Ok(std::iter::once(dated.present).chain(dated.previous))
}

#[cfg(test)]
mod tests;
