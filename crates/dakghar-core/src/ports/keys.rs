//! The service that keeps the key of all keys: it wraps and unwraps data keys, and sees nothing else.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::domain::breaker::Open;
use crate::domain::ids::{AppId, TenantId};

/// Bytes of a data key: AES-256.
pub const DATA_KEY_BYTES: usize = 32;

/// A data key could not be wrapped or unwrapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The service cannot be reached at present.
    #[error("the key service is not available: {0}")]
    Unavailable(String),
    /// The service answers and does not allow it, whatever the data key: its token, a policy, or a key that is disabled.
    #[error("the key service refuses: {0}")]
    Refused(String),
    /// Wrapped under another key, for another context, or damaged.
    #[error("the data key cannot be unwrapped: {0}")]
    Unreadable(&'static str),
}

/// Names a key of a key service. Equal names mean the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Takes the name that the service gives its key.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key that seals one tenant's secrets. It is wiped when dropped and prints `***` when debugged.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; DATA_KEY_BYTES]>);

impl DataKey {
    /// Takes the bytes into custody.
    pub const fn new(bytes: Zeroizing<[u8; DATA_KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    /// The bytes themselves.
    pub fn as_bytes(&self) -> &[u8; DATA_KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Somebody who has secrets. As text, no two owners are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOwner<'a> {
    /// A tenant.
    Tenant(&'a TenantId),
    /// An app at Meta.
    App(&'a AppId),
    /// The installation as a whole.
    Installation,
}

impl<'a> From<&'a TenantId> for KeyOwner<'a> {
    fn from(id: &'a TenantId) -> Self {
        Self::Tenant(id)
    }
}

impl<'a> From<&'a AppId> for KeyOwner<'a> {
    fn from(id: &'a AppId) -> Self {
        Self::App(id)
    }
}

impl fmt::Display for KeyOwner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(id) => write!(f, "{id}"),
            Self::App(id) => write!(f, "app/{id}"),
            Self::Installation => f.write_str("installation"),
        }
    }
}

/// The owner of a data key. It is bound to the wrapped key, which unwraps for no other owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyContext<'a> {
    /// Whose secrets the data key seals.
    pub owner: KeyOwner<'a>,
}

/// Wraps and unwraps data keys.
#[async_trait]
pub trait KeyService: Send + Sync {
    /// The key under which data keys are wrapped now.
    fn key_id(&self) -> KeyId;

    /// The key under which this data key was wrapped, read from its form alone. It need not be a key of this service.
    fn key_id_of(&self, wrapped: &[u8]) -> Result<KeyId, KeyError>;

    /// Wraps a data key under the present key.
    async fn wrap(&self, data_key: &DataKey, context: KeyContext<'_>) -> Result<Vec<u8>, KeyError>;

    /// Unwraps a data key that was wrapped with the same context, under the present key or one before it.
    async fn unwrap(&self, wrapped: &[u8], context: KeyContext<'_>) -> Result<DataKey, KeyError>;

    /// Checks that the service wraps now.
    async fn ping(&self) -> Result<(), KeyError> {
        let nobody = KeyContext {
            owner: KeyOwner::Installation,
        };
        let no_key = DataKey::new(Zeroizing::new([0; DATA_KEY_BYTES]));
        self.wrap(&no_key, nobody).await.map(|_| ())
    }

    /// Does what is due by itself, such as forgetting what was kept. A process that runs calls this every second.
    async fn look(&self) {}

    /// Returns since when the service cannot be used, and when it is tried again; `None` while it can.
    fn away(&self) -> Option<Open> {
        None
    }
}
