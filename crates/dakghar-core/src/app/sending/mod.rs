//! Sending. A message is accepted, passes the gate, is claimed and sent, and its outcome is recorded. Timers move on
//! what got stuck.

mod accept;
mod accept_many;
mod call_limits;
mod change;
mod claiming;
mod consent;
mod deliver;
mod gate;
mod host;
mod in_flight;
mod jobs;
mod lease_watch;
mod number_holds;
mod opening;
mod outages;
mod pairs;
mod prepare;
mod recent_calls;
mod reconcile;
mod redrive_batch;
mod references;
mod replay;
mod slots;
mod spooling;
mod stages;
mod withdrawing;

use std::sync::Arc;

use super::allowances::Allowances;
use super::commits::Commits;
use super::commits::merge::Merges;
use super::commits::touch::Touches;
use super::failure::Failure;
use super::holding::Holding;
use super::listening::Listening;
use super::messages::Messages;
use super::settings::Settings;
use super::tenants::Tenants;
use super::tenants::directory::Directory;
use super::tokens::AppSecrets;
use crate::domain::MessageKey;
use crate::domain::opaque::OpaqueSigner;
use crate::metrics::DoubtEnd;
use crate::ports::{Job, JobKey, Ports, QueueError, Saved};
use call_limits::CallLimits;
use consent::Consent;
use gate::Gate;
use in_flight::InFlightLimits;
use spooling::Spooling;

pub use accept::{AcceptedMessage, Accepting};
pub use accept_many::{BulkAccepting, BulkResult};
pub use change::Changing;
pub use claiming::{Claims, UnconfirmedClaim};
pub use deliver::EndedCall;
pub use outages::Outages;
pub use prepare::{ClaimedSend, Prepared, PreparedSend, WaitingSend};
pub use reconcile::Reconciling;
pub use withdrawing::Withdrawing;

pub(super) use host::Host;
use jobs::Jobs;
use lease_watch::LeaseWatch;
pub(super) use number_holds::NumberHolds;
use recent_calls::RecentCalls;
use slots::Slots;
use stages::Stages;

/// The steps of the send worker: it takes due messages, prepares and claims them, calls Meta and records the outcome.
pub struct Sending {
    ports: Ports,
    settings: Settings,
    messages: Messages,
    directory: Arc<Directory>,
    gate: Gate,
    consent: Consent,
    jobs: Jobs,
    holds: NumberHolds,
    recent_calls: Arc<RecentCalls>,
    leases: Arc<LeaseWatch>,
    slots: Slots,
    outages: Outages,
    app_secrets: AppSecrets,
    opaque: Arc<OpaqueSigner>,
    touches: Touches,
    merges: Merges,
    spooling: Option<Spooling>,
    stages: Stages,
}

/// The parts that the flows of sending share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) messages: Messages,
    pub(super) directory: Arc<Directory>,
    pub(super) holds: NumberHolds,
    pub(super) jobs: Jobs,
    pub(super) slots: Slots,
    pub(super) recent_calls: Arc<RecentCalls>,
    pub(super) host: Host,
    pub(super) leases: Arc<LeaseWatch>,
    pub(super) listening: Arc<Listening>,
    pub(super) outages: Outages,
    pub(super) holding: Arc<Holding>,
    pub(super) app_secrets: AppSecrets,
    pub(super) touches: Touches,
    pub(super) allowances: Arc<Allowances>,
}

impl Shared {
    pub(super) fn new(
        ports: &Ports,
        commits: &Commits,
        tenants: &Arc<Tenants>,
        directory: &Arc<Directory>,
        listening: &Arc<Listening>,
        app_secrets: AppSecrets,
    ) -> Self {
        Self {
            messages: Messages::new(ports, commits.save.clone()),
            directory: directory.clone(),
            holds: NumberHolds::new(
                tenants.clone(),
                directory.clone(),
                ports.timers.clone(),
                ports.clock.clone(),
            ),
            jobs: Jobs::new(commits.enqueue.clone(), ports.queue.window()),
            slots: Slots::new(directory.clone(), ports.pacer.clone()),
            recent_calls: Arc::new(RecentCalls::default()),
            host: Host::new(ports.clock.clone(), ports.ids.clone(), &ports.metrics),
            leases: Arc::new(LeaseWatch::default()),
            listening: listening.clone(),
            outages: Outages::new(ports.clock.clone(), ports.ids.clone()),
            holding: Arc::new(Holding::new(ports, &ports.metrics)),
            app_secrets,
            touches: commits.touch.clone(),
            allowances: Arc::new(Allowances::new(ports.clock.clone(), ports.metrics.clone())),
        }
    }
}

impl Sending {
    pub(super) fn new(
        ports: Ports,
        settings: Settings,
        commits: &Commits,
        opaque: Arc<OpaqueSigner>,
        shared: Shared,
    ) -> Self {
        let gate = Gate {
            in_flight: InFlightLimits::new(settings.calls_max),
            calls: CallLimits::new(settings.tenant_limits, settings.worker_id.clone(), ports.quota.clone()),
            metrics: ports.metrics.clone(),
            holds: shared.holds.clone(),
            host: shared.host.clone(),
            allowances: shared.allowances,
            pacer: ports.pacer.clone(),
            window: shared.jobs.window(),
        };
        Self {
            messages: shared.messages,
            directory: shared.directory,
            gate,
            consent: Consent::new(&ports),
            jobs: shared.jobs,
            holds: shared.holds,
            recent_calls: shared.recent_calls,
            leases: shared.leases,
            slots: shared.slots,
            outages: shared.outages,
            app_secrets: shared.app_secrets,
            opaque,
            touches: shared.touches,
            merges: commits.merge.clone(),
            spooling: Spooling::new(&ports, commits.spool.clone()),
            stages: Stages::new(&ports, shared.holding),
            ports,
            settings,
        }
    }

    /// Whether the store and the queue can be used.
    pub const fn outages(&self) -> &Outages {
        &self.outages
    }

    /// Waits until something is due. Returns up to `max` jobs.
    pub async fn take_jobs(&self, max: usize) -> Result<Vec<Job>, QueueError> {
        let may_claim = self.ports.store_health.may_claim();
        may_claim.map_err(|error| QueueError(error.to_string()))?;
        self.ports.queue.take(max).await
    }

    /// Returns the number of further calls that this process may begin now.
    pub fn places_free(&self) -> usize {
        self.gate.in_flight.places_free()
    }

    /// Tells the other processes how many calls of each tenant are under way here. To be done each second.
    pub async fn tell_calls(&self) -> Result<(), Failure> {
        self.gate.calls.tell(&self.gate.in_flight).await
    }

    /// Counts a crash while the message was being prepared. Gives the message up after a few.
    pub async fn strike(&self, key: JobKey) -> Result<(), Failure> {
        let key = message_key(key);
        if let Some(mut message) = self.messages.load(&key).await? {
            let before = message.delivery.status;
            let present = self.ports.clock.present();
            let is_brought_back = message.bring_back(present, self.jobs.window());
            let gave_up = message.strike(present.now);
            tracing::error!(message_id = %key.message_id, tenant_id = %key.tenant_id, strikes = message.delivery.strikes, gave_up, "preparing the message crashed");
            if self.messages.save(&mut message, before).await? == Saved::Done {
                let metrics = &self.ports.metrics;
                metrics.message_changed(before, &message, DoubtEnd::Policy);
                self.jobs.show_dead(&message);
                if is_brought_back {
                    self.jobs.release(&message);
                }
            }
        }
        Ok(())
    }
}

/// Returns the key of the message that a job sends.
const fn message_key(key: JobKey) -> MessageKey {
    match key {
        JobKey::Send(key) => key,
    }
}
