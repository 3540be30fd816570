//! The secrets of the installation: made once, and read by every process when it starts. No process has others than those that
//! are stored: one whose store was exchanged under it, by a migration or a restored backup, ends.
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | making them and storing them | nothing | the next start makes others |
//! | storing them and using them | they are stored | the next start reads them |
//! | two processes that make them at once | those that were stored first | the other one reads them |

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::failure::Failure;
use crate::domain::installation::INSTALLATION_SECRETS;
use crate::domain::page::PageLimit;
use crate::ports::{Clock, InstallationStore, OperatorStore, Ports, Saved, StoreError, TenantStore};
use crate::vault::{InstallationSecrets, Vault, VaultError};

/// The time between two looks at what is stored.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// There are no secrets to work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSecrets {
    /// They are there, and do not open.
    #[error("the secrets of this installation cannot be opened: {0}")]
    Closed(VaultError),
    /// They were never stored, and no master key is set that gives those that are in use.
    #[error("this installation has API keys under its master key, and no master key is set")]
    NoMasterKey,
    /// The store or the key service failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<StoreError> for NoSecrets {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Where the secrets are, and what tells whether there must be some.
#[derive(Clone, Copy)]
pub struct Installation<'a> {
    /// The secrets, sealed.
    pub secrets: &'a dyn InstallationStore,
    /// Tenants, whose keys are hashed with them.
    pub tenants: &'a dyn TenantStore,
    /// Operators, whose keys are, too.
    pub operators: &'a dyn OperatorStore,
    /// Opens them.
    pub vault: &'a Vault,
}

impl Installation<'_> {
    /// Opens the secrets. Where none are stored yet, those in use are stored: the ones that the master keys give
    /// (`derived`), or new ones where nobody has a key.
    pub async fn open(&self, derived: Option<&InstallationSecrets>) -> Result<InstallationSecrets, NoSecrets> {
        if let Some(stored) = self.find().await? {
            return Ok(stored);
        }
        // A process of an earlier release that registers the first tenant now would do so under the master key.
        let secrets = match (self.is_in_use().await?, derived) {
            (false, _) => InstallationSecrets::random()
                .map_err(VaultError::from)
                .map_err(Failure::from)?,
            (true, Some(derived)) => derived.clone(),
            (true, None) => return Err(NoSecrets::NoMasterKey),
        };
        let sealed = self.vault.seal_installation(&secrets).await.map_err(Failure::from)?;
        match self.secrets.insert_secrets(&sealed).await? {
            Saved::Done => {
                tracing::info!("the secrets of this installation were stored; no change of a key changes them");
                Ok(secrets)
            }
            Saved::Stale => {
                let stored = self.find().await?;
                stored.ok_or_else(|| Failure::KeptChanging("secrets of the installation").into())
            }
        }
    }

    async fn find(&self) -> Result<Option<InstallationSecrets>, NoSecrets> {
        let Some(sealed) = self.secrets.find_secrets(INSTALLATION_SECRETS).await? else {
            return Ok(None);
        };
        match self.vault.open_installation(&sealed).await {
            Ok(opened) => Ok(Some(opened)),
            Err(error @ VaultError::Unreadable(_)) => Err(NoSecrets::Closed(error)),
            Err(error) => Err(Failure::from(error).into()),
        }
    }

    /// True if somebody may have a key.
    async fn is_in_use(&self) -> Result<bool, StoreError> {
        let tenants = self.tenants.list(None, PageLimit::items(1)).await?;
        // A page without items that is not the last one left out what cannot be read.
        let has_tenants = !tenants.items.is_empty() || tenants.next.is_some();
        Ok(has_tenants || !self.operators.operator_keys().await?.is_empty())
    }
}

/// Watches that the stored secrets are still those of this process.
pub(super) struct SecretsWatch {
    store: Arc<dyn InstallationStore>,
    vault: Arc<Vault>,
    secrets: Arc<InstallationSecrets>,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The latest look, by the machine's uptime.
    at: Option<Duration>,
    /// The latest sealing that is known to hold the secrets of this process.
    sealed: Vec<u8>,
    are_exchanged: bool,
}

impl SecretsWatch {
    pub(super) fn new(ports: &Ports) -> Self {
        Self {
            store: ports.installation.clone(),
            vault: ports.vault.clone(),
            secrets: ports.secrets.clone(),
            clock: ports.clock.clone(),
            seen: Mutex::default(),
        }
    }

    /// Why this process cannot go on, if it cannot.
    pub(super) fn stopped(&self) -> Option<String> {
        let why = "the secrets of the installation are not those that this process was started with, so its store was \
                   exchanged; it must be started again";
        self.seen.lock().are_exchanged.then(|| why.to_owned())
    }

    /// Looks, if it is time. What cannot be read or opened now says nothing.
    pub(super) async fn look(&self) {
        let now = self.clock.uptime();
        {
            let mut seen = self.seen.lock();
            if seen.at.is_some_and(|at| now.saturating_sub(at) < LOOK_EVERY) {
                return;
            }
            seen.at = Some(now);
        }
        let Ok(Some(stored)) = self.store.find_secrets(INSTALLATION_SECRETS).await else {
            return;
        };
        if self.seen.lock().sealed == stored.sealed {
            return;
        }
        let are_exchanged = match self.vault.open_installation(&stored).await {
            Ok(opened) => opened != *self.secrets,
            Err(VaultError::Unreadable(_)) => true,
            Err(VaultError::Unavailable(_)) => return,
        };
        let mut seen = self.seen.lock();
        seen.are_exchanged |= are_exchanged;
        seen.sealed = stored.sealed;
    }
}
