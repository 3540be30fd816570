//! The only file that names concrete adapters: chooses them by the settings and puts them behind the ports.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use dakghar_adapters::bullmq::{BullmqConfig, BullmqQueue, RedisConfig, RedisPacer, Role};
use dakghar_adapters::graph::{GraphClient, GraphConfig, MetaWebhooks};
use dakghar_adapters::keys::LocalVault;
use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_adapters::sqlite::{OpenError, SqliteOptions, SqliteQueue, SqliteSource, SqliteStore};
use dakghar_adapters::system::{RandomIds, SystemClock};
use dakghar_core::app::migrate::Migrator;
use dakghar_core::app::register_tenant::token_purpose;
use dakghar_core::app::{App, LocalPacer, Settings, SigningKeys};
use dakghar_core::domain::Secret;
use dakghar_core::ports::{IdGenerator as _, MigrationTarget as _, Ports};
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::config::{Backend, Config};
use crate::secrets::{self, MASTER_KEY_FILE, VERIFY_TOKEN_FILE};

/// How long the last group commits may take at the end of the process.
const COMMITS_PATIENCE: Duration = Duration::from_secs(2);

/// What the process will do with what is wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Serve requests; with `sends`, also take messages out of the queue.
    Server {
        /// Whether this process sends.
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
    /// What must end before the process does.
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
    let master_key = secrets::configured_or_generated(config.master_key.as_ref(), &config.data_dir, MASTER_KEY_FILE)?;
    let verify_token =
        secrets::configured_or_generated(config.verify_token.as_ref(), &config.data_dir, VERIFY_TOKEN_FILE)?;
    let vault = LocalVault::new(&master_key, config.master_key_previous.as_ref()).context("MASTER_KEY")?;
    let keys = SigningKeys {
        opaque: *vault.opaque_secret(),
        opaque_previous: vault.previous_opaque_secret().map(|secret| *secret),
        cursor: *vault.cursor_secret(),
    };
    let graph = GraphClient::new(GraphConfig::new(&config.graph_base_url, &config.api_version))?;
    let webhooks = MetaWebhooks::new(&config.app_secrets, Some(&verify_token));
    let outer = Outer {
        graph: Arc::new(graph),
        webhooks: Arc::new(webhooks),
        vault: Arc::new(vault),
    };

    let (ports, backend, commits_max) = match &config.backend {
        Backend::Embedded => embedded(config, purpose, outer)?,
        Backend::Distributed {
            mongo_uri,
            redis,
            queue_shards,
        } => distributed(config, purpose, outer, mongo_uri, redis.clone(), *queue_shards).await?,
    };
    check_master_key(&ports).await?;
    let id = hex::encode(&RandomIds.secret_bytes()[..4]);
    let settings = Settings {
        worker_id: format!("{}-{id}", std::process::id()).into(),
        send: config.send,
        is_sole_sender: !config.is_distributed() && purpose == Purpose::Server { sends: true },
        attempts_max: config.attempts_max,
        commits_max,
        calls_max: config.worker_concurrency,
        ..Settings::default()
    };
    let (app, group_commits) = App::new(ports, settings, &keys);
    // They end with the last clone of the app, after everything that waits was committed.
    let group_commits = group_commits.into_iter().map(tokio::spawn).collect();
    Ok(Wired {
        app,
        backend,
        group_commits: GroupCommits(group_commits),
    })
}

/// The ports that do not depend on the backend.
struct Outer {
    graph: Arc<GraphClient>,
    webhooks: Arc<MetaWebhooks>,
    vault: Arc<LocalVault>,
}

fn embedded(config: &Config, purpose: Purpose, outer: Outer) -> anyhow::Result<(Ports, String, usize)> {
    let options = SqliteOptions {
        lock_exclusive: purpose != Purpose::Command,
        ..SqliteOptions::default()
    };
    secrets::make_data_dir(&config.data_dir)?;
    let store = SqliteStore::open(&config.data_dir, &options)?;
    let backend = format!("embedded (SQLite, {})", store.file().display());
    let clock = Arc::new(SystemClock);
    let ports = Ports {
        messages: store.clone(),
        timers: store.clone(),
        conversations: store.clone(),
        lists: store.clone(),
        tenants: store.clone(),
        events: store.clone(),
        store_health: store.clone(),
        erasure: store.clone(),
        queue: Arc::new(SqliteQueue::new(store, clock.clone())),
        pacer: Arc::new(LocalPacer::new()),
        messages_api: outer.graph,
        webhooks: outer.webhooks,
        vault: outer.vault,
        clock,
        ids: Arc::new(RandomIds),
    };
    Ok((ports, backend, 1))
}

async fn distributed(
    config: &Config,
    purpose: Purpose,
    outer: Outer,
    mongo_uri: &Secret,
    redis: RedisConfig,
    shards: u16,
) -> anyhow::Result<(Ports, String, usize)> {
    let mut options = MongoOptions::default();
    if purpose == Purpose::Command {
        options.connect_patience = Duration::from_secs(5);
    }
    let store = MongoStore::connect(mongo_uri.reveal(), options).await?;
    if let Some(obstacle) = store.migration().await?.and_then(|migration| migration.obstacle()) {
        bail!(obstacle);
    }
    let backend = format!("distributed (MongoDB, BullMQ on Redis at {redis})");
    let role = match purpose {
        Purpose::Server { sends: true } => Role::ProduceAndConsume {
            in_flight_max: config.worker_concurrency as usize * 2,
        },
        Purpose::Server { sends: false } | Purpose::Command => Role::Produce,
    };
    let worker_name = format!("dakghar-{}", std::process::id());
    let clock = store.clock();
    let queue = BullmqQueue::start(
        BullmqConfig {
            redis: redis.clone(),
            shards,
            role,
            worker_name,
        },
        clock.clone(),
    )
    .await?;
    if let Some(warning) = queue.warning() {
        tracing::warn!("{warning}");
    }
    let ports = Ports {
        messages: store.clone(),
        timers: store.clone(),
        conversations: store.clone(),
        lists: store.clone(),
        tenants: store.clone(),
        events: store.clone(),
        store_health: store.clone(),
        erasure: store,
        queue: Arc::new(queue),
        pacer: Arc::new(RedisPacer::start(redis).await),
        messages_api: outer.graph,
        webhooks: outer.webhooks,
        vault: outer.vault,
        clock,
        ids: Arc::new(RandomIds),
    };
    Ok((ports, backend, 2))
}

/// A wrong master key must be found out before anything is accepted under it.
async fn check_master_key(ports: &Ports) -> anyhow::Result<()> {
    let Some(tenant) = ports.tenants.list(None, 1).await?.into_iter().next() else {
        return Ok(());
    };
    let Some(number) = tenant.phone_numbers.first() else {
        return Ok(());
    };
    let purpose = token_purpose(&number.phone_number_id);
    let opened = ports
        .vault
        .open(&tenant.id, &tenant.wrapped_data_key, &purpose, &number.sealed_token)
        .await;
    if let Err(error) = opened {
        bail!(
            "MASTER_KEY does not open the access tokens in this store ({error}). Use the key they were sealed with, \
             or set it as MASTER_KEY_PREVIOUS."
        );
    }
    Ok(())
}

/// Both ends of a migration.
pub struct MigrationEnds {
    /// The use case.
    pub migrator: Migrator,
    /// The same with a vault that knows the present master key only.
    pub strict: Migrator,
    /// The database file that is left.
    pub file: PathBuf,
    /// The file that is left beside it in the end.
    pub mark: PathBuf,
    /// The file of the generated master key, if there is one and it is not the key that was configured.
    pub key_file: Option<PathBuf>,
    /// Whether the key in that file opens what is in the source.
    pub does_key_file_open: bool,
    /// Whether the configured master key is the generated one in the folder.
    pub is_key_in_folder: bool,
}

/// How long MongoDB may take for a page of records, or for counting all of them.
const MIGRATION_TIMEOUT: Duration = Duration::from_mins(2);

/// Opens an embedded installation to leave it, and the store it moves to. With `is_dry_run` nothing is created there.
pub async fn wire_migration(config: &Config, folder: &Path, is_dry_run: bool) -> anyhow::Result<MigrationEnds> {
    let Backend::Distributed { mongo_uri, .. } = &config.backend else {
        bail!("MONGO_URI is not set");
    };
    let master_key = config.master_key.as_ref().context("MASTER_KEY is not set")?;
    let source = SqliteSource::open(folder).map_err(|error| match error {
        OpenError::InUse { .. } => {
            anyhow::anyhow!("{error}. Stop it first: nothing may change while the installation is copied.")
        }
        error => error.into(),
    })?;
    let options = MongoOptions {
        connect_patience: Duration::from_secs(10),
        write_timeout: MIGRATION_TIMEOUT,
        reread_timeout: MIGRATION_TIMEOUT,
        read_timeout: MIGRATION_TIMEOUT,
        prepare: !is_dry_run,
        ..MongoOptions::default()
    };
    let target = MongoStore::connect(mongo_uri.reveal(), options).await?;
    let vault = |previous| LocalVault::new(master_key, previous).context("MASTER_KEY");
    let file = source.file().to_owned();
    let mark = source.mark();
    let folder = file.parent().unwrap_or(Path::new("."));
    let origin = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let key_file = folder.join(MASTER_KEY_FILE);
    let key_in_folder = std::fs::read_to_string(&key_file).ok();
    let is_key_in_folder = key_in_folder.as_deref().map(str::trim) == Some(master_key.reveal());
    let migrator = Migrator {
        source,
        successor: target.place().to_owned(),
        clock: target.clock(),
        target,
        vault: Arc::new(vault(config.master_key_previous.as_ref())?),
        ids: Arc::new(RandomIds),
        origin: origin.display().to_string(),
    };
    let other_key = key_in_folder.filter(|_| !is_key_in_folder);
    let does_key_file_open = match other_key
        .as_deref()
        .map(|key| LocalVault::new(&Secret::new(key.trim()), None))
    {
        Some(Ok(vault)) => {
            let vault = Arc::new(vault);
            let by_file = Migrator {
                vault,
                ..migrator.clone()
            };
            by_file.check_key().await.is_ok()
        }
        _ => false,
    };
    Ok(MigrationEnds {
        strict: Migrator {
            vault: Arc::new(vault(None)?),
            ..migrator.clone()
        },
        migrator,
        file,
        mark,
        key_file: other_key.map(|_| key_file),
        does_key_file_open,
        is_key_in_folder,
    })
}
