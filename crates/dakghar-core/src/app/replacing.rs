//! New data keys in the place of old ones, while everything runs: those of tenants, of apps and of the installation, with all
//! that is sealed under them sealed anew.
//!
//! The secrets of an app are in one record, as those of the installation are, so that one save does it. A tenant's secrets are in many
//! records. So its new data key is stored with the old one beside it, which opens what is not sealed anew yet, and the old one
//! goes last. Every process reads a tenant again within a second, so nothing is sealed anew before [`SETTLED`]; a request that
//! began before may still seal under the old one, which therefore stays for a time that the caller says.
//!
//! Nothing is noted of how far it is: each stored data key says since when it is there, and whether the old one is.
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | making a data key and saving it | nothing | the next step makes another one |
//! | saving it and sealing anew | a tenant with two data keys; what is sealed opens under the one it names | the next step |
//! | two records that are sealed anew | some under either | the next step |
//! | the last one and letting the old one go | a tenant with two data keys | the next step |

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::auditing::{Deed, Ledger};
use super::endpoints::Endpoints;
use super::erasing::Erasing;
use super::failure::Failure;
use super::meta_apps::{APP_SECRET, VERIFY_TOKEN};
use super::onboarding::Onboarding;
use super::stale::{ROUNDS_MAX, Step};
use super::tenants::{Tenants, pin_purpose, token_purpose};
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::installation::INSTALLATION_SECRETS;
use crate::domain::meta_app::MetaApp;
use crate::domain::page::PageLimit;
use crate::domain::{AppId, PhoneNumber, Tenant, TenantId, Timestamp};
use crate::ports::{Ports, Saved};
use crate::vault::{DatedKey, Vault};

/// Tenants in one step, which are worked on at the same time.
const STEP_MAX: u32 = 20;
/// Tenants that are read at once to be counted.
const COUNT_PAGE: u32 = 200;
/// The time after which every process knows the new data key of a tenant.
const SETTLED: Duration = Duration::from_secs(10);

/// The data keys that are replaced, and how long old ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Data keys are left alone that took the place of another one less long ago: so whoever goes on skips what is done.
    pub older_than: Duration,
    /// The time for which the old data key of a tenant stays beside the new one. Longer than any request takes.
    pub keep_old: Duration,
}

impl Default for Replacement {
    fn default() -> Self {
        Self {
            older_than: Duration::from_secs(24 * 3_600),
            keep_old: Duration::from_secs(120),
        }
    }
}

/// The result of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplacingStep {
    /// Data keys that were replaced.
    pub replaced: u64,
    /// Old data keys that nothing is under any more and that are gone.
    pub dropped: u64,
    /// Old data keys that stay for now.
    pub kept: u64,
    /// Those of which something does not open, or keeps changing. Each has its owner and the reason.
    pub failed: Vec<(String, String)>,
    /// Where the next step begins; `None` if this was the last.
    pub next: Option<TenantId>,
}

/// The data keys that are to be replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplacingCount {
    /// Data keys of tenants, apps and the installation that would be replaced.
    pub due: u64,
    /// Tenants that have an old data key beside the present one.
    pub with_old: u64,
}

/// The fate of the data keys of one owner.
enum Done {
    Nothing,
    Replaced,
    Dropped,
    Kept,
}

/// The flows whose records have something sealed under the data keys of tenants.
pub(super) struct Resealing {
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) erasing: Arc<Erasing>,
    pub(super) onboarding: Arc<Onboarding>,
}

/// Replaces data keys.
pub struct Replacing {
    ports: Ports,
    tenants: Arc<Tenants>,
    resealing: Resealing,
    ledger: Ledger,
}

impl Replacing {
    pub(super) fn new(ports: Ports, tenants: Arc<Tenants>, resealing: Resealing) -> Self {
        Self {
            ledger: Ledger::new(&ports),
            ports,
            tenants,
            resealing,
        }
    }

    /// Counts the data keys that are to be replaced, and the old ones that are kept. What cannot be read is not counted.
    pub async fn count(&self, what: Replacement) -> Result<ReplacingCount, Failure> {
        let mut count = ReplacingCount::default();
        let mut before = None;
        loop {
            let page = self.ports.tenants.list(before, PageLimit::items(COUNT_PAGE)).await?;
            for tenant in page.items.iter().filter(|tenant| tenant.removed_at.is_none()) {
                let Ok(key) = Vault::dated(&tenant.wrapped_data_key) else {
                    continue;
                };
                count.with_old += u64::from(key.previous.is_some());
                let born = Some(tenant.created_at);
                let is_due = self.is_due(&tenant.wrapped_data_key, born, what)?.is_some();
                count.due += u64::from(is_due && key.previous.is_none());
            }
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        for app in self.ports.apps.apps().await?.into_iter().flatten() {
            count.due += u64::from(matches!(
                self.is_due(&app.wrapped_data_key, Some(app.created_at), what),
                Ok(Some(_))
            ));
        }
        if let Ok(Some(secrets)) = self.ports.installation.find_secrets(INSTALLATION_SECRETS).await {
            let is_due = self.is_due(&secrets.wrapped_data_key, None, what);
            count.due += u64::from(matches!(is_due, Ok(Some(_))));
        }
        Ok(count)
    }

    /// Replaces the data keys of a page of tenants that are older than `before`, newest first, seals anew what is under old
    /// ones, and lets those go whose time is over; the first step does so for the apps and the installation too. Fails when a
    /// key service or the store is away: the same step can be taken again.
    ///
    /// The first step is recorded in the audit log before it does anything, and the others are a part of it.
    pub async fn step(
        &self,
        what: Replacement,
        before: Option<TenantId>,
        by: &Principal,
    ) -> Result<ReplacingStep, Failure> {
        let mut step = ReplacingStep::default();
        if before.is_none() {
            let deed = Deed::new(by, AuditAction::DataKeysRotated).about("data_keys", "replaced");
            self.ledger.note(&deed).await?;
            let done = self.replace_installation(what).await;
            note(&mut step, INSTALLATION_SECRETS.to_owned(), done)?;
            for app in self.ports.apps.apps().await?.into_iter().flatten() {
                let done = self.replace_app(&app.id, what).await;
                note(&mut step, format!("app {}", app.id), done)?;
            }
        }
        let page = self.ports.tenants.list(before, PageLimit::items(STEP_MAX)).await?;
        let tenants: Vec<_> = page.items.iter().filter(|tenant| tenant.removed_at.is_none()).collect();
        let done = join_all(tenants.iter().map(|tenant| self.go_on(tenant, what))).await;
        for (tenant, done) in tenants.iter().zip(done) {
            note(&mut step, tenant.id.to_string(), done)?;
        }
        step.next = page.next;
        Ok(step)
    }

    /// The next thing that is due for a tenant.
    async fn go_on(&self, tenant: &Tenant, what: Replacement) -> Result<Done, Failure> {
        let key = Vault::dated(&tenant.wrapped_data_key)?;
        let now = self.ports.clock.now();
        if key.previous.is_none() {
            let born = Some(tenant.created_at);
            let Some(now) = self.is_due(&tenant.wrapped_data_key, born, what)? else {
                return Ok(Done::Nothing);
            };
            let pair = self
                .ports
                .vault
                .replace_data_key(&tenant.id, &tenant.wrapped_data_key, now);
            let is_saved = self.save_key(tenant, &pair.await?, &[]).await?;
            return Ok(if is_saved { Done::Replaced } else { Done::Kept });
        }
        let age = key.made_at.map(|at| now.since(at));
        if age.is_none_or(|age| age < SETTLED) {
            return Ok(Done::Kept);
        }
        let is_over = age.is_some_and(|age| age >= what.keep_old);
        self.resealing.endpoints.reseal(tenant).await?;
        self.resealing.erasing.reseal(tenant).await?;
        self.resealing.onboarding.reseal(tenant).await?;
        let tokens = self.resealed_of_numbers(tenant).await?;
        if !is_over {
            if !tokens.is_empty() {
                self.save_key(tenant, &tenant.wrapped_data_key, &tokens).await?;
            }
            return Ok(Done::Kept);
        }
        let alone = DatedKey { previous: None, ..key }.to_bytes();
        let is_saved = self.save_key(tenant, &alone, &tokens).await?;
        Ok(if is_saved { Done::Dropped } else { Done::Kept })
    }

    /// The access tokens and PINs of the tenant that were under the old data key, with what each was before.
    async fn resealed_of_numbers(&self, tenant: &Tenant) -> Result<Vec<Resealed>, Failure> {
        let mut resealed = Vec::new();
        for number in &tenant.phone_numbers {
            let id = &number.phone_number_id;
            for (purpose, before) in [
                (token_purpose(id), Some(&number.sealed_token)),
                (pin_purpose(id), number.sealed_pin.as_ref()),
            ] {
                let Some(before) = before else { continue };
                let key = &tenant.wrapped_data_key;
                if let Some(sealed) = self.ports.vault.reseal(&tenant.id, key, &purpose, before).await? {
                    resealed.push(Resealed {
                        before: before.clone(),
                        sealed,
                    });
                }
            }
        }
        Ok(resealed)
    }

    /// Saves the data key, the tokens and the PINs, unless one of them was changed meanwhile: then the next step goes on.
    async fn save_key(&self, tenant: &Tenant, key: &[u8], resealed: &[Resealed]) -> Result<bool, Failure> {
        let sealed_in = |tenant: &Tenant| -> Vec<Vec<u8>> {
            let sealed = |one: &PhoneNumber| [Some(one.sealed_token.clone()), one.sealed_pin.clone()];
            tenant.phone_numbers.iter().flat_map(sealed).flatten().collect()
        };
        let known = sealed_in(tenant);
        self.tenants
            .change_if_there(&tenant.id, |stored| {
                if stored.wrapped_data_key != tenant.wrapped_data_key || sealed_in(stored) != known {
                    return Ok(Step::Leave);
                }
                stored.wrapped_data_key = key.to_vec();
                for number in &mut stored.phone_numbers {
                    for sealed in [Some(&mut number.sealed_token), number.sealed_pin.as_mut()]
                        .into_iter()
                        .flatten()
                    {
                        if let Some(anew) = resealed.iter().find(|anew| anew.before == *sealed) {
                            sealed.clone_from(&anew.sealed);
                        }
                    }
                }
                Ok(Step::Save)
            })
            .await
    }

    async fn replace_installation(&self, what: Replacement) -> Result<Done, Failure> {
        let (store, vault) = (&self.ports.installation, &self.ports.vault);
        for _ in 0..ROUNDS_MAX {
            let Some(stored) = store.find_secrets(INSTALLATION_SECRETS).await? else {
                return Ok(Done::Nothing);
            };
            let Some(now) = self.is_due(&stored.wrapped_data_key, None, what)? else {
                return Ok(Done::Nothing);
            };
            let secrets = vault.open_installation(&stored).await?;
            let mut sealed = vault.seal_installation(&secrets).await?;
            sealed.version = stored.version;
            sealed.wrapped_data_key = DatedKey {
                made_at: Some(now),
                present: &sealed.wrapped_data_key,
                previous: None,
            }
            .to_bytes();
            if store.save_secrets(&sealed).await? == Saved::Done {
                return Ok(Done::Replaced);
            }
        }
        Err(Failure::KeptChanging("secrets of the installation"))
    }

    async fn replace_app(&self, id: &AppId, what: Replacement) -> Result<Done, Failure> {
        for _ in 0..ROUNDS_MAX {
            let Some(mut app) = self.ports.apps.find_app(id).await? else {
                return Ok(Done::Nothing);
            };
            let Some(now) = self.is_due(&app.wrapped_data_key, Some(app.created_at), what)? else {
                return Ok(Done::Nothing);
            };
            self.reseal_app(&mut app, now).await?;
            app.updated_at = now;
            if self.ports.apps.save_app(&app).await? == Saved::Done {
                return Ok(Done::Replaced);
            }
        }
        Err(Failure::KeptChanging("app"))
    }

    async fn reseal_app(&self, app: &mut MetaApp, now: Timestamp) -> Result<(), Failure> {
        let vault = &self.ports.vault;
        let pair = vault.replace_data_key(&app.id, &app.wrapped_data_key, now).await?;
        for secret in &mut app.secrets {
            if let Some(sealed) = vault.reseal(&app.id, &pair, APP_SECRET, &secret.sealed).await? {
                secret.sealed = sealed;
            }
        }
        let token = &app.sealed_verify_token;
        if let Some(sealed) = vault.reseal(&app.id, &pair, VERIFY_TOKEN, token).await? {
            app.sealed_verify_token = sealed;
        }
        let key = Vault::dated(&pair)?;
        app.wrapped_data_key = DatedKey { previous: None, ..key }.to_bytes();
        Ok(())
    }

    /// The present time, if the data key is to be replaced. One that never took the place of another is as old as its owner.
    fn is_due(&self, stored: &[u8], born: Option<Timestamp>, what: Replacement) -> Result<Option<Timestamp>, Failure> {
        let now = self.ports.clock.now();
        let made_at = Vault::dated(stored)?.made_at.or(born);
        Ok(made_at.is_none_or(|at| now.since(at) >= what.older_than).then_some(now))
    }
}

/// A secret that was sealed anew.
struct Resealed {
    before: Vec<u8>,
    sealed: Vec<u8>,
}

/// Notes what became of the data keys of one owner. What nobody can open does not stop the others.
fn note(step: &mut ReplacingStep, owner: String, done: Result<Done, Failure>) -> Result<(), Failure> {
    match done {
        Ok(Done::Nothing) => {}
        Ok(Done::Replaced) => step.replaced += 1,
        Ok(Done::Dropped) => step.dropped += 1,
        Ok(Done::Kept) => step.kept += 1,
        Err(failure) if failure.is_of_one_record() => step.failed.push((owner, failure.to_string())),
        Err(failure) => return Err(failure),
    }
    Ok(())
}
