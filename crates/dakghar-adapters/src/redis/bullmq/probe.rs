//! A look at Redis on a connection of its own: does it answer, who is it, does it still have our mark, is work due.

use std::time::Duration;

use dakghar_core::domain::Timestamp;
use dakghar_core::domain::message::Priority;
use dakghar_core::ports::DueWork;
use futures_util::future::try_join_all;
use redis::{InfoDict, RedisError, Script};

use super::super::config::RedisConfig;
use super::super::connection::{Connection, in_words, is_of_the_connection};
use super::generation::EVENTS_KEPT;
use super::job;

/// The time that an answer may take. Redis answers within milliseconds, even with a million jobs to sort.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Delayed jobs this late should have been started by somebody.
const OVERDUE: Duration = Duration::from_secs(2);

/// Delayed jobs whose priority is looked at. Workers start them when they are due, so many are only there without any.
const DELAYED_LOOKS_MAX: usize = 1_000;

/// The scores of BullMQ's delayed jobs are milliseconds times this, leaving room for an order within each.
const DELAYED_SCORE_PER_MS: i64 = 4096;

/// The server as it was seen. Unknown in a cluster, which has many, and where the user may not ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Another one after each start.
    pub(super) run_id: String,
    /// Another one after each change of the primary.
    pub(super) replication_id: String,
    pub(super) is_replica: bool,
    pub(super) is_full: bool,
    pub(super) eviction_policy: String,
}

/// The mark of one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Epoch {
    pub(super) value: String,
    /// It was not there, and was made.
    pub(super) is_new: bool,
}

/// The result of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) server: Option<Server>,
    /// One for each queue; none when the server is a replica and cannot be written to.
    pub(super) epochs: Vec<Epoch>,
    /// For each queue whether jobs wait to be started.
    pub(super) due: Vec<bool>,
    /// The work that is due in all queues together, for each priority.
    pub(super) work: Vec<DueWork>,
}

/// Why there was nothing to see.
pub(super) struct Trouble {
    pub(super) words: String,
    /// The connection is known to be broken; otherwise Redis is only silent.
    pub(super) is_broken: bool,
}

pub(super) struct Probe {
    redis: RedisConfig,
    queue_names: Vec<String>,
    due_work: Script,
    connection: Option<Connection>,
}

impl Probe {
    pub(super) fn new(redis: RedisConfig, shards: u16) -> Self {
        Self {
            redis,
            queue_names: job::queue_names(shards),
            due_work: Script::new(include_str!("due.lua")),
            connection: None,
        }
    }

    /// Gives the connection up; the next look opens another.
    pub(super) fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Looks, for [`ANSWER_TIMEOUT`] at most, beside opening a connection. Keeps the connection even when it is
    /// silent: a new one might answer while those of the queue, as old as this one, do not.
    pub(super) async fn look(&mut self, now: Timestamp) -> Result<Reading, Trouble> {
        let connection = if let Some(connection) = &self.connection {
            connection.clone()
        } else {
            let opened = Connection::open(&self.redis, ANSWER_TIMEOUT)
                .await
                .map_err(|error| self.trouble(&error))?;
            self.connection.insert(opened).clone()
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, self.read(connection, now)).await {
            Ok(read) => read.map_err(|error| self.trouble(&error)),
            Err(_) => Err(Trouble {
                words: format!("Redis at {} does not answer in time", self.redis),
                is_broken: false,
            }),
        }
    }

    fn trouble(&self, error: &RedisError) -> Trouble {
        Trouble {
            words: in_words(&self.redis, error),
            is_broken: !error.is_timeout() && is_of_the_connection(error),
        }
    }

    async fn read(&self, mut connection: Connection, now: Timestamp) -> Result<Reading, RedisError> {
        let server = match connection {
            Connection::Single(_) => server(&mut connection).await?,
            Connection::Cluster(_) => None,
        };
        if server.as_ref().is_some_and(|server| server.is_replica) {
            return Ok(Reading {
                server,
                epochs: Vec::new(),
                due: Vec::new(),
                work: Vec::new(),
            });
        }
        let queues = try_join_all(self.queue_names.iter().map(|name| queue(connection.clone(), name, now))).await?;
        let (epochs, due) = queues.into_iter().unzip();
        let counts = self
            .queue_names
            .iter()
            .map(|name| self.count(connection.clone(), name, now));
        let work = sum(&try_join_all(counts).await?);
        Ok(Reading {
            server,
            epochs,
            due,
            work,
        })
    }

    async fn count(&self, mut connection: Connection, name: &str, now: Timestamp) -> Result<Counted, RedisError> {
        let keys = bullmq::QueueKeys::new(name, None);
        self.due_work
            .key(keys.wait())
            .key(keys.prioritized())
            .key(keys.delayed())
            .arg(keys.key_prefix())
            .arg(now.as_millis())
            .arg(DELAYED_LOOKS_MAX)
            .invoke_async(&mut connection)
            .await
    }
}

/// For the priorities, as BullMQ counts them, how many jobs are due, and then the slots of the oldest; -1 is none.
type Counted = [i64; 6];

/// Sums what is due in these queues.
fn sum(queues: &[Counted]) -> Vec<DueWork> {
    let of_priority = |(place, priority): (usize, Priority)| {
        let counts = queues
            .iter()
            .map(|counted| u64::try_from(counted[place]).unwrap_or_default());
        let slots = queues.iter().map(|counted| counted[place + Priority::ALL.len()]);
        let oldest = slots.filter(|slot| *slot >= 0).min();
        DueWork {
            priority,
            count: counts.sum(),
            oldest_slot_at: oldest.map(Timestamp::from_millis),
        }
    };
    Priority::ALL.into_iter().enumerate().map(of_priority).collect()
}

/// Reads everything `INFO` tells by default: naming the wanted sections needs Redis 7.
async fn server(connection: &mut Connection) -> Result<Option<Server>, RedisError> {
    let info: InfoDict = match redis::cmd("INFO").query_async(connection).await {
        Ok(info) => info,
        Err(error) if is_of_the_connection(&error) => return Err(error),
        Err(_not_allowed) => {
            redis::cmd("PING").query_async::<()>(connection).await?;
            return Ok(None);
        }
    };
    let text = |name: &str| info.get::<String>(name).unwrap_or_default();
    let bytes = |name: &str| info.get::<u64>(name).unwrap_or_default();
    let eviction_policy = text("maxmemory_policy");
    let bytes_max = bytes("maxmemory");
    Ok(Some(Server {
        run_id: text("run_id"),
        replication_id: text("master_replid"),
        is_replica: text("role") == "slave",
        is_full: bytes_max > 0 && bytes("used_memory") >= bytes_max && eviction_policy == "noeviction",
        eviction_policy,
    }))
}

/// The epoch; whether the queue is paused and its concurrency; how much waits, is prioritised, is overdue.
type QueueAnswers = (Option<String>, (Option<String>, Option<String>), u64, u64, u64);

async fn queue(mut connection: Connection, name: &str, now: Timestamp) -> Result<(Epoch, bool), RedisError> {
    let keys = bullmq::QueueKeys::new(name, None);
    let epoch_key = job::epoch_key(name);
    let overdue_score = (now - OVERDUE).as_millis().saturating_mul(DELAYED_SCORE_PER_MS);
    let (epoch, (paused, concurrency), waiting, prioritized, overdue): QueueAnswers = redis::pipe()
        .get(&epoch_key)
        .hmget(keys.meta(), &["paused", "concurrency"])
        .llen(keys.wait())
        .zcard(keys.prioritized())
        .zcount(keys.delayed(), 0, overdue_score)
        .query_async(&mut connection)
        .await?;
    // Somebody may have paused the queue in BullMQ's tools: then nobody starts anything, rightly.
    let due = paused.is_none() && concurrency.is_none() && waiting + prioritized + overdue > 0;
    let epoch = match epoch {
        Some(value) => Epoch { value, is_new: false },
        None => Epoch {
            value: new_epoch(&mut connection, &epoch_key, &keys.meta()).await?,
            is_new: true,
        },
    };
    Ok((epoch, due))
}

/// Sets a new mark, unless another process was quicker, and what else FLUSHALL takes with it.
async fn new_epoch(connection: &mut Connection, epoch_key: &str, meta_key: &str) -> Result<String, RedisError> {
    #[expect(clippy::disallowed_methods, reason = "a mark of Redis, no id of ours")]
    let fresh = uuid::Uuid::from_u128(rand::random()).simple().to_string();
    let (value,): (String,) = redis::pipe()
        .set_nx(epoch_key, fresh)
        .ignore()
        .get(epoch_key)
        .hset(meta_key, "opts.maxLenEvents", EVENTS_KEPT)
        .ignore()
        .query_async(connection)
        .await?;
    Ok(value)
}
