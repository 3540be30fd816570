//! Moving data keys from one wrapping key to another, while everything runs.
//!
//! Each step takes a page of tenants, and stands alone: what it moved is under the new key, and what it did not is under
//! the old one, which every process still has. Nothing is noted of how far it is; the wrapped data keys tell that by
//! themselves. So a step that was killed leaves nothing behind, and whoever goes on skips what was moved.
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | wrapping a data key again and saving it | nothing; the wrapped key is forgotten | the next step wraps it again |
//! | two tenants, or the tenants and the apps | some under either key; all processes open both | the next step |

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;

use super::failure::Failure;
use super::stale::{ROUNDS_MAX, Step};
use super::tenants::Tenants;
use crate::domain::page::PageLimit;
use crate::domain::{AppId, Tenant, TenantId};
use crate::ports::{KeyId, Ports, Saved, StoreError};
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
}

impl WrappedBy {
    /// True if something needs it.
    pub const fn is_needed(&self) -> bool {
        self.is_present || self.tenants + self.apps > 0
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
        others.map(|key| key.tenants + key.apps).sum()
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
}

impl Rotating {
    pub(super) const fn new(ports: Ports, tenants: Arc<Tenants>) -> Self {
        Self { ports, tenants }
    }

    /// Counts the data keys under each key, by their forms alone.
    pub async fn keys(&self) -> Result<WrappingKeys, Failure> {
        let mut counts: BTreeMap<String, WrappedBy> = BTreeMap::new();
        let mut unreadable = 0;
        let present = self.ports.vault.key_id();
        let mut count = |wrapped: &[u8], is_tenant: bool| {
            let Ok(key) = self.ports.vault.key_id_of(wrapped) else {
                unreadable += 1;
                return;
            };
            let found = counts.entry(key.to_string()).or_insert_with(|| WrappedBy {
                is_present: key == present,
                key,
                tenants: 0,
                apps: 0,
            });
            found.tenants += u64::from(is_tenant);
            found.apps += u64::from(!is_tenant);
        };
        let mut before = None;
        loop {
            let page = self.ports.tenants.list(before, PageLimit::items(COUNT_PAGE)).await?;
            for tenant in page.items.iter().filter(|tenant| tenant.removed_at.is_none()) {
                count(&tenant.wrapped_data_key, true);
            }
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        for app in self.ports.apps.apps().await?.into_iter().flatten() {
            count(&app.wrapped_data_key, false);
        }
        let (mut keys, others): (Vec<_>, Vec<_>) = counts.into_values().partition(|key| key.is_present);
        if keys.is_empty() {
            keys.push(WrappedBy {
                key: present,
                is_present: true,
                tenants: 0,
                apps: 0,
            });
        }
        keys.extend(others);
        Ok(WrappingKeys { keys, unreadable })
    }

    /// Moves the data keys of a page of tenants that are older than `before`, newest first; the first step moves those of the
    /// apps too. Fails when a key service or the store is away: the same step can be taken again.
    pub async fn step(&self, before: Option<TenantId>) -> Result<RotationStep, Failure> {
        let mut step = RotationStep::default();
        if before.is_none() {
            self.move_apps(&mut step).await?;
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
        let changed = self
            .tenants
            .change(&tenant.id, |stored| {
                // Somebody else moved it meanwhile.
                if stored.wrapped_data_key != tenant.wrapped_data_key {
                    return Ok(Step::Leave);
                }
                stored.wrapped_data_key.clone_from(&wrapped);
                Ok(Step::Save)
            })
            .await;
        match changed {
            Ok(changed) => Ok(changed.is_saved),
            // It was removed meanwhile.
            Err(Failure::Refused(_)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn move_apps(&self, step: &mut RotationStep) -> Result<(), Failure> {
        for app in self.ports.apps.apps().await?.into_iter().flatten() {
            let moved = self.move_app(&app.id).await;
            note(step, format!("app {}", app.id), moved)?;
        }
        Ok(())
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

/// Notes what became of one data key. What nobody can move does not stop the others.
fn note(step: &mut RotationStep, owner: String, moved: Result<bool, Failure>) -> Result<(), Failure> {
    match moved {
        Ok(is_moved) => step.moved += u64::from(is_moved),
        Err(
            failure @ (Failure::Vault(VaultError::Unreadable(_))
            | Failure::Store(StoreError::Unreadable(_) | StoreError::Corrupt(_))
            | Failure::KeptChanging(_)),
        ) => step.failed.push((owner, failure.to_string())),
        Err(failure) => return Err(failure),
    }
    Ok(())
}
