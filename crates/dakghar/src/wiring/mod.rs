//! The only place that names concrete adapters: chooses them by the settings and puts them behind the ports.

mod distributed;
mod embedded;
mod keys;
mod migration;

use std::sync::Arc;
use std::time::Duration;

use dakghar_adapters::local::{RandomIds, SystemClock};
use dakghar_adapters::meta::{GraphConfig, GraphHttp, MetaMessages, MetaWebhooks};
use dakghar_core::app::{App, Settings};
use dakghar_core::ports::{
    Clock, ConversationStore, Erasure, EventStore, IdGenerator as _, ListStore, MessageStore, Pacer, Ports, Queue,
    StoreHealth, TenantStore, TimerStore,
};
use dakghar_core::vault::Vault;
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::config::{Backend, Config};
use crate::secrets::{self, MASTER_KEY_FILE, VERIFY_TOKEN_FILE};

pub use embedded::integrity_check;
pub use keys::KeyRing;
pub use migration::{MigrationEnds, wire_migration};

/// The time that the last group commits may take at the end of the process.
const COMMITS_PATIENCE: Duration = Duration::from_secs(2);

/// The use that the process will make of what is wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Serve requests; with `sends`, also take messages out of the queue.
    Server {
        /// True if this process sends.
        sends: bool,
    },
    /// One command beside a server that may be running.
    Command,
}

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

/// Opens the store and the queue, and starts the group commits.
pub async fn wire(config: &Config, purpose: Purpose) -> anyhow::Result<Wired> {
    let Backing {
        ports,
        name,
        commits_max,
    } = open_backing(config, purpose, Outer::new(config)?).await?;
    let keys = KeyRing::of(&ports);
    keys.open_first().await?;
    let signing_keys = ports.vault.signing_keys();
    let (app, group_commits) = App::new(ports, settings(config, purpose, commits_max), &signing_keys);
    // They end with the last clone of the app, after everything that waits was committed.
    #[expect(clippy::disallowed_methods, reason = "`GroupCommits` waits for them")]
    let group_commits = group_commits.into_iter().map(tokio::spawn).collect();
    Ok(Wired {
        app,
        backend: name,
        keys,
        group_commits: GroupCommits(group_commits),
    })
}

async fn open_backing(config: &Config, purpose: Purpose, outer: Outer) -> anyhow::Result<Backing> {
    match &config.storage.backend {
        Backend::Embedded => embedded::open(config, purpose, outer),
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
            distributed::connect(config, purpose, outer, servers).await
        }
    }
}

fn settings(config: &Config, purpose: Purpose, commits_max: usize) -> Settings {
    let id = hex::encode(&RandomIds.secret_bytes()[..4]);
    Settings {
        worker_id: format!("{}-{id}", std::process::id()).into(),
        send: config.sending.policy,
        is_sole_sender: !config.is_distributed() && purpose == Purpose::Server { sends: true },
        attempts_max: config.sending.attempts_max,
        commits_max,
        calls_max: config.sending.worker_concurrency,
        ..Settings::default()
    }
}

/// A backend that is open, behind the ports.
struct Backing {
    ports: Ports,
    /// The store and the queue, for people.
    name: String,
    /// Commits of one kind under way at a time.
    commits_max: usize,
}

/// A store of everything.
trait Store:
    MessageStore + TimerStore + ConversationStore + ListStore + TenantStore + EventStore + StoreHealth + Erasure + 'static
{
}

impl<S> Store for S where
    S: MessageStore
        + TimerStore
        + ConversationStore
        + ListStore
        + TenantStore
        + EventStore
        + StoreHealth
        + Erasure
        + 'static
{
}

/// The ports that do not depend on the backend.
struct Outer {
    messages_api: MetaMessages,
    webhooks: MetaWebhooks,
    vault: Vault,
}

impl Outer {
    /// Generates the secrets that nobody configured.
    fn new(config: &Config) -> anyhow::Result<Self> {
        let or_generated = |secret, file| secrets::configured_or_generated(secret, &config.storage.data_dir, file);
        let master_key = or_generated(config.keys.master_key.as_ref(), MASTER_KEY_FILE)?;
        let verify_token = or_generated(config.meta.verify_token.as_ref(), VERIFY_TOKEN_FILE)?;
        let vault = keys::vault(&master_key, config.keys.master_key_previous.as_ref())?;
        let graph = GraphHttp::new(GraphConfig::new(&config.meta.graph_base_url, &config.meta.api_version))?;
        Ok(Self {
            messages_api: MetaMessages::new(Arc::new(graph), Arc::new(SystemClock)),
            webhooks: MetaWebhooks::new(&config.meta.app_secrets, Some(&verify_token), Arc::new(SystemClock)),
            vault,
        })
    }

    /// All ports, over this backend.
    fn ports<S: Store>(
        self,
        store: &Arc<S>,
        queue: Arc<dyn Queue>,
        pacer: Arc<dyn Pacer>,
        clock: Arc<dyn Clock>,
    ) -> Ports {
        Ports {
            messages: store.clone(),
            timers: store.clone(),
            conversations: store.clone(),
            lists: store.clone(),
            tenants: store.clone(),
            events: store.clone(),
            store_health: store.clone(),
            erasure: store.clone(),
            queue,
            pacer,
            messages_api: Arc::new(self.messages_api),
            webhooks: Arc::new(self.webhooks),
            vault: Arc::new(self.vault),
            clock,
            ids: Arc::new(RandomIds),
        }
    }
}
