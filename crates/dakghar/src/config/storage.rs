//! The settings of the store and the queue.

use std::path::PathBuf;

use dakghar_adapters::redis::RedisConfig;
use dakghar_core::domain::Secret;

use super::reader::Reader;
use super::variable::{Kind, Variable, table};

table! {
    "Store and queue" {
        DATA_DIR: Kind::Text, "./data", "Where the embedded backend keeps its SQLite file, where workers beside MongoDB keep what Meta answers while that is away, and where generated secrets are kept.";
        MONGO_URI: Kind::Secret, "", "Set it to use MongoDB (a replica set) and BullMQ on Redis instead of the embedded backend, for example mongodb://mongo:27017/pocdb.";
        REDIS_HOST: Kind::Text, "127.0.0.1", "The Redis server of the BullMQ queue.";
        REDIS_PORT: Kind::Integer { min: 1, max: 65_535 }, "6379", "The port of REDIS_HOST.";
        REDIS_URL: Kind::Secret, "", "Wins over REDIS_HOST and REDIS_PORT: redis:// or rediss:// (TLS), with user and password. Several URLs separated by commas, or one with ?cluster=true, are nodes of a Redis Cluster, which needs QUEUE_SHARDS of at least 2.";
        REDIS_CA_FILE: Kind::Text, "", "A file with the certificate authority, in PEM, that signed the certificate of a rediss:// server. Unset: the public authorities.";
        QUEUE_SHARDS: Kind::Integer { min: 1, max: 64 }, "1", "Queues the numbers are spread over. The same in every process; change it only while the queue is empty.";
    }
}

/// The kind of store and queue.
#[derive(Clone, Debug)]
pub enum Backend {
    /// One SQLite file, one process.
    Embedded,
    /// MongoDB and BullMQ on Redis, any number of processes.
    Distributed {
        /// The connection string of MongoDB.
        mongo_uri: Secret,
        /// Where Redis is.
        redis: RedisConfig,
        /// Queues the numbers are spread over.
        queue_shards: u16,
    },
}

/// The store and the queue.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The folder of files: the embedded store and generated secrets.
    pub data_dir: PathBuf,
    /// The kind of store and queue.
    pub backend: Backend,
}

impl Storage {
    /// Reads the section.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            data_dir: reader.text(&DATA_DIR).unwrap_or_default().into(),
            backend: read_backend(reader),
        }
    }
}

fn read_backend(reader: &mut Reader<'_>) -> Backend {
    let queue_shards = reader.integer(&QUEUE_SHARDS);
    let redis = read_redis(reader, queue_shards);
    match (reader.secret(&MONGO_URI), redis) {
        (Some(mongo_uri), Ok(redis)) => Backend::Distributed {
            mongo_uri,
            redis,
            queue_shards,
        },
        (Some(_), Err(problem)) => {
            reader.problem(problem);
            Backend::Embedded
        }
        // The embedded backend has no Redis, so a problem with Redis does not matter.
        (None, _) => Backend::Embedded,
    }
}

fn read_redis(reader: &mut Reader<'_>, queue_shards: u16) -> Result<RedisConfig, String> {
    let host = reader.text(&REDIS_HOST).unwrap_or_default();
    let port = reader.integer(&REDIS_PORT);
    let url = reader.secret(&REDIS_URL);
    let authority = reader.text(&REDIS_CA_FILE);
    let mut redis = match url {
        Some(url) => RedisConfig::from_url(url.reveal()).map_err(|error| format!("REDIS_URL: {error}"))?,
        None => RedisConfig::from_host(&host, port).map_err(|error| format!("REDIS_HOST: {error}"))?,
    };
    if let Some(path) = authority {
        let pem = std::fs::read(&path).map_err(|error| format!("REDIS_CA_FILE: {path}: {error}"))?;
        redis = redis
            .with_authority(pem)
            .map_err(|error| format!("REDIS_CA_FILE: {error}"))?;
    }
    // A number that could not be read was reported already.
    redis
        .check_shards(queue_shards.max(1))
        .map_err(|error| format!("REDIS_URL: {error}"))?;
    Ok(redis)
}
