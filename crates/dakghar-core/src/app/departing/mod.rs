//! Departures: asked for, and carried on, step by step, by whichever process has time. The opposite of onboarding.
//!
//! The end of a step and the beginning of the next one are one save. A step looks at Meta before it takes anything back there, so a
//! step that a crash has interrupted is taken again and does nothing twice.
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | asking and the answer | a departure, of which nobody knows the id | it is carried on; asking again finds it |
//! | taking it and the step | a lease | its end; a process that sends alone takes it at once |
//! | the mark in the tenant and the save | a tenant for which nothing is accepted | the mark is found |
//! | cancelling messages and the save | cancelled messages, fewer of which are counted | the others are cancelled |
//! | noting that something changes, and changing it | a departure that cannot be called off | it is changed |
//! | releasing an override and its save | an account without one | it is looked up, and not found |
//! | unsubscribing and its save | an account without our app | it is looked up, and not found |
//! | deregistering and its save | a number without registration | it is looked up, and found |
//! | revoking a token and its save | a token that does not work | Meta says so, which counts as done |
//! | the end of an export and its note | an export that counts as not fetched | it is fetched again, or left out by request |
//! | the mark of the removal, a portion of it, the removal itself, and a save | less of the tenant | the rest is erased |
//! | calling it off and the tenant that stays | a tenant for which nothing is accepted | the departure, which is still `cancelling` |

mod asked;
mod at_meta;
mod calls;
mod fetched;
mod saves;
mod steps;
mod taken;
mod work;

use std::sync::Arc;

use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::sending::{Changing, Outages};
use super::settings::Settings;
use super::stale::ROUNDS_MAX;
use super::tenants::Tenants;
use super::tokens::AppSecrets;
use super::under_way::UnderWay;
use crate::domain::audit::{AuditAction, FieldChanges, Principal};
use crate::domain::departure::{Departure, NewDeparture};
use crate::domain::ids::DepartureId;
use crate::domain::page::{Listed, PageLimit};
use crate::domain::{ErrorCode, Problem, TenantId};
use crate::metrics::Metrics;
use crate::ports::{
    AuditedChange, Carried, Clock, DepartureStore, IdGenerator, ListStore, OnboardingApi, Ports, TenantStore, TokensApi,
};

pub use asked::NewTenantDeparture;

/// Departures that are looked at to find the one that is not over: the newest.
const LOOKED_AT_MAX: u32 = 20;

/// Departures of tenants and of numbers.
pub struct Departing {
    store: Arc<dyn DepartureStore>,
    tenants: Arc<Tenants>,
    tenant_store: Arc<dyn TenantStore>,
    lists: Arc<dyn ListStore>,
    changing: Arc<Changing>,
    api: Arc<dyn OnboardingApi>,
    tokens_api: Arc<dyn TokensApi>,
    apps: AppSecrets,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    metrics: Arc<Metrics>,
    outages: Outages,
    /// The URL that signups set in place of the app's own, if they do.
    webhook_url: Option<Arc<str>>,
    process: Arc<str>,
    under_way: UnderWay<DepartureId>,
    is_sole_sender: bool,
    ledger: Ledger,
}

impl Departing {
    pub(super) fn new(
        ports: &Ports,
        settings: &Settings,
        (tenants, changing): (Arc<Tenants>, Arc<Changing>),
        apps: AppSecrets,
        outages: Outages,
    ) -> Self {
        Self {
            store: ports.departures.clone(),
            tenants,
            tenant_store: ports.tenants.clone(),
            lists: ports.lists.clone(),
            changing,
            api: ports.onboarding_api.clone(),
            tokens_api: ports.tokens_api.clone(),
            apps,
            clock: ports.clock.clone(),
            ids: ports.ids.clone(),
            metrics: ports.metrics.clone(),
            outages,
            webhook_url: settings.signups.webhook.as_ref().map(|webhook| webhook.url.clone()),
            process: settings.worker_id.clone(),
            under_way: UnderWay::default(),
            is_sole_sender: settings.is_sole_sender,
            ledger: Ledger::new(ports),
        }
    }

    /// Begins a departure, or returns the one of the tenant that is under way, if it is the same. A process that sends carries it on.
    /// The flag says if it is new.
    pub async fn begin(
        &self,
        tenant_id: &TenantId,
        new: &NewTenantDeparture,
        by: &Principal,
    ) -> Result<(Departure, bool), Failure> {
        let present = self.clock.present();
        let wishes = new.wishes(present)?;
        let tenant = self.tenants.stored(tenant_id).await?;
        let numbers = new.numbers(&tenant)?;
        let id = self.ids.departure_id();
        let planned = NewDeparture {
            id,
            tenant_id: *tenant_id,
            asked_by: by.who,
            numbers: &numbers,
            is_whole: new.phone_number_ids.is_none(),
            wishes,
        };
        let departure = Departure::new(&planned, present.now);
        let deed = deed(by, AuditAction::DepartureBegun, &departure);
        let change = AuditedChange::InsertDeparture(Box::new(departure.clone()));
        for _ in 0..ROUNDS_MAX {
            if self.ledger.carry_out(&change, &deed, Vec::new()).await? == Carried::Done {
                let is_whole = departure.numbers.is_none();
                tracing::info!(departure_id = %id, %tenant_id, is_whole, "a departure began");
                return Ok((departure, true));
            }
            if let Some(known) = self.open_of(tenant_id).await? {
                return same(known, &departure).map(|known| (known, false));
            }
        }
        Err(Failure::KeptChanging("departure"))
    }

    /// Returns a departure of the tenant, also of one that has left.
    pub async fn find(&self, tenant_id: &TenantId, id: &str) -> Result<Departure, Failure> {
        let missing = || {
            Problem::new(
                ErrorCode::DepartureNotFound,
                "The tenant has no departure with this id.",
            )
        };
        let id = DepartureId::parse(id).map_err(|_| missing())?;
        let found = self.store.find_departure(tenant_id, &id).await?;
        Ok(found.ok_or_else(missing)?)
    }

    /// Returns the newest departures of the tenant, for the operator's shell.
    pub async fn newest(&self, tenant_id: &TenantId, limit: u32) -> Result<Listed<Departure>, Failure> {
        let listed = self.store.list_departures(tenant_id, None, PageLimit::items(limit));
        Ok(listed.await?)
    }

    /// Lets a departure go on that has stopped or waits; with `skip` behind the step that it is at. One that is under way or over
    /// stays as it is.
    pub async fn retry(
        &self,
        tenant_id: &TenantId,
        id: &str,
        skip: bool,
        by: &Principal,
    ) -> Result<Departure, Failure> {
        for _ in 0..ROUNDS_MAX {
            let mut departure = self.find(tenant_id, id).await?;
            let was = departure.clone();
            if !departure.retry(skip, self.clock.now()) {
                return Ok(departure);
            }
            if self
                .save_by(&was, &mut departure, AuditAction::DepartureRetried, by)
                .await?
            {
                tracing::info!(departure_id = %departure.id, %tenant_id, skip, "a departure was retried");
                return Ok(departure);
            }
        }
        Err(Failure::KeptChanging("departure"))
    }

    /// Calls a departure off, as long as nothing was changed that cannot be had back. Doing it twice is fine.
    pub async fn cancel(&self, tenant_id: &TenantId, id: &str, by: &Principal) -> Result<Departure, Failure> {
        for _ in 0..ROUNDS_MAX {
            let mut departure = self.find(tenant_id, id).await?;
            let was = departure.clone();
            if !departure.cancel(self.clock.now()) {
                return called_off(departure);
            }
            if self
                .save_by(&was, &mut departure, AuditAction::DepartureCancelled, by)
                .await?
            {
                tracing::info!(departure_id = %departure.id, %tenant_id, "a departure was called off");
                return Ok(departure);
            }
        }
        Err(Failure::KeptChanging("departure"))
    }

    /// The departure of the tenant that is not over.
    async fn open_of(&self, tenant_id: &TenantId) -> Result<Option<Departure>, Failure> {
        let newest = self.newest(tenant_id, LOOKED_AT_MAX).await?;
        Ok(newest.items.into_iter().find(Departure::is_open))
    }

    /// Saves what somebody did, with its record. Returns false if somebody else saved first.
    async fn save_by(
        &self,
        was: &Departure,
        departure: &mut Departure,
        action: AuditAction,
        by: &Principal,
    ) -> Result<bool, Failure> {
        let mut fields = FieldChanges::default();
        fields.shown("state", Some(was.state.as_str()), Some(departure.state.as_str()));
        let step = |departure: &Departure| departure.current().map(|record| record.step.as_str());
        fields.shown("step", step(was), step(departure));
        let deed = deed(by, action, departure);
        let change = AuditedChange::SaveDeparture(Box::new(departure.clone()));
        let is_saved = self.ledger.carry_out(&change, &deed, fields.into_vec()).await? == Carried::Done;
        departure.version += u64::from(is_saved);
        Ok(is_saved)
    }
}

fn deed<'a>(by: &'a Principal, action: AuditAction, departure: &Departure) -> Deed<'a> {
    Deed::new(by, action)
        .of(&departure.tenant_id)
        .about("departure", departure.id)
}

/// The one that is under way, if it is what is asked for now.
fn same(known: Departure, asked: &Departure) -> Result<Departure, Failure> {
    if known.is_like(asked) {
        return Ok(known);
    }
    let detail = format!("{} is not over; cancel it, or let it go on.", known.id);
    Err(Problem::new(ErrorCode::DepartureUnderWay, detail).into())
}

fn called_off(departure: Departure) -> Result<Departure, Failure> {
    if departure.is_called_off() {
        return Ok(departure);
    }
    let detail = match departure.ended_at {
        Some(_) => "It is over.",
        None => "It has taken back at Meta, or begun to remove, what it cannot give again.",
    };
    Err(Problem::new(ErrorCode::DepartureTooFar, detail).into())
}
