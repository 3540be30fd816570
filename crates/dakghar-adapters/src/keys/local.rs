//! The key service whose master key comes from the configuration.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dakghar_core::domain::secret::Secret;
use dakghar_core::ports::{DataKey, KeyContext, KeyError, KeyId, KeyService};
use dakghar_core::vault::sealing::{self, SealingKey};
use dakghar_core::vault::{MasterKey, wrapped};
use zeroize::Zeroizing;

use super::data_key;

/// Bytes of a generated master key.
const MASTER_KEY_BYTES: usize = 32;

/// The kind of a wrapped data key; bound to it, so that no sealed secret can stand in for one.
const DATA_KEY: &[u8] = b"data_key";

/// A new random master key, 256 bits as 43 characters.
pub fn generate_master_key() -> Result<Secret, KeyError> {
    let mut key = Zeroizing::new([0; MASTER_KEY_BYTES]);
    #[expect(
        clippy::disallowed_methods,
        reason = "keys are made from the system's random numbers"
    )]
    aws_lc_rs::rand::fill(&mut *key).map_err(|_| KeyError::Unavailable("no random numbers".into()))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(*key)))
}

/// Wraps data keys under a master key that this process holds.
pub struct LocalKeys {
    current: SealingKey,
    previous: Option<SealingKey>,
}

impl LocalKeys {
    /// A key service under this master key. `previous` only unwraps.
    pub fn new(master_key: &MasterKey, previous: Option<&MasterKey>) -> Self {
        let wrapping = |key: &MasterKey| SealingKey::derive(key.root(), "data keys", "data keys mark");
        Self {
            current: wrapping(master_key),
            previous: previous.map(wrapping),
        }
    }
}

#[async_trait]
impl KeyService for LocalKeys {
    fn key_id(&self) -> KeyId {
        wrapped::of_mark(self.current.mark())
    }

    fn key_id_of(&self, form: &[u8]) -> Result<KeyId, KeyError> {
        wrapped::key_id_of(form)
    }

    async fn wrap(&self, data_key: &DataKey, context: KeyContext<'_>) -> Result<Vec<u8>, KeyError> {
        let owner = context.owner.to_string();
        Ok(self.current.seal(&[owner.as_bytes(), DATA_KEY], data_key.as_bytes())?)
    }

    async fn unwrap(&self, wrapped: &[u8], context: KeyContext<'_>) -> Result<DataKey, KeyError> {
        let mark = sealing::mark_of(wrapped)?;
        let key = [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|key| key.mark() == mark)
            .ok_or(KeyError::Unreadable(
                "its data key was wrapped under another master key",
            ))?;
        let owner = context.owner.to_string();
        let opened = key.open(&[owner.as_bytes(), DATA_KEY], wrapped)?;
        data_key::of(&opened)
    }
}
