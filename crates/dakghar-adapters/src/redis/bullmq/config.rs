//! The use that this process makes of the queue, and BullMQ's connections.

use bullmq::options::{RedisConnectionOptions, TlsCerts};

use super::super::config::{InvalidRedisConfig, RedisConfig};

/// Jobs that one BullMQ worker has in hand at most. Beyond it its bookkeeping, a list searched from the start, costs
/// more than a second worker does.
const WORKER_CONCURRENCY_MAX: usize = 256;

/// The use that a process makes of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Only puts messages in: an API process.
    Produce,
    /// Also takes them out.
    ProduceAndConsume {
        /// Jobs taken and not yet finished, at most, over all shards. At least 1.
        in_flight_max: usize,
    },
}

/// The queue, and its use.
#[derive(Clone, Debug)]
pub struct BullmqConfig {
    /// The address.
    pub redis: RedisConfig,
    /// Into how many queues it is split by number, the same in every process; 1 is not split.
    pub shards: u16,
    /// The use that this process makes of it.
    pub role: Role,
    /// The name under which BullMQ's tools show this process.
    pub worker_name: String,
}

impl BullmqConfig {
    pub(super) fn check(&self) -> Result<(), InvalidRedisConfig> {
        if matches!(self.role, Role::ProduceAndConsume { in_flight_max: 0 }) {
            return Err(InvalidRedisConfig::Zero("WORKER_CONCURRENCY"));
        }
        self.redis.check_shards(self.shards)
    }

    /// The number of jobs that each BullMQ worker of one shard may have in hand; one number per worker.
    pub(super) fn worker_concurrencies(&self) -> Vec<usize> {
        let Role::ProduceAndConsume { in_flight_max } = self.role else {
            return Vec::new();
        };
        let per_shard = in_flight_max.div_ceil(usize::from(self.shards));
        let workers = per_shard.div_ceil(WORKER_CONCURRENCY_MAX);
        vec![per_shard.div_ceil(workers); workers]
    }
}

/// The options with which BullMQ's own connections reach Redis.
pub(in crate::redis) fn connection_options(redis: &RedisConfig) -> RedisConnectionOptions {
    let mut nodes = redis.reveal_nodes();
    let options = if redis.is_cluster() {
        RedisConnectionOptions::new().cluster_nodes(nodes)
    } else {
        RedisConnectionOptions::new().url(nodes.next().expect("a configuration has a node"))
    };
    match redis.authority_pem() {
        Some(pem) => options.tls_certs(TlsCerts {
            root_cert: Some(pem.clone()),
            ..TlsCerts::default()
        }),
        None => options,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, shards: u16, in_flight_max: usize) -> BullmqConfig {
        BullmqConfig {
            redis: RedisConfig::from_url(url).unwrap(),
            shards,
            role: Role::ProduceAndConsume { in_flight_max },
            worker_name: "test".into(),
        }
    }

    #[test]
    fn divides_the_jobs_among_workers() {
        assert_eq!(config("redis://one", 1, 10).worker_concurrencies(), [10]);
        assert_eq!(
            config("redis://one", 1, 1000).worker_concurrencies(),
            [250, 250, 250, 250]
        );
        assert_eq!(config("redis://one", 4, 256).worker_concurrencies(), [64]);
        assert_eq!(config("redis://one", 8, 2).worker_concurrencies(), [1]);
    }

    #[test]
    fn refuses_a_cluster_without_hash_tags_and_nothing_at_all() {
        assert_eq!(
            config("redis://one,redis://two", 1, 1).check(),
            Err(InvalidRedisConfig::ClusterNeedsShards)
        );
        assert_eq!(config("redis://one,redis://two", 2, 1).check(), Ok(()));
        assert!(config("redis://one", 0, 1).check().is_err());
        assert!(config("redis://one", 1, 0).check().is_err());
    }
}
