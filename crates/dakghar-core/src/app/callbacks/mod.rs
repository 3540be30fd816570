//! Callbacks: entries of feeds are handed to the endpoints of their tenants.
//!
//! Each endpoint is delivered to by the process that owns the partition of its tenant ([`EndpointRun`]). Which process
//! that is, is a matter of speed and not of truth: whoever saves how far an endpoint is names the version that was read.

mod answer;
mod batch;
mod bodies;
mod call;
mod call_pace;
mod deps;
mod ended;
mod erased;
mod expiring;
mod filling;
mod item;
mod lining_up;
mod opened;
mod owned;
mod pending;
mod record_bytes;
mod replay_run;
mod replaying;
mod rests;
mod run;
mod state;
mod test_call;
mod told;
mod unsaved;

use std::sync::Arc;
use std::time::Duration;

use super::endpoints::Endpoints;
use super::failure::Failure;
use super::feed::{FeedReading, FeedSubscription, Sequencing, Watching};
use super::messages::Messages;
use super::retention_time::RetentionTime;
use super::sending::Outages;
use super::tenants::directory::Directory;
use crate::domain::TenantId;
use crate::domain::callback_url::CallbackRules;
use crate::domain::endpoint::Endpoint;
use crate::metrics::EndpointHealth;
use crate::ports::Ports;
use deps::Deps;
use record_bytes::AllRecordBytes;
use told::Told;

pub use bodies::{CallbackBodies, Handed};
pub use call::{EndedCallback, OutgoingCall};
pub(in crate::app) use deps::Advances;
pub(in crate::app) use erased::FRESH_FOR;
pub use run::{CallbacksSaved, CallbacksStep};
pub use state::EndpointRun;
pub use test_call::TestedCallback;

/// How long attempts, and callbacks that are dead, can be looked at.
const ATTEMPTS_KEPT: Duration = Duration::from_hours(30 * 24);
/// How many of them are forgotten at once.
const FORGOTTEN_AT_ONCE: u32 = 500;

/// Deliveries to endpoints.
pub struct Callbacks {
    deps: Arc<Deps>,
    sequencing: Arc<Sequencing>,
    watching: Arc<Watching>,
    outages: Outages,
    retention_time: RetentionTime,
    look_every: Duration,
    told: Told,
}

/// What the deliveries need of the other flows.
#[derive(Clone)]
pub(in crate::app) struct CallbacksSetup {
    pub(in crate::app) ports: Ports,
    pub(in crate::app) messages: Messages,
    pub(in crate::app) directory: Arc<Directory>,
    pub(in crate::app) endpoints: Arc<Endpoints>,
    pub(in crate::app) advances: Advances,
    pub(in crate::app) rules: Arc<CallbackRules>,
    pub(in crate::app) timeout: Duration,
    pub(in crate::app) look_every: Duration,
    pub(in crate::app) sequencing: Arc<Sequencing>,
    pub(in crate::app) watching: Arc<Watching>,
    pub(in crate::app) outages: Outages,
}

impl Callbacks {
    pub(super) fn new(setup: CallbacksSetup, bodies: Arc<dyn CallbackBodies>) -> Self {
        let ports = setup.ports;
        let retention_time = RetentionTime::new(&ports);
        let deps = Deps {
            store: ports.callbacks.clone(),
            endpoints: ports.endpoints.clone(),
            credentials: setup.endpoints,
            entries: ports.feed.clone(),
            erasures: ports.person_erasures.clone(),
            events: ports.events.clone(),
            news: ports.news.clone(),
            feed: FeedReading::new(ports.clone(), setup.messages.clone()),
            just_placed: setup.sequencing.just_placed().clone(),
            messages: setup.messages,
            directory: setup.directory,
            advances: setup.advances,
            receivers: ports.receivers.clone(),
            bodies,
            rules: setup.rules,
            timeout: setup.timeout,
            clock: ports.clock.clone(),
            ids: ports.ids.clone(),
            metrics: ports.metrics.clone(),
            record_bytes: AllRecordBytes::default(),
            traces: ports.traces.clone(),
        };
        Self {
            deps: Arc::new(deps),
            sequencing: setup.sequencing,
            watching: setup.watching,
            outages: setup.outages,
            retention_time,
            look_every: setup.look_every,
            told: Told::default(),
        }
    }

    /// The outages of the store and the queue.
    pub const fn outages(&self) -> &Outages {
        &self.outages
    }

    /// Forgets attempts, and dead callbacks, that are older than a month. Returns true if there may be more.
    pub async fn forget_old(&self) -> Result<bool, Failure> {
        let before = self.retention_time.look().await? - ATTEMPTS_KEPT;
        let forgotten = self.deps.store.forget_attempts(before, FORGOTTEN_AT_ONCE).await?;
        Ok(forgotten >= u64::from(FORGOTTEN_AT_ONCE))
    }

    /// The time since this machine was started.
    pub fn uptime(&self) -> Duration {
        self.deps.clock.uptime()
    }

    /// Begins to deliver to an endpoint where it was left.
    pub async fn run(&self, endpoint: Arc<Endpoint>) -> Result<EndpointRun, Failure> {
        let mut run = EndpointRun::load(self.deps.clone(), endpoint).await?;
        run.take_up_replay();
        Ok(run)
    }

    /// Begins to listen for entries of this tenant.
    pub fn subscribe(&self, tenant_id: &TenantId) -> FeedSubscription {
        self.watching.subscribe(tenant_id)
    }

    /// Makes a call and waits for its answer.
    pub async fn make(&self, call: OutgoingCall) -> EndedCallback {
        call.make(&self.deps).await
    }

    /// Shows how many endpoints this process delivers to, and how they are.
    pub fn show(&self, healths: &[EndpointHealth], untaken: u64) {
        let metrics = &self.deps.metrics;
        for health in [
            EndpointHealth::Well,
            EndpointHealth::Failing,
            EndpointHealth::BreakerOpen,
        ] {
            let count = healths.iter().filter(|shown| **shown == health).count();
            metrics.callback_endpoints.of(health).set(gauge(count as u64));
        }
        metrics.callback_exceptions.set(gauge(untaken));
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
