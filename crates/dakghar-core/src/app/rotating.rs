//! Moving data keys from one wrapping key to another, while everything runs: those of tenants, of apps and of the installation.
//!
//! Each step takes a page of tenants, and stands alone: what it moved is under the new key, and what it did not is under
//! the old one, which every process still has. Nothing is noted of how far it is; the wrapped data keys tell that by
//! themselves. So a step that was killed leaves nothing behind, and whoever goes on skips what was moved.
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | wrapping a data key again and saving it | nothing; the wrapped key is forgotten | the next step wraps it again |
//! | two tenants, or the tenants, the apps and the installation | some under either key; all processes open both | the next step |

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;

use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::replacing::Replacing;
use super::replacing::Resealing;
use super::stale::{ROUNDS_MAX, Step};
use super::tenants::Tenants;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::installation::INSTALLATION_SECRETS;
use crate::domain::page::PageLimit;
use crate::domain::{AppId, Tenant, TenantId};
use crate::ports::{KeyId, KeyOwner, Ports, Saved, StoreError};
use crate::vault::VaultError;

/// Tenants in one step, whose data keys are wrapped again at the same time.
const STEP_MAX: u32 = 20;
/// Tenants that are read at once to be counted.
const COUNT_PAGE: u32 = 200;

/// The data keys under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedBy {
    /// The key.
    pub key: KeyId,
    /// True if data keys are wrapped under it now.
    pub is_present: bool,
    /// Tenants whose data key is under it.
    pub tenants: u64,
    /// Apps at Meta whose data key is under it.
    pub apps: u64,
    /// True if that of the secrets of the installation is under it.
    pub has_installation: bool,
}

impl WrappedBy {
    /// True if something needs it.
    pub const fn is_needed(&self) -> bool {
        self.is_present || self.count() > 0
    }

    /// The data keys under it.
    pub const fn count(&self) -> u64 {
        self.tenants + self.apps + self.has_installation as u64
    }
}

/// The keys that data keys are wrapped under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappingKeys {
    /// The present one first, then those that something is under.
    pub keys: Vec<WrappedBy>,
    /// Data keys that have not the form of one.
    pub unreadable: u64,
}

impl WrappingKeys {
    /// The data keys that are not under the present key.
    pub fn left(&self) -> u64 {
        let others = self.keys.iter().filter(|key| !key.is_present);
        others.map(WrappedBy::count).sum()
    }
}

/// The result of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RotationStep {
    /// Data keys that it moved.
    pub moved: u64,
    /// Data keys that nobody can move: they do not unwrap. Each has its owner and the reason.
    pub failed: Vec<(String, String)>,
    /// Where the next step begins; `None` if this was the last.
    pub next: Option<TenantId>,
}

/// Moves data keys to the present wrapping key.
pub struct Rotating {
    ports: Ports,
    tenants: Arc<Tenants>,
    ledger: Ledger,
}

impl Rotating {
    pub(super) fn new(ports: Ports, tenants: Arc<Tenants>) -> Self {
        let ledger = Ledger::new(&ports);
        Self { ports, tenants, ledger }
    }

    /// Returns the use case that replaces data keys, instead of moving them.
    pub(super) fn replacing(&self, resealing: Resealing) -> Replacing {
        Replacing::new(self.ports.clone(), self.tenants.clone(), resealing)
    }

    /// Counts the data keys under each key, by their forms alone.
    pub async fn keys(&self) -> Result<WrappingKeys, Failure> {
        let vault = &self.ports.vault;
        let mut counts = Counts::new(vault.key_id());
        let mut before = None;
        loop {
            let page = self.ports.tenants.list(before, PageLimit::items(COUNT_PAGE)).await?;
            for tenant in page.items.iter().filter(|tenant| tenant.removed_at.is_none()) {
                counts.count(vault.key_id_of(&tenant.wrapped_data_key), |key| key.tenants += 1);
            }
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        for app in self.ports.apps.apps().await?.into_iter().flatten() {
            counts.count(vault.key_id_of(&app.wrapped_data_key), |key| key.apps += 1);
        }
        match self.ports.installation.find_secrets(INSTALLATION_SECRETS).await {
            Ok(Some(secrets)) => {
                let key = vault.key_id_of(&secrets.wrapped_data_key);
                counts.count(key, |key| key.has_installation = true);
            }
            Ok(None) => {}
            Err(StoreError::Unreadable(_)) => counts.unreadable += 1,
            Err(error) => return Err(error.into()),
        }
        Ok(counts.into_keys())
    }

    /// Moves the data keys of a page of tenants that are older than `before`, newest first; the first step moves those of the
    /// apps and of the installation too. Fails when a key service or the store is away: the same step can be taken again.
    ///
    /// The first step is recorded in the audit log before it moves anything, and the others are a part of it.
    pub async fn step(&self, before: Option<TenantId>, by: &Principal) -> Result<RotationStep, Failure> {
        let mut step = RotationStep::default();
        if before.is_none() {
            let under = self.ports.vault.key_id();
            let deed = Deed::new(by, AuditAction::DataKeysRotated).about("wrapping_key", under);
            self.ledger.note(&deed).await?;
            self.move_apps(&mut step).await?;
            let moved = self.move_installation().await;
            note(&mut step, INSTALLATION_SECRETS.to_owned(), moved)?;
        }
        let page = self.ports.tenants.list(before, PageLimit::items(STEP_MAX)).await?;
        let tenants: Vec<_> = page.items.iter().filter(|tenant| tenant.removed_at.is_none()).collect();
        let moved = join_all(tenants.iter().map(|tenant| self.move_tenant(tenant))).await;
        for (tenant, moved) in tenants.iter().zip(moved) {
            note(&mut step, tenant.id.to_string(), moved)?;
        }
        step.next = page.next;
        Ok(step)
    }

    async fn move_tenant(&self, tenant: &Tenant) -> Result<bool, Failure> {
        let vault = &self.ports.vault;
        let Some(wrapped) = vault.rewrap_data_key(&tenant.id, &tenant.wrapped_data_key).await? else {
            return Ok(false);
        };
        self.tenants
            .change_if_there(&tenant.id, |stored| {
                // Somebody else moved it meanwhile.
                if stored.wrapped_data_key != tenant.wrapped_data_key {
                    return Ok(Step::Leave);
                }
                stored.wrapped_data_key.clone_from(&wrapped);
                Ok(Step::Save)
            })
            .await
    }

    async fn move_apps(&self, step: &mut RotationStep) -> Result<(), Failure> {
        for app in self.ports.apps.apps().await?.into_iter().flatten() {
            let moved = self.move_app(&app.id).await;
            note(step, format!("app {}", app.id), moved)?;
        }
        Ok(())
    }

    async fn move_installation(&self) -> Result<bool, Failure> {
        for _ in 0..ROUNDS_MAX {
            let Some(mut secrets) = self.ports.installation.find_secrets(INSTALLATION_SECRETS).await? else {
                return Ok(false);
            };
            let wrapped = &secrets.wrapped_data_key;
            let Some(wrapped) = self
                .ports
                .vault
                .rewrap_data_key(KeyOwner::Installation, wrapped)
                .await?
            else {
                return Ok(false);
            };
            secrets.wrapped_data_key = wrapped;
            if self.ports.installation.save_secrets(&secrets).await? == Saved::Done {
                return Ok(true);
            }
        }
        Err(Failure::KeptChanging("secrets of the installation"))
    }

    async fn move_app(&self, id: &AppId) -> Result<bool, Failure> {
        for _ in 0..ROUNDS_MAX {
            let Some(mut app) = self.ports.apps.find_app(id).await? else {
                return Ok(false);
            };
            let Some(wrapped) = self.ports.vault.rewrap_data_key(id, &app.wrapped_data_key).await? else {
                return Ok(false);
            };
            app.wrapped_data_key = wrapped;
            app.updated_at = self.ports.clock.now();
            if self.ports.apps.save_app(&app).await? == Saved::Done {
                return Ok(true);
            }
        }
        Err(Failure::KeptChanging("app"))
    }
}

/// Data keys, counted by the keys that they are under.
struct Counts {
    present: KeyId,
    by_key: BTreeMap<String, WrappedBy>,
    unreadable: u64,
}

impl Counts {
    const fn new(present: KeyId) -> Self {
        Self {
            present,
            by_key: BTreeMap::new(),
            unreadable: 0,
        }
    }

    fn count(&mut self, key: Result<KeyId, VaultError>, add: impl FnOnce(&mut WrappedBy)) {
        match key {
            Ok(key) => add(self.of(key)),
            Err(_) => self.unreadable += 1,
        }
    }

    fn of(&mut self, key: KeyId) -> &mut WrappedBy {
        let is_present = key == self.present;
        self.by_key.entry(key.to_string()).or_insert(WrappedBy {
            key,
            is_present,
            tenants: 0,
            apps: 0,
            has_installation: false,
        })
    }

    fn into_keys(mut self) -> WrappingKeys {
        self.of(self.present.clone());
        let (mut keys, others): (Vec<_>, Vec<_>) = self.by_key.into_values().partition(|key| key.is_present);
        keys.extend(others);
        WrappingKeys {
            keys,
            unreadable: self.unreadable,
        }
    }
}

/// Notes what became of one data key. What nobody can move does not stop the others.
fn note(step: &mut RotationStep, owner: String, moved: Result<bool, Failure>) -> Result<(), Failure> {
    match moved {
        Ok(is_moved) => step.moved += u64::from(is_moved),
        Err(failure) if failure.is_of_one_record() => step.failed.push((owner, failure.to_string())),
        Err(failure) => return Err(failure),
    }
    Ok(())
}
