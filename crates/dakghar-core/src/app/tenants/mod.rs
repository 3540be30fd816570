//! Tenants: registered, changed, paused, removed.

mod auto_redrive;
pub(in crate::app) mod checks;
mod connected;
pub(super) mod directory;
mod holds;
mod key_changes;
pub(super) mod key_uses;
pub(in crate::app) mod keys;
pub(in crate::app) mod leaving;
mod limits;
mod new;
mod numbers;
mod recent;
mod register;
mod remove;
mod sending_rules;
mod token;

use std::sync::Arc;
use std::time::Duration;

use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::settings::Settings;
use super::stale::{ROUNDS_MAX, Step};
use super::tokens::TokenChecks;
use crate::domain::access_token::TokenTold;
use crate::domain::audit::{AuditAction, Principal, tenant_changes};
use crate::domain::callback_url::CallbackRules;
use crate::domain::hold::HoldTold;
use crate::domain::standing::NumberTold;
use crate::domain::tenant::SharedTenant;
use crate::domain::{ErrorCode, PhoneNumberId, Problem, RedriveId, Tenant, TenantId, Timestamp, WebhookEvent};
use crate::ports::{AuditedChange, Carried, Ports, StoreError};
use directory::Directory;
use key_uses::KeyUses;

pub(in crate::app) use connected::ConnectedNumber;
pub use keys::{KeyVerdict, KnownKey};
pub use new::{NewPhoneNumber, NewTenant, PhoneNumberChanges};
pub use register::RegisteredTenant;
pub use token::{pin_purpose, token_purpose};

/// Manages tenants and their numbers.
pub struct Tenants {
    ports: Ports,
    directory: Arc<Directory>,
    directory_ttl: Duration,
    callback_rules: Arc<CallbackRules>,
    key_uses: KeyUses,
    token_checks: TokenChecks,
    ledger: Ledger,
}

/// A tenant after a change.
pub(super) struct ChangedTenant {
    /// The tenant as it is stored now.
    pub(super) tenant: SharedTenant,
    /// False if the change left it as it was.
    pub(super) is_saved: bool,
}

impl Tenants {
    pub(super) fn new(
        ports: Ports,
        directory: Arc<Directory>,
        key_uses: KeyUses,
        token_checks: TokenChecks,
        settings: &Settings,
    ) -> Self {
        Self {
            ledger: Ledger::new(&ports),
            ports,
            directory,
            directory_ttl: settings.directory_ttl,
            callback_rules: settings.callback_rules.clone(),
            key_uses,
            token_checks,
        }
    }

    /// Returns the tenant as the hot paths see it: at most [`super::Settings::directory_ttl`] old.
    pub async fn find(&self, id: &TenantId) -> Result<SharedTenant, Failure> {
        Ok(self.directory.find(id).await?.ok_or_else(no_such_tenant)?)
    }

    /// Returns the tenant as it is stored now; not found while it is being removed.
    pub async fn stored(&self, id: &TenantId) -> Result<Tenant, Failure> {
        let found = self.ports.tenants.find(id).await?;
        Ok(found
            .filter(|tenant| tenant.removed_at.is_none())
            .ok_or_else(no_such_tenant)?)
    }

    /// Loads the tenant, applies the change and saves it, with what its feed tells of holds. Starts again if another writer
    /// saved first. For what Dakghar finds out by itself, which is not in the audit log.
    pub(super) async fn change(
        &self,
        id: &TenantId,
        change: impl FnMut(&mut Tenant) -> Result<Step, Problem> + Send,
    ) -> Result<ChangedTenant, Failure> {
        self.change_and_record(id, None, change).await
    }

    /// The same for a tenant that may have been removed meanwhile, which is no failure. Returns true if the change is saved.
    pub(super) async fn change_if_there(
        &self,
        id: &TenantId,
        change: impl FnMut(&mut Tenant) -> Result<Step, Problem> + Send,
    ) -> Result<bool, Failure> {
        match self.change(id, change).await {
            Ok(changed) => Ok(changed.is_saved),
            Err(Failure::Refused(_)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// The same for what somebody does: the save and its record in the audit log are one transaction.
    pub(super) async fn change_by(
        &self,
        id: &TenantId,
        deed: Deed<'_>,
        change: impl FnMut(&mut Tenant) -> Result<Step, Problem> + Send,
    ) -> Result<ChangedTenant, Failure> {
        self.change_and_record(id, Some(deed.of(id)), change).await
    }

    async fn change_and_record(
        &self,
        id: &TenantId,
        deed: Option<Deed<'_>>,
        mut change: impl FnMut(&mut Tenant) -> Result<Step, Problem> + Send,
    ) -> Result<ChangedTenant, Failure> {
        for _ in 0..ROUNDS_MAX {
            let mut tenant = self.stored(id).await?;
            let before = tenant.clone();
            if change(&mut tenant)? == Step::Leave {
                return Ok(ChangedTenant {
                    tenant: Arc::new(before),
                    is_saved: false,
                });
            }
            let now = self.now();
            tenant.updated_at = now;
            let told = self.told_of_change(&before, &tenant, now);
            match self.save(&before, &tenant, told, deed.as_ref()).await? {
                Carried::Done => {
                    self.directory.forget(&before);
                    tenant.version += 1;
                    return Ok(ChangedTenant {
                        tenant: Arc::new(tenant),
                        is_saved: true,
                    });
                }
                Carried::PhoneNumberTaken(number) => return Err(phone_number_taken(&number).into()),
                Carried::Stale | Carried::SeatTaken => {}
            }
        }
        Err(Failure::KeptChanging("tenant"))
    }

    async fn save(
        &self,
        before: &Tenant,
        after: &Tenant,
        told: Vec<WebhookEvent>,
        deed: Option<&Deed<'_>>,
    ) -> Result<Carried, StoreError> {
        let Some(deed) = deed else {
            return Ok(self.ports.tenants.save(after, &told).await?.into());
        };
        let change = AuditedChange::SaveTenant(Box::new(after.clone()), told);
        let fields = tenant_changes(Some(before), after);
        self.ledger.carry_out(&change, deed, fields).await
    }

    /// The events that tell the tenant of a change.
    fn told_of_change(&self, before: &Tenant, after: &Tenant, now: Timestamp) -> Vec<WebhookEvent> {
        let id = || self.ports.ids.event_id();
        let holds = HoldTold::of_change(before, after);
        let tokens = TokenTold::of_change(before, after);
        let numbers = NumberTold::of_change(before, after);
        let holds = holds.iter().map(|told| told.event(id(), now));
        let tokens = tokens.iter().map(|told| told.event(id(), now));
        let numbers = numbers.iter().map(|told| told.event(id(), now));
        holds.chain(tokens).chain(numbers).collect()
    }

    /// Makes the tenant show this `callbackUrl`. Its endpoint is another record.
    pub(super) async fn keep_callback_url(
        &self,
        id: &TenantId,
        url: Option<&str>,
        by: &Principal,
    ) -> Result<SharedTenant, Failure> {
        let deed = Deed::new(by, AuditAction::TenantCallbackUrlChanged);
        let changed = self
            .change_by(id, deed, |tenant| {
                if tenant.callback_url.as_deref() == url {
                    return Ok(Step::Leave);
                }
                tenant.callback_url = url.map(str::to_owned);
                Ok(Step::Save)
            })
            .await?;
        Ok(changed.tenant)
    }

    /// Forgets the slots that an earlier owner of the number reserved.
    async fn begin_anew(&self, number: &PhoneNumberId) {
        self.ports.pacer.forget_beyond(number, self.now()).await;
    }

    /// Makes an id for a redrive that begins by itself.
    pub(super) fn redrive_id(&self) -> RedriveId {
        self.ports.ids.redrive_id()
    }

    fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }
}

fn no_such_tenant() -> Problem {
    Problem::new(ErrorCode::TenantNotFound, "No tenant has this id.")
}

fn no_such_number() -> Problem {
    Problem::new(
        ErrorCode::PhoneNumberNotFound,
        "The tenant has no number with this phone number id.",
    )
}

fn phone_number_taken(number: &PhoneNumberId) -> Problem {
    Problem::field(
        ErrorCode::PhoneNumberTaken,
        "/phoneNumberId",
        format!("{number} is registered already"),
    )
}

/// Reads a number in a path. A text that cannot be an id is not found.
fn find_number_id(text: &str) -> Result<PhoneNumberId, Problem> {
    PhoneNumberId::parse(text).map_err(|_| no_such_number())
}
