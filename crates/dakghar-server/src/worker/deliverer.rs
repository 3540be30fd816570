//! Hands entries of feeds to the endpoints of tenants: a task for each endpoint of the partitions that this process owns.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{
    Callbacks, CallbacksSaved, CallbacksStep, EndedCallback, EndpointRun, EndpointsChanged, Failure, OutgoingCall,
};
use dakghar_core::domain::endpoint::Endpoint;
use dakghar_core::domain::feed::Partitions;
use dakghar_core::domain::{EndpointId, TenantId};
use dakghar_core::metrics::EndpointHealth;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::call_places::CallPlaces;
use super::endpoint_news::News;

/// The wait between two looks at how endpoints are, and whether other partitions are this process's.
const OWN_EVERY: Duration = Duration::from_secs(1);
/// The wait between two looks at what is old.
const FORGET_EVERY: Duration = Duration::from_hours(1);
/// The wait while there is more of it.
const FORGET_NEXT: Duration = Duration::from_secs(1);
/// The wait between two looks at what went out of feeds before endpoints got it that are not called.
const EXPIRED_EVERY: Duration = Duration::from_hours(1);
/// The wait after a failure.
const FAILURE_WAIT: Duration = Duration::from_secs(1);
/// The wait after another process has delivered to an endpoint: whoever does not own it knows by then.
const LOST_WAIT: Duration = Duration::from_secs(2);
/// The wait between two looks whether such a time is over: the clock of a test stands still meanwhile.
const CLOCK_LOOK: Duration = Duration::from_millis(100);
/// Calls of one tenant's endpoints under way, beside one of each.
const TENANT_CALLS_MAX: usize = 32;
/// Calls of all endpoints under way, shared out among tenants.
const CALLS_MAX: usize = 1_024;
/// The wait of other processes for calls under way when this one stops. What takes longer they make again.
const LET_GO_WAIT: Duration = Duration::from_secs(1);
/// The wait for calls under way when the process stops. What is not known to be taken then is delivered again.
const LAST_CALLS_WAIT: Duration = Duration::from_secs(20);

/// The deliveries of this process.
pub(super) struct Deliverer {
    callbacks: Arc<Callbacks>,
    running: Mutex<HashMap<EndpointId, Running>>,
    calls: CallPlaces,
    tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

struct Running {
    tenant_id: TenantId,
    /// Tells the task of a change; `None` ends it.
    endpoint: watch::Sender<Option<Arc<Endpoint>>>,
    health: Arc<Mutex<Health>>,
}

#[derive(Clone, Copy)]
struct Health {
    health: EndpointHealth,
    untaken: u64,
}

impl Deliverer {
    pub(super) fn new(callbacks: Callbacks) -> Arc<Self> {
        Arc::new(Self {
            callbacks: Arc::new(callbacks),
            running: Mutex::default(),
            calls: CallPlaces::new(CALLS_MAX),
            tenants: Mutex::default(),
        })
    }

    /// Runs until `stopping`, and then lets go of all endpoints: the calls that end soon are written down when it returns, and
    /// others may deliver. Those that take longer go on, tracked by `tasks`.
    pub(super) async fn run(self: Arc<Self>, tasks: TaskTracker, stopping: CancellationToken) {
        let looking = async {
            loop {
                let owned = self.callbacks.owned();
                match self.callbacks.endpoints().await {
                    Ok(endpoints) => {
                        self.match_tasks(endpoints, |_| true, &tasks);
                        self.follow(owned, &tasks).await;
                    }
                    Err(failure) => sleep(self.note(&failure, "which endpoints there are is not known")).await,
                }
            }
        };
        let forgetting = async {
            loop {
                let wait = match self.callbacks.forget_old().await {
                    Ok(has_more) if has_more => FORGET_NEXT,
                    Ok(_) => FORGET_EVERY,
                    Err(failure) => self.note(&failure, "old attempts could not be forgotten"),
                };
                sleep(wait).await;
            }
        };
        let expiring = async {
            loop {
                sleep(match self.callbacks.tell_expired().await {
                    Ok(()) => EXPIRED_EVERY,
                    Err(failure) => self.note(&failure, "what went out of feeds could not be told"),
                })
                .await;
            }
        };
        let all = async { tokio::join!(looking, forgetting, expiring) };
        stopping.run_until_cancelled(all).await;
        self.let_go().await;
    }

    async fn let_go(&self) {
        let tasks: Vec<_> = self
            .running
            .lock()
            .drain()
            .map(|(_, running)| running.endpoint)
            .collect();
        for task in &tasks {
            task.send_replace(None);
        }
        let mut ended = pin!(join_all(tasks.iter().map(watch::Sender::closed)));
        let until = self.callbacks.uptime() + LET_GO_WAIT;
        loop {
            let left = until.saturating_sub(self.callbacks.uptime());
            if left.is_zero() || timeout(left.min(CLOCK_LOOK), &mut ended).await.is_ok() {
                return;
            }
        }
    }

    /// Follows the changes of endpoints that are told, until all of them are to be looked at.
    async fn follow(self: &Arc<Self>, owned: Partitions, tasks: &TaskTracker) {
        let mut over = pin!(sleep(self.callbacks.look_wait()));
        let mut own = interval(OWN_EVERY);
        own.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut over => return,
                _ = own.tick() => {
                    self.show();
                    if self.callbacks.owned() != owned {
                        return;
                    }
                }
                changed = self.callbacks.changed() => {
                    let EndpointsChanged::OfTenants(tenants) = changed else { return };
                    match self.callbacks.endpoints_of(&tenants).await {
                        Ok(endpoints) => self.match_tasks(endpoints, |tenant_id| tenants.contains(tenant_id), tasks),
                        Err(failure) => {
                            return sleep(self.note(&failure, "changes of endpoints are not known")).await;
                        }
                    }
                }
            }
        }
    }

    /// Begins, changes and ends tasks, so that there is one for each of these endpoints, and no other of these tenants.
    fn match_tasks(
        self: &Arc<Self>,
        mut endpoints: HashMap<EndpointId, Arc<Endpoint>>,
        is_of: impl Fn(&TenantId) -> bool,
        tasks: &TaskTracker,
    ) {
        let mut running = self.running.lock();
        running.retain(|id, task| {
            if task.endpoint.is_closed() {
                return false;
            }
            if !is_of(&task.tenant_id) {
                return true;
            }
            let endpoint = endpoints.remove(id);
            let stays = endpoint.is_some();
            task.endpoint.send_if_modified(|known| {
                let changes = known.as_ref().map(|known| known.version) != endpoint.as_ref().map(|new| new.version);
                if changes {
                    known.clone_from(&endpoint);
                }
                changes
            });
            stays
        });
        for (id, endpoint) in endpoints {
            let tenant_id = endpoint.tenant_id;
            let (sender, receiver) = watch::channel(Some(endpoint));
            let health = Arc::new(Mutex::new(Health {
                health: EndpointHealth::Well,
                untaken: 0,
            }));
            tasks.spawn(self.clone().deliver(receiver, health.clone()));
            running.insert(
                id,
                Running {
                    tenant_id,
                    endpoint: sender,
                    health,
                },
            );
        }
    }

    fn show(&self) {
        let running = self.running.lock();
        let healths: Vec<Health> = running.values().map(|task| *task.health.lock()).collect();
        let untaken = healths.iter().map(|health| health.untaken).sum();
        let healths: Vec<EndpointHealth> = healths.iter().map(|health| health.health).collect();
        self.callbacks.show(&healths, untaken);
    }

    /// Delivers to one endpoint until it is not this process's any more.
    async fn deliver(self: Arc<Self>, mut changes: watch::Receiver<Option<Arc<Endpoint>>>, health: Arc<Mutex<Health>>) {
        loop {
            let endpoint = changes.borrow_and_update().clone();
            let Some(endpoint) = endpoint else { return };
            let wait = match self.callbacks.run(endpoint).await {
                Ok(mut run) => match self.drive(&mut run, &mut changes, &health).await {
                    Ok(()) => {
                        self.stand_back(&mut changes).await;
                        continue;
                    }
                    Err(failure) => self.note(&failure, "an endpoint could not be delivered to"),
                },
                Err(failure) => self.note(&failure, "how far an endpoint is could not be read"),
            };
            if changes.borrow().is_none() {
                return;
            }
            let _ = timeout(wait, changes.changed()).await;
        }
    }

    /// Leaves an endpoint to the process that has delivered to it meanwhile, until [`LOST_WAIT`] is over or the endpoint
    /// changes.
    async fn stand_back(&self, changes: &mut watch::Receiver<Option<Arc<Endpoint>>>) {
        let until = self.callbacks.uptime() + LOST_WAIT;
        while !changes.has_changed().unwrap_or(true) && changes.borrow().is_some() {
            let left = until.saturating_sub(self.callbacks.uptime());
            if left.is_zero() {
                return;
            }
            if let Ok(Ok(())) = timeout(left.min(CLOCK_LOOK), changes.changed()).await {
                changes.mark_changed();
            }
        }
    }

    /// Makes calls until the endpoint is gone, or another process has taken it over.
    ///
    /// Each call is a task of its own. While this one waits for the store, a call that waits for the same goes on: otherwise
    /// it could be given a connection that it does not use, and those of many endpoints together would keep all of them.
    async fn drive(
        self: &Arc<Self>,
        run: &mut EndpointRun,
        changes: &mut watch::Receiver<Option<Arc<Endpoint>>>,
        health: &Mutex<Health>,
    ) -> Result<(), Failure> {
        let tenant_calls = self.tenant_calls(run.endpoint().tenant_id);
        let own_call = Arc::new(Semaphore::new(1));
        let mut calls = JoinSet::new();
        let mut news = News::of(&self.callbacks, run);
        let mut ends_at = None;
        loop {
            if changes.has_changed().unwrap_or(true) {
                let endpoint = changes.borrow_and_update().clone();
                match endpoint {
                    Some(endpoint) if endpoint.kept_under != run.endpoint().kept_under => {
                        // Another endpoint, made under the same id: it is begun as any that is new.
                        changes.mark_changed();
                        return Ok(());
                    }
                    Some(endpoint) => run.change(endpoint).await?,
                    None => _ = ends_at.get_or_insert_with(|| self.callbacks.uptime() + LAST_CALLS_WAIT),
                }
            }
            let wait = match ends_at {
                Some(at) if calls.is_empty() || at <= self.callbacks.uptime() => return run.save().await.map(drop),
                // Another process may go on before the last call ends.
                Some(at) => match save_due(run).await {
                    Ok(CallbacksSaved::Done) => {
                        let left = at.saturating_sub(self.callbacks.uptime());
                        Some(run.save_wait().map_or(left, |wait| wait.min(left)))
                    }
                    Ok(CallbacksSaved::Lost) => return Ok(()),
                    Err(failure) => Some(self.note(&failure, "deliveries could not be written down")),
                },
                None => match run.step().await {
                    Ok(CallbacksStep::Begin(begun)) => {
                        for call in begun {
                            calls.spawn(self.clone().call(own_call.clone(), tenant_calls.clone(), call));
                        }
                        run.wait_max()
                    }
                    Ok(CallbacksStep::Lost) => return Ok(()),
                    Err(failure) => Some(self.note(&failure, "deliveries to an endpoint stand still")),
                },
            };
            *health.lock() = Health {
                health: run.health(),
                untaken: run.untaken(),
            };
            next_step(run, &mut calls, changes, &mut news, wait).await;
        }
    }

    /// The calls that endpoints of a tenant may have under way together.
    fn tenant_calls(&self, tenant_id: TenantId) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock();
        tenants.retain(|_, calls| Arc::strong_count(calls) > 1);
        let calls = tenants.entry(tenant_id);
        calls
            .or_insert_with(|| Arc::new(Semaphore::new(TENANT_CALLS_MAX)))
            .clone()
    }

    /// Makes a call when there is room for it. One call of an endpoint needs no room of its tenant's, so that slow endpoints
    /// do not hold up the tenant's others.
    async fn call(
        self: Arc<Self>,
        own_call: Arc<Semaphore>,
        tenant_calls: Arc<Semaphore>,
        call: OutgoingCall,
    ) -> EndedCallback {
        let _room = tokio::select! {
            biased;
            own = own_call.acquire() => own,
            shared = tenant_calls.acquire() => shared,
        };
        let _place = self.calls.enter(call.tenant_id()).await;
        self.callbacks.make(call).await
    }

    fn note(&self, failure: &Failure, what: &'static str) -> Duration {
        let outages = self.callbacks.outages();
        if !outages.note(failure) {
            tracing::warn!(%failure, what, "callbacks could not go on");
        }
        outages.wait().unwrap_or_default().max(FAILURE_WAIT)
    }
}

async fn save_due(run: &mut EndpointRun) -> Result<CallbacksSaved, Failure> {
    if run.must_save() {
        run.save().await
    } else {
        Ok(CallbacksSaved::Done)
    }
}

/// Waits until a call ends, the endpoint changes, it is time to look for news, or `wait` is over, if there is one.
async fn next_step(
    run: &mut EndpointRun,
    calls: &mut JoinSet<EndedCallback>,
    changes: &mut watch::Receiver<Option<Arc<Endpoint>>>,
    news: &mut News,
    wait: Option<Duration>,
) {
    tokio::select! {
        biased;
        Some(ended) = calls.join_next(), if !calls.is_empty() => {
            run.ended(ended.unwrap_or_else(panicked));
            // Those that ended meanwhile share its save.
            while let Some(ended) = calls.try_join_next() {
                run.ended(ended.unwrap_or_else(panicked));
            }
        }
        // Waiting for it marks it as seen, and the driver is to see it.
        Ok(()) = changes.changed() => changes.mark_changed(),
        () = news.come(run.read_to()) => run.wake(),
        () = sleep(wait.unwrap_or_default()), if wait.is_some() => {}
    }
}

/// Goes on with the panic of a call: nobody else ends one.
fn panicked(error: JoinError) -> EndedCallback {
    std::panic::resume_unwind(error.into_panic())
}
