//! Chooses adapters by the settings and puts them behind the ports. Only the settings name adapters too.

mod backing;
pub mod backup;
mod distributed;
mod embedded;
mod keys;
mod migration;
mod purpose;
mod traces;

use std::sync::Arc;
use std::time::Duration;

use dakghar_adapters::local::SystemClock;
use dakghar_adapters::unreadable_records;
use dakghar_core::app::{App, Settings};
use dakghar_core::metrics::{Metrics, TopTenants};
use dakghar_core::ports::{Clock as _, IdGenerator};
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::config::{Backend, Config};

use backing::{Backing, Outer};
use traces::wire_traces;

pub use embedded::integrity_check;
pub use keys::KeyRing;
pub use migration::{MigrationEnds, wire_migration};
pub use purpose::Purpose;

/// The time that the last group commits may take at the end of the process.
const COMMITS_PATIENCE: Duration = Duration::from_secs(2);

/// The product, put together.
pub struct Wired {
    /// The use cases.
    pub app: App,
    /// The store and the queue, for people.
    pub backend: String,
    /// The keys, for looking at.
    pub keys: KeyRing,
    /// The work that must end before the process does.
    pub group_commits: GroupCommits,
}

/// The running group commits.
pub struct GroupCommits(Vec<JoinHandle<()>>);

impl GroupCommits {
    /// Waits for what was posted and not awaited, mostly messages on their way into the queue: those left behind would
    /// be late by a minute. To be called when nobody has the app any more, because that is what ends them.
    pub async fn finish(self) {
        if tokio::time::timeout(COMMITS_PATIENCE, join_all(self.0)).await.is_err() {
            tracing::warn!("not everything was put into the queue; timers bring it back");
        }
    }
}

/// Makes the instruments of this process, which starts now. They show so many tenants by themselves.
pub fn process_metrics(tenants_shown: usize) -> Arc<Metrics> {
    let metrics = Metrics {
        tenants: TopTenants::of(tenants_shown),
        unreadable_records: unreadable_records(),
        ..Metrics::default()
    };
    metrics
        .process_start_time
        .set(SystemClock::start().wall().as_millis() / 1_000);
    Arc::new(metrics)
}

/// Does work without which the process only looks alive: if it panics, the process ends and says why.
pub async fn vital<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    dakghar_adapters::vital::vital(name, work).await
}

/// Opens the store and the queue, and starts the group commits. What they do is counted in `metrics`.
pub async fn wire(config: &Config, purpose: Purpose, metrics: Arc<Metrics>) -> anyhow::Result<Wired> {
    let outer = Outer::new(config, metrics)?;
    let known_keys = outer.known_keys.clone();
    let Backing {
        mut ports,
        name,
        commits_max,
    } = Box::pin(open_backing(config, purpose, outer)).await?;
    let keys = KeyRing::of(&ports, known_keys);
    keys.open_first().await?;
    let poster = wire_traces(config, purpose, &mut ports)?;
    let signing_keys = ports.secrets.signing_keys();
    let settings = settings(config, purpose, commits_max, &*ports.ids);
    let (app, group_commits) = App::new(ports, settings, &signing_keys);
    // They end with the last clone of the app, after everything that waits was committed.
    #[expect(clippy::disallowed_methods, reason = "`GroupCommits` waits for them")]
    let mut group_commits: Vec<_> = group_commits
        .into_iter()
        .map(|commits| tokio::spawn(vital("a group commit", commits)))
        .collect();
    // So does the poster of traces.
    #[expect(clippy::disallowed_methods, reason = "`GroupCommits` waits for it")]
    group_commits.extend(poster.map(|poster| tokio::spawn(vital("the poster of traces", poster.run()))));
    Ok(Wired {
        app,
        backend: name,
        keys,
        group_commits: GroupCommits(group_commits),
    })
}

async fn open_backing(config: &Config, purpose: Purpose, outer: Outer) -> anyhow::Result<Backing> {
    match &config.storage.backend {
        Backend::Embedded => embedded::open(config, purpose, outer).await,
        Backend::Distributed {
            mongo_uri,
            redis,
            queue_shards,
        } => {
            let servers = distributed::Servers {
                mongo_uri,
                redis,
                queue_shards: *queue_shards,
            };
            Box::pin(distributed::connect(config, purpose, outer, servers)).await
        }
    }
}

fn settings(config: &Config, purpose: Purpose, commits_max: usize, ids: &dyn IdGenerator) -> Settings {
    let id = hex::encode(&ids.secret_bytes()[..4]);
    Settings {
        worker_id: format!("{}-{id}", std::process::id()).into(),
        send: config.sending.policy,
        is_sole_sender: !config.is_distributed() && purpose == Purpose::Server { sends: true },
        attempts_max: config.sending.attempts_max,
        is_sole_accepter: !config.is_distributed(),
        tenant_limits: config.tenant_limits,
        audit_days: config.audit_days,
        callback_rules: Arc::new(config.callbacks.rules.clone()),
        callback_timeout: config.callbacks.timeout,
        default_app: config.meta.default_app(),
        signups: config.signups.clone(),
        checks: config.checks.clone(),
        commits_max,
        calls_max: config.sending.worker_concurrency,
        ..Settings::default()
    }
}
