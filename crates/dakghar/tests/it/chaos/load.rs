//! Clients that send at a given rate, whether they are answered or not, and repeat under the same key what was not
//! answered. What they were promised is what the auditor goes by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::TaskTracker;

use super::installation::Installation;
use crate::product::{Tenant, text};

/// Clients that may wait for an answer at a time. When there are more the load is shed, and counted.
const CLIENTS_MAX: usize = 1_000;
/// How long a client goes on after the end of the load.
const PATIENCE: Duration = Duration::from_secs(60);
/// Tells the keys of one load from those of another.
static LOADS: AtomicU64 = AtomicU64::new(0);
/// Between two tries; grows with each.
const REPEAT_WAIT: Duration = Duration::from_millis(100);
const REPEAT_WAIT_MAX: Duration = Duration::from_secs(2);

/// What a client was promised.
#[derive(Clone, Debug)]
pub struct Promise {
    pub tenant: Tenant,
    /// Every id that was given out for the key; one, or something is wrong.
    pub ids: BTreeSet<String>,
}

/// What clients saw beside promises.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Answers by their status, if it is not a success.
    pub refusals: BTreeMap<u16, u64>,
    /// Repetitions that were answered with the first message.
    pub replays: u64,
    /// Requests that were not answered in time.
    pub timeouts: u64,
    /// Connections that could not be opened.
    pub not_connected: u64,
    /// Connections that broke while an answer was awaited.
    pub broken: u64,
    /// Messages that no client was free to send.
    pub shed: u64,
    /// The slowest answer with a server error.
    pub slowest_refusal: Duration,
    /// When the latest promise was made; tells how long nothing was accepted.
    pub longest_gap: Duration,
}

impl Counts {
    /// Answers that blame the server.
    pub fn server_errors(&self) -> u64 {
        self.refusals.range(500..).map(|(_, count)| count).sum()
    }
}

/// How long accepted requests took.
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn percentile(&self, part: usize) -> Duration {
        let at = self.0.len().saturating_sub(1) * part / 100;
        self.0.get(at).copied().unwrap_or_default()
    }
}

/// All that a load left behind.
pub struct Loaded {
    /// By key.
    pub promises: BTreeMap<String, Promise>,
    pub counts: Counts,
}

impl Loaded {
    /// Both together.
    pub fn and(mut self, other: Self) -> Self {
        self.promises.extend(other.promises);
        for (status, count) in other.counts.refusals {
            *self.counts.refusals.entry(status).or_default() += count;
        }
        self
    }
}

/// A load under way.
pub struct Load {
    shared: Arc<Shared>,
    clients: TaskTracker,
    clock: JoinHandle<()>,
}

struct Shared {
    /// Before every key.
    prefix: String,
    http: reqwest::Client,
    apis: Vec<String>,
    tenants: Vec<Tenant>,
    policy: Option<&'static str>,
    stopped: Mutex<Option<Instant>>,
    is_stopping: AtomicBool,
    next: AtomicU64,
    promises: Mutex<BTreeMap<String, Promise>>,
    counts: Mutex<Counts>,
    last_promise: Mutex<Instant>,
    latencies: Mutex<Vec<Duration>>,
}

/// How a load differs from the usual one.
pub struct LoadSetup {
    per_second: u32,
    http: reqwest::Client,
    apis: Vec<String>,
    tenants: Vec<Tenant>,
    policy: Option<&'static str>,
}

impl LoadSetup {
    pub fn on(installation: &Installation, per_second: u32) -> Self {
        Self {
            per_second,
            http: installation.http.clone(),
            apis: installation.apis().map(|node| node.url("")).collect(),
            tenants: installation.tenants.clone(),
            policy: None,
        }
    }

    /// Clients that connect by other means.
    pub fn http(mut self, http: reqwest::Client) -> Self {
        self.http = http;
        self
    }

    /// Clients that reach the API on this port of this machine.
    pub fn port(mut self, port: u16) -> Self {
        self.apis = vec![format!("http://127.0.0.1:{port}")];
        self
    }

    /// What shall become of messages whose outcome stays unknown.
    pub fn unknown_outcome(mut self, policy: &'static str) -> Self {
        self.policy = Some(policy);
        self
    }

    pub fn start(self) -> Load {
        let shared = Arc::new(Shared {
            prefix: format!("load{}", LOADS.fetch_add(1, Ordering::Relaxed)),
            http: self.http,
            apis: self.apis,
            tenants: self.tenants,
            policy: self.policy,
            stopped: Mutex::new(None),
            is_stopping: AtomicBool::new(false),
            next: AtomicU64::new(0),
            promises: Mutex::default(),
            counts: Mutex::default(),
            last_promise: Mutex::new(Instant::now()),
            latencies: Mutex::default(),
        });
        let clients = TaskTracker::new();
        let clock = tokio::spawn(tick(shared.clone(), clients.clone(), self.per_second));
        Load { shared, clients, clock }
    }
}

impl Load {
    /// Clients at this many messages a second, on every API of the installation.
    pub fn start(installation: &Installation, per_second: u32) -> Self {
        LoadSetup::on(installation, per_second).start()
    }

    /// Messages promised so far.
    pub fn promised(&self) -> usize {
        self.shared.promises.lock().len()
    }

    pub fn counts(&self) -> Counts {
        self.shared.counts.lock().clone()
    }

    /// How long the requests took that were accepted since [`Load::forget_latencies`].
    pub fn latencies(&self) -> Latencies {
        let mut latencies = self.shared.latencies.lock().clone();
        latencies.sort_unstable();
        Latencies(latencies)
    }

    pub fn forget_latencies(&self) {
        self.shared.latencies.lock().clear();
    }

    /// Forgets how long nothing was accepted until now.
    pub fn forget_gap(&self) {
        *self.shared.last_promise.lock() = Instant::now();
        self.shared.counts.lock().longest_gap = Duration::ZERO;
    }

    /// Waits until so many messages are promised.
    pub async fn until_promised(&self, messages: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.promised() < messages {
            assert!(
                Instant::now() < deadline,
                "only {} of {messages} messages were accepted: {:?}",
                self.promised(),
                self.counts()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// No further messages; waits for clients that still repeat theirs.
    pub async fn stop(self) -> Loaded {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        *self.shared.stopped.lock() = Some(Instant::now());
        self.clock.await.expect("the clock ends");
        self.clients.close();
        self.clients.wait().await;
        let promises = std::mem::take(&mut *self.shared.promises.lock());
        let counts = self.shared.counts.lock().clone();
        Loaded { promises, counts }
    }
}

async fn tick(shared: Arc<Shared>, clients: TaskTracker, per_second: u32) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let free = Arc::new(Semaphore::new(CLIENTS_MAX));
    while !shared.is_stopping.load(Ordering::Relaxed) {
        ticks.tick().await;
        let Ok(place) = free.clone().try_acquire_owned() else {
            shared.counts.lock().shed += 1;
            continue;
        };
        let shared = shared.clone();
        clients.spawn(async move {
            shared.send().await;
            drop(place);
        });
    }
}

impl Shared {
    /// One message: the same request, again and again, until it is promised or patience ends.
    async fn send(&self) {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let of = |count: usize| usize::try_from(n % count as u64).expect("small");
        let tenant = &self.tenants[of(self.tenants.len())];
        let key = format!("{}-{n}", self.prefix);
        let mut body = json!({"to": format!("+9191{n:08}"), "text": "hello", "idempotency_key": key});
        if let Some(policy) = self.policy {
            body["unknownOutcome"] = json!(policy);
        }
        let mut api = of(self.apis.len());
        let mut wait = REPEAT_WAIT;
        loop {
            let url = format!("{}/tenants/{}/send", self.apis[api], tenant.id);
            if let Some(id) = self.ask(&url, tenant, &body).await {
                let mut promises = self.promises.lock();
                let promise = promises.entry(key).or_insert_with(|| Promise {
                    tenant: tenant.clone(),
                    ids: BTreeSet::new(),
                });
                promise.ids.insert(id);
                return;
            }
            let is_over = self.stopped.lock().is_some_and(|at| at.elapsed() > PATIENCE);
            if is_over {
                return;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(REPEAT_WAIT_MAX);
            api = (api + 1) % self.apis.len();
        }
    }

    /// One request; answers the id that was promised.
    async fn ask(&self, url: &str, tenant: &Tenant, body: &Value) -> Option<String> {
        let begun = Instant::now();
        let answered = async {
            let answer = self
                .http
                .post(url)
                .bearer_auth(&tenant.api_key)
                .json(body)
                .send()
                .await?;
            Ok::<_, reqwest::Error>((answer.status(), answer.json::<Value>().await?))
        };
        let (status, answer) = match answered.await {
            Ok(answered) => answered,
            Err(error) => {
                let mut counts = self.counts.lock();
                if error.is_connect() {
                    counts.not_connected += 1;
                } else if error.is_timeout() {
                    counts.timeouts += 1;
                } else {
                    counts.broken += 1;
                }
                return None;
            }
        };
        let mut counts = self.counts.lock();
        if status.is_success() {
            counts.replays += u64::from(answer["duplicate"] == true);
            let gap = std::mem::replace(&mut *self.last_promise.lock(), Instant::now()).elapsed();
            counts.longest_gap = counts.longest_gap.max(gap);
            self.latencies.lock().push(begun.elapsed());
            return Some(text(&answer["messageId"]));
        }
        *counts.refusals.entry(status.as_u16()).or_default() += 1;
        counts.slowest_refusal = counts.slowest_refusal.max(begun.elapsed());
        None
    }
}
