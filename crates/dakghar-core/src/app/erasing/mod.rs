//! Erasures of people: asked for, looked at, and carried on by whichever process has time.
//!
//! Deleting comes first and counting after it, so between a portion and the save of the record lies nothing that must not
//! be done again. A crash there costs the numbers of that portion, and nothing else:
//!
//! | crash between | what is left | healed by |
//! |---|---|---|
//! | asking and the answer | an erasure, of which nobody knows the id | it is carried on, and is in the list |
//! | cancelling a message and its deletion | a cancelled message | the next walk |
//! | deleting a message's reports and the message | a message without reports | the portion is done again |
//! | a portion and its record | a portion that is not counted | it is done again and finds nothing |
//! | what was handed over before it was erased, and its answer | an answer that names the person | answers are emptied when all such calls have ended |
//! | the file is overwritten and the record says so | an erasure at its last place | it is overwritten again |

mod reseal;
mod work;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::auditing::{Deed, Ledger};
use super::failure::Failure;
use super::opt_outs::OptOuts;
use super::people::{People, person_id};
use super::sending::{Changing, Outages};
use super::settings::Settings;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::erasure::{OPEN_ERASURES_MAX, PersonErasure};
use crate::domain::ids::ErasureId;
use crate::domain::page::{Listed, PageLimit};
use crate::domain::{ErrorCode, Problem, Secret, Tenant, TenantId};
use crate::metrics::Metrics;
use crate::ports::{AuditedChange, Clock, EndpointStore, IdGenerator, PersonErasureStore, Ports, TenantStore};
use crate::vault::Vault;

/// Erasures that are looked at to see how many are open: the newest.
const COUNTED_MAX: u32 = 200;

/// Erasures of people.
pub struct Erasing {
    store: Arc<dyn PersonErasureStore>,
    people: People,
    opt_outs: Arc<OptOuts>,
    endpoints: Arc<dyn EndpointStore>,
    /// The longest that a call of an endpoint takes.
    callback_timeout: Duration,
    tenants: Arc<dyn TenantStore>,
    changing: Arc<Changing>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    metrics: Arc<Metrics>,
    outages: Outages,
    process: Arc<str>,
    /// When the next portion of each erasure may begin, by the time since the boot.
    next_at: Mutex<HashMap<ErasureId, Duration>>,
    ledger: Ledger,
}

impl Erasing {
    pub(super) fn new(
        ports: &Ports,
        settings: &Settings,
        (changing, opt_outs): (Arc<Changing>, Arc<OptOuts>),
        outages: Outages,
    ) -> Self {
        Self {
            store: ports.person_erasures.clone(),
            people: People::new(ports.conversations.clone()),
            opt_outs,
            endpoints: ports.endpoints.clone(),
            callback_timeout: settings.callback_timeout,
            tenants: ports.tenants.clone(),
            changing,
            vault: ports.vault.clone(),
            clock: ports.clock.clone(),
            ids: ports.ids.clone(),
            metrics: ports.metrics.clone(),
            outages,
            process: settings.worker_id.clone(),
            next_at: Mutex::default(),
            ledger: Ledger::new(ports),
        }
    }

    /// Begins to erase the person that is known to the tenant under this number or id, with all further ids of theirs.
    /// A process that sends carries it on. Events of no tenant are the operator's to erase.
    pub async fn begin(
        &self,
        tenant_id: &TenantId,
        person: &str,
        unrouted: bool,
        by: &Principal,
    ) -> Result<PersonErasure, Failure> {
        let given = person_id(person)?;
        let tenant = self.tenant(tenant_id).await?;
        let newest = self
            .store
            .list_erasures(tenant_id, None, PageLimit::items(COUNTED_MAX))
            .await?;
        if newest.items.iter().filter(|erasure| erasure.is_open()).count() >= OPEN_ERASURES_MAX {
            let detail = format!("{OPEN_ERASURES_MAX} erasures of the tenant are running; wait for one.");
            return Err(Problem::new(ErrorCode::TooManyErasures, detail).into());
        }
        let person = self.people.behind(tenant_id, [given]).await?;
        // Before anything goes that shows whose ids these are.
        self.opt_outs.spread(tenant_id, &person).await?;
        let id = self.ids.erasure_id();
        let sealed = self
            .vault
            .seal(
                tenant_id,
                &tenant.wrapped_data_key,
                &purpose(&id),
                &Secret::new(person.to_text()),
            )
            .await?;
        let erasure = PersonErasure::new(id, *tenant_id, sealed, unrouted, self.clock.now());
        let deed = Deed::new(by, AuditAction::ErasureBegun)
            .of(tenant_id)
            .about("erasure", id);
        let change = AuditedChange::InsertErasure(Box::new(erasure.clone()));
        self.ledger.carry_out(&change, &deed, Vec::new()).await?;
        tracing::info!(erasure_id = %id, %tenant_id, "the erasure of a person began");
        Ok(erasure)
    }

    /// Returns an erasure of the tenant.
    pub async fn find(&self, tenant_id: &TenantId, id: &str) -> Result<PersonErasure, Failure> {
        let missing = || Problem::new(ErrorCode::ErasureNotFound, "The tenant has no erasure with this id.");
        let id = ErasureId::parse(id).map_err(|_| missing())?;
        let found = self.store.find_erasure(tenant_id, &id).await?;
        Ok(found.ok_or_else(missing)?)
    }

    /// Returns the newest erasures of the tenant, for the operator's shell.
    pub async fn newest(&self, tenant_id: &TenantId, limit: u32) -> Result<Listed<PersonErasure>, Failure> {
        let listed = self.store.list_erasures(tenant_id, None, PageLimit::items(limit));
        Ok(listed.await?)
    }

    async fn tenant(&self, tenant_id: &TenantId) -> Result<Tenant, Failure> {
        let found = self.tenants.find(tenant_id).await?;
        let missing = || Problem::new(ErrorCode::TenantNotFound, "There is no tenant with this id.");
        Ok(found.filter(|tenant| tenant.removed_at.is_none()).ok_or_else(missing)?)
    }
}

/// The purpose that the ids of a person are sealed for. They open for no other erasure.
fn purpose(id: &ErasureId) -> String {
    format!("erasure/{id}")
}
