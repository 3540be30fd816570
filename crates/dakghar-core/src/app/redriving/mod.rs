//! Redrives by filter: begun, looked at and turned on request, and carried on by whichever process has time.
//!
//! One save of the record ends a batch and begins the next one, so between two saves lies one batch, which can be tried
//! again (`sending/redrive_batch.rs`).

mod following;
mod pass;
mod work;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::retention_time::RetentionTime;
use super::sending::{Changing, Outages};
use super::settings::Settings;
use super::stale::ROUNDS_MAX;
use super::tenants::Tenants;
use crate::domain::audit::{AuditAction, FieldChanges, Principal};
use crate::domain::ids::RedriveId;
use crate::domain::redrive::{NewRedrive, OPEN_REDRIVES_MAX, Redrive, RedriveOver, RedrivePreview, RedriveStatus};
use crate::domain::{ErrorCode, Problem, TenantId, Timestamp};
use crate::metrics::Metrics;
use crate::ports::{AuditedChange, Carried, Clock, IdGenerator, Ports, RedriveStore, TenantStore};
use pass::Following;

/// The time that a preview may take. It then says that there is more.
const PREVIEW_TIME_MAX: Duration = Duration::from_secs(2);
/// The same for the count with which a redrive begins.
const COUNT_TIME_MAX: Duration = Duration::from_secs(1);
/// Dead letters that are looked at between two looks at the clock.
const LOOKED_AT_ONCE: u32 = 1_000;

/// Redrives by filter.
pub struct Redriving {
    store: Arc<dyn RedriveStore>,
    tenant_store: Arc<dyn TenantStore>,
    tenants: Arc<Tenants>,
    changing: Arc<Changing>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    metrics: Arc<Metrics>,
    outages: Outages,
    retention_time: RetentionTime,
    process: Arc<str>,
    is_sole_sender: bool,
    state: Mutex<State>,
    ledger: Ledger,
}

#[derive(Default)]
struct State {
    /// When the next batch of each redrive may begin, by the time since the boot.
    next_at: HashMap<RedriveId, Duration>,
    forgot_at: Option<Duration>,
    following: Following,
}

impl Redriving {
    pub(super) fn new(
        ports: &Ports,
        settings: &Settings,
        tenants: Arc<Tenants>,
        changing: Arc<Changing>,
        outages: Outages,
    ) -> Self {
        Self {
            store: ports.redrives.clone(),
            tenant_store: ports.tenants.clone(),
            tenants,
            changing,
            clock: ports.clock.clone(),
            ids: ports.ids.clone(),
            metrics: ports.metrics.clone(),
            outages,
            retention_time: RetentionTime::new(ports),
            process: settings.worker_id.clone(),
            is_sole_sender: settings.is_sole_sender,
            state: Mutex::default(),
            ledger: Ledger::new(ports),
        }
    }

    /// Returns what a redrive would do now, of a tenant's dead letters or (for the operator) of all.
    pub async fn preview(&self, tenant_id: Option<TenantId>, asked: &NewRedrive) -> Result<RedrivePreview, Failure> {
        let redrive = self.new_redrive(tenant_id, asked);
        let mut preview = self.look_at_all(&redrive, PREVIEW_TIME_MAX).await?;
        let tenants = self.changing.directory.find_all(preview.tenants()).await;
        preview.find_removed(|tenant_id, number| match tenants.get(tenant_id) {
            Some(Ok(Some(tenant))) => tenant.number(Some(number)).is_none(),
            Some(Ok(None)) => true,
            // It cannot be told of a tenant that cannot be read.
            Some(Err(_)) | None => false,
        });
        Ok(preview)
    }

    /// Begins a redrive. A process that sends carries it on.
    pub async fn begin(
        &self,
        tenant_id: Option<TenantId>,
        asked: &NewRedrive,
        by: &Principal,
    ) -> Result<Redrive, Failure> {
        let open = self.store.count_open_redrives(tenant_id.as_ref()).await?;
        if open >= OPEN_REDRIVES_MAX {
            let detail = format!("{open} redrives are running or paused; wait for one, or cancel it.");
            return Err(Problem::new(ErrorCode::TooManyRedrives, detail).into());
        }
        let mut redrive = self.new_redrive(tenant_id, asked);
        let preview = self.look_at_all(&redrive, COUNT_TIME_MAX).await?;
        redrive.total = preview.total();
        redrive.total_is_exact = preview.is_complete;
        let deed = deed(by, AuditAction::RedriveBegun, &redrive).counting(Some(redrive.total));
        let change = AuditedChange::InsertRedrive(Box::new(redrive.clone()));
        self.ledger.carry_out(&change, &deed, Vec::new()).await?;
        let tenant_id = tenant_id.map(tracing::field::display);
        tracing::info!(redrive_id = %redrive.id, tenant_id, total = redrive.total, "a redrive began");
        Ok(redrive)
    }

    fn new_redrive(&self, tenant_id: Option<TenantId>, asked: &NewRedrive) -> Redrive {
        Redrive::new(self.ids.redrive_id(), tenant_id, asked.clone(), self.clock.now())
    }

    /// Looks through the dead letters for as long as it may.
    async fn look_at_all(&self, redrive: &Redrive, time: Duration) -> Result<RedrivePreview, Failure> {
        let ends_at = self.clock.uptime() + time;
        let mut preview = RedrivePreview::default();
        let mut before = None;
        loop {
            let tenant_id = redrive.tenant_id.as_ref();
            let listed = self.store.look_through(tenant_id, before, LOOKED_AT_ONCE).await?;
            let present = self.clock.present();
            for letter in &listed.items {
                preview.add(redrive, letter, present);
            }
            before = listed.next;
            preview.is_complete = before.is_none();
            if preview.is_complete || self.clock.uptime() >= ends_at {
                return Ok(preview);
            }
        }
    }

    /// Returns a redrive of this tenant, or (for the operator) of any owner.
    pub async fn find(&self, tenant_id: Option<&TenantId>, id: &str) -> Result<Redrive, Failure> {
        let id = RedriveId::parse(id).map_err(|_| no_such_redrive())?;
        let found = self.store.find_redrive(&id).await?;
        let is_theirs = |redrive: &Redrive| tenant_id.is_none() || redrive.tenant_id.as_ref() == tenant_id;
        Ok(found.filter(is_theirs).ok_or_else(no_such_redrive)?)
    }

    /// Stops a redrive until it is resumed. The batch under way, of a quarter of a second, is finished.
    pub async fn pause(&self, tenant_id: Option<&TenantId>, id: &str, by: &Principal) -> Result<Redrive, Failure> {
        let turn = (Redrive::pause as Turn, AuditAction::RedrivePaused);
        self.turn(tenant_id, id, turn, by).await
    }

    /// Lets a paused redrive go on.
    pub async fn resume(&self, tenant_id: Option<&TenantId>, id: &str, by: &Principal) -> Result<Redrive, Failure> {
        let turn = (Redrive::resume as Turn, AuditAction::RedriveResumed);
        self.turn(tenant_id, id, turn, by).await
    }

    /// Ends a redrive. What it has sent again stays so.
    pub async fn cancel(&self, tenant_id: Option<&TenantId>, id: &str, by: &Principal) -> Result<Redrive, Failure> {
        let turn = (Redrive::cancel as Turn, AuditAction::RedriveCancelled);
        self.turn(tenant_id, id, turn, by).await
    }

    async fn turn(
        &self,
        tenant_id: Option<&TenantId>,
        id: &str,
        (turn, action): (Turn, AuditAction),
        by: &Principal,
    ) -> Result<Redrive, Failure> {
        for _ in 0..ROUNDS_MAX {
            let mut redrive = self.find(tenant_id, id).await?;
            let was = redrive.status.as_str();
            let is_change = turn(&mut redrive, self.clock.now()).map_err(|_| is_over(&redrive))?;
            if !is_change {
                return Ok(redrive);
            }
            let mut fields = FieldChanges::default();
            fields.shown("status", Some(was), Some(redrive.status.as_str()));
            let change = AuditedChange::SaveRedrive(Box::new(redrive.clone()));
            let deed = deed(by, action, &redrive);
            let carried = self.ledger.carry_out(&change, &deed, fields.into_vec()).await?;
            if carried == Carried::Done {
                redrive.version += 1;
                let tenant_id = redrive.tenant_id.map(tracing::field::display);
                let status = redrive.status.as_str();
                tracing::info!(redrive_id = %redrive.id, tenant_id, status, "a redrive was turned");
                return Ok(redrive);
            }
        }
        Err(Failure::KeptChanging("redrive"))
    }
}

/// A change of a redrive that people ask for. Returns whether it changes anything.
type Turn = fn(&mut Redrive, Timestamp) -> Result<bool, RedriveOver>;

fn deed<'a>(by: &'a Principal, action: AuditAction, redrive: &Redrive) -> Deed<'a> {
    let deed = Deed::new(by, action).about("redrive", redrive.id);
    match &redrive.tenant_id {
        Some(tenant_id) => deed.of(tenant_id),
        None => deed,
    }
}

fn no_such_redrive() -> Problem {
    Problem::new(ErrorCode::RedriveNotFound, "There is no redrive with this id.")
}

fn is_over(redrive: &Redrive) -> Problem {
    let how = match redrive.status {
        RedriveStatus::Done => "done",
        _ => "cancelled",
    };
    Problem::new(ErrorCode::RedriveOver, format!("It is {how}."))
}
