//! The distributed backend: MongoDB, and Redis, for many processes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use dakghar_adapters::local::FileSpool;
use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_adapters::redis::{BullmqConfig, BullmqQueue, RedisConfig, RedisNews, RedisPacer, Role};
use dakghar_core::domain::Secret;
use dakghar_core::ports::{Clock, IdGenerator, MigrationTarget as _, OutcomeSpool};

use super::backing::{Backing, Beside, Outer};
use super::purpose::Purpose;
use crate::config::Config;

/// The time that a command waits for MongoDB to be reachable.
const COMMAND_CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// The addresses of the servers.
pub(super) struct Servers<'a> {
    pub(super) mongo_uri: &'a Secret,
    pub(super) redis: &'a RedisConfig,
    pub(super) queue_shards: u16,
}

/// Connects to both.
pub(super) async fn connect(
    config: &Config,
    purpose: Purpose,
    outer: Outer,
    servers: Servers<'_>,
) -> anyhow::Result<Backing> {
    let redis = servers.redis;
    let store = open_store(purpose, servers.mongo_uri).await?;
    let clock = store.clock();
    let queue = start_queue(config, purpose, &servers, clock.clone()).await?;
    let pacer = Arc::new(RedisPacer::start(redis.clone(), clock.clone()).await);
    let beside = Beside {
        queue: Arc::new(queue),
        pacer: pacer.clone(),
        quota: pacer,
        news: Arc::new(RedisNews::start(redis.clone())),
        clock,
    };
    let mut ports = Box::pin(outer.ports_with_arrivals(&store, beside, purpose)).await?;
    if purpose == (Purpose::Server { sends: true }) {
        ports.spool = start_spool(config, &*ports.ids);
    }
    Ok(Backing {
        name: format!("distributed (MongoDB, BullMQ on Redis at {redis})"),
        ports,
        commits_max: 2,
    })
}

/// Makes the file that keeps Meta's answers while MongoDB is away. Without one everything else works.
fn start_spool(config: &Config, ids: &dyn IdGenerator) -> Option<Arc<dyn OutcomeSpool>> {
    let folder = &config.storage.data_dir;
    match FileSpool::start(folder, &hex::encode(&ids.secret_bytes()[..8])) {
        Ok(spool) => Some(Arc::new(spool)),
        Err(error) => {
            tracing::warn!(%error, data_dir = %folder.display(), "DATA_DIR cannot be written to; what Meta answers while MongoDB is away will live only as long as this process");
            None
        }
    }
}

async fn open_store(purpose: Purpose, mongo_uri: &Secret) -> anyhow::Result<Arc<MongoStore>> {
    let mut options = MongoOptions::default();
    if purpose == Purpose::Command {
        options.connect_patience = COMMAND_CONNECT_PATIENCE;
    }
    let store = MongoStore::connect(mongo_uri.reveal(), options).await?;
    if let Some(obstacle) = store.migration().await?.and_then(|migration| migration.obstacle()) {
        bail!(obstacle);
    }
    Ok(store)
}

async fn start_queue(
    config: &Config,
    purpose: Purpose,
    servers: &Servers<'_>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<BullmqQueue> {
    let role = match purpose {
        Purpose::Server { sends: true } => Role::ProduceAndConsume {
            in_flight_max: config.sending.worker_concurrency as usize * 2,
        },
        Purpose::Server { sends: false } | Purpose::Command => Role::Produce,
    };
    let bullmq = BullmqConfig {
        redis: servers.redis.clone(),
        shards: servers.queue_shards,
        role,
        worker_name: format!("dakghar-{}", std::process::id()),
    };
    let queue = BullmqQueue::start(bullmq, clock).await?;
    if let Some(warning) = queue.warning() {
        tracing::warn!("{warning}");
    }
    Ok(queue)
}
