//! The pace of every number, shared by all processes through Redis.
//!
//! The steps are those of [`Pace`](dakghar_core::domain::pacing::Pace), in a script that Redis runs atomically. Times
//! come from the caller, never from Redis: slots are compared with the clock of the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::pacing::{Admission, level_interval_us};
use dakghar_core::domain::time::CLOCKS_APART_MAX;
use dakghar_core::domain::{PhoneNumberId, Timestamp};
use dakghar_core::ports::{Clock, Pacer, QueueError, SlotAsk};
use futures_util::future::try_join_all;
use redis::{RedisError, Script};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

use super::config::RedisConfig;
use super::connection::{Connection, in_words, is_of_the_connection};
use crate::vital::vital;

/// Numbers in one call of the script, during which Redis does nothing else. The nodes of a cluster share the numbers
/// among them, so there each is a call of its own.
const NUMBERS_PER_CALL: usize = 128;

/// Between two attempts to connect. Until one succeeds everything fails at once.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(1);

/// The time that a call to Meta waits for a connection: when Redis comes back, the queue may be sooner than the pacer,
/// and a job that finds no pacer is lost until the timer of its message.
const ADMIT_PATIENCE: Duration = Duration::from_secs(2);

/// The time that the first connection is waited for at the start.
const START_PATIENCE: Duration = Duration::from_secs(2);

/// A [`Pacer`] in Redis.
pub struct RedisPacer {
    redis: RedisConfig,
    clock: Arc<dyn Clock>,
    script: Script,
    /// Counts the requests of tenants.
    pub(super) quota: Script,
    /// Counts their calls.
    pub(super) calls: Script,
    /// Keeps the lines of messages to one person.
    pub(super) lines: Script,
    kept: Arc<KeptConnection>,
    _keeper: DropGuard,
}

/// The connection, while it can be trusted.
struct KeptConnection {
    connection: watch::Sender<Option<Connection>>,
    missed: Notify,
}

impl KeptConnection {
    fn get(&self) -> Option<Connection> {
        self.connection.borrow().clone()
    }

    /// True if there is a connection, now or after a while.
    async fn comes_within(&self, patience: Duration) -> bool {
        let mut connection = self.connection.subscribe();
        tokio::time::timeout(patience, connection.wait_for(Option::is_some))
            .await
            .is_ok_and(|found| found.is_ok())
    }
}

impl RedisPacer {
    /// Starts to connect, and waits a moment for it. Without Redis it can be created, but not used. `clock` tells
    /// whether what is kept in Redis was reserved by a clock that was ahead.
    pub async fn start(redis: RedisConfig, clock: Arc<dyn Clock>) -> Self {
        let kept = Arc::new(KeptConnection {
            connection: watch::Sender::new(None),
            missed: Notify::new(),
        });
        let stopped = CancellationToken::new();
        let keeping = keep(redis.clone(), kept.clone());
        #[expect(clippy::disallowed_methods, reason = "ends when the pacer is dropped")]
        tokio::spawn(vital(
            "the connection of the pacer",
            stopped.clone().run_until_cancelled_owned(keeping),
        ));
        // Too late is not an error: the keeper goes on trying.
        kept.comes_within(START_PATIENCE).await;
        Self {
            redis,
            clock,
            script: Script::new(include_str!("pace.lua")),
            quota: Script::new(include_str!("quota.lua")),
            calls: Script::new(include_str!("calls.lua")),
            lines: Script::new(include_str!("pairs.lua")),
            kept,
            _keeper: stopped.drop_guard(),
        }
    }

    /// Runs one operation for all asks, those of a number in their order. Returns in the order of the asks.
    async fn run(&self, operation: &str, asks: &[SlotAsk]) -> Result<Vec<Answer>, QueueError> {
        let mut places: HashMap<&PhoneNumberId, Vec<usize>> = HashMap::new();
        for (place, ask) in asks.iter().enumerate() {
            places.entry(&ask.phone_number_id).or_default().push(place);
        }
        let places: Vec<(&PhoneNumberId, Vec<usize>)> = places.into_iter().collect();
        let per_call = if self.redis.is_cluster() { 1 } else { NUMBERS_PER_CALL };
        let calls = places.chunks(per_call).map(|numbers| {
            let numbers = numbers.iter().map(|(number, places)| {
                let asks = places.iter().map(|place| Ask::of(&asks[*place])).collect();
                (*number, asks)
            });
            self.call(operation, numbers.collect())
        });
        let answers = self.within_budget(try_join_all(calls)).await?.concat();
        let mut ordered = vec![Answer::default(); asks.len()];
        let places = places.iter().flat_map(|(_, places)| places);
        for (place, pair) in places.zip(answers.chunks_exact(2)) {
            ordered[*place] = Answer {
                go: pair[0] == 1,
                slot_us: pair[1],
            };
        }
        Ok(ordered)
    }

    /// Calls the script once. Returns two values for each ask.
    async fn call(
        &self,
        operation: &str,
        numbers: Vec<(&PhoneNumberId, Vec<Ask>)>,
    ) -> Result<Vec<i64>, Option<RedisError>> {
        let mut connection = self.kept.get().ok_or(None)?;
        let mut invocation = self.script.prepare_invoke();
        invocation
            .arg(operation)
            .arg(us(self.clock.now()))
            .arg(u64::try_from(CLOCKS_APART_MAX.as_micros()).expect("some seconds"));
        for (number, asks) in numbers {
            invocation.key(format!("dakghar:pace:{{{number}}}")).arg(asks.len());
            for ask in asks {
                invocation.arg(ask.first_us).arg(ask.lane).arg(ask.at_us);
            }
        }
        invocation.invoke_async(&mut connection).await.map_err(Some)
    }

    /// The connection, while it can be trusted.
    pub(super) fn connection(&self) -> Option<Connection> {
        self.kept.get()
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.redis.is_cluster()
    }

    pub(super) async fn within_budget<T>(
        &self,
        work: impl Future<Output = Result<T, Option<RedisError>>>,
    ) -> Result<T, QueueError> {
        let error = match tokio::time::timeout(self.redis.patience(), work).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(None)) => return Err(QueueError(format!("no connection to Redis at {}", self.redis))),
            Ok(Err(Some(error))) => error,
            Err(_) => RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)),
        };
        if is_of_the_connection(&error) {
            // Whoever comes next must not wait as long as this caller did.
            self.kept.connection.send_replace(None);
            self.kept.missed.notify_one();
        }
        Err(QueueError(in_words(&self.redis, &error)))
    }

    async fn best_effort(&self, operation: &str, number: &PhoneNumberId, first_us: i64, at: Timestamp) {
        let ask = Ask {
            first_us,
            lane: "-",
            at_us: us(at),
        };
        let call = self.call(operation, vec![(number, vec![ask])]);
        if let Err(error) = self.within_budget(call).await {
            debug!(phone_number_id = %number, operation, %error, "the pace of a number was not changed");
        }
    }
}

/// An ask as the script takes it.
struct Ask {
    /// The interval of the number's level, or what the operation needs in its place.
    first_us: i64,
    lane: &'static str,
    at_us: i64,
}

impl Ask {
    fn of(ask: &SlotAsk) -> Self {
        Self {
            first_us: level_interval_us(ask.level),
            lane: ask.priority.as_str(),
            at_us: us(ask.not_before),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Answer {
    go: bool,
    slot_us: i64,
}

#[async_trait]
impl Pacer for RedisPacer {
    async fn reserve(&self, asks: &[SlotAsk]) -> Result<Vec<Timestamp>, QueueError> {
        let answers = self.run("reserve", asks).await?;
        Ok(answers.into_iter().map(|answer| from_us(answer.slot_us)).collect())
    }

    async fn refund(&self, asks: &[SlotAsk]) {
        if let Err(error) = self.run("refund", asks).await {
            debug!(%error, count = asks.len(), "slots were not given back");
        }
    }

    async fn admit(&self, asks: &[SlotAsk]) -> Result<Vec<Admission>, QueueError> {
        let answers = match self.run("admit", asks).await {
            // Should the first one have been executed all the same, the number is only a little slower for a moment.
            Err(_) if self.kept.comes_within(ADMIT_PATIENCE).await => self.run("admit", asks).await?,
            others => others?,
        };
        let admission = |(answer, ask): (Answer, &SlotAsk)| {
            if answer.go {
                Admission::Go
            } else {
                Admission::Later(from_us(answer.slot_us).max(ask.not_before + Duration::from_millis(1)))
            }
        };
        Ok(answers.into_iter().zip(asks).map(admission).collect())
    }

    async fn pause_until(&self, phone_number_id: &PhoneNumberId, now: Timestamp, until: Timestamp) {
        self.best_effort("pause", phone_number_id, us(now), until).await;
    }

    async fn forget_beyond(&self, phone_number_id: &PhoneNumberId, limit: Timestamp) {
        self.best_effort("limit", phone_number_id, 0, limit).await;
    }
}

/// Connects whenever there is no connection.
async fn keep(redis: RedisConfig, kept: Arc<KeptConnection>) {
    loop {
        match Connection::open(&redis, redis.patience()).await {
            Ok(connection) => {
                kept.connection.send_replace(Some(connection));
                kept.missed.notified().await;
            }
            Err(error) => {
                debug!(
                    error = in_words(&redis, &error),
                    "no connection for the pace of numbers"
                );
                tokio::time::sleep(RECONNECT_INTERVAL).await;
            }
        }
    }
}

const fn us(at: Timestamp) -> i64 {
    at.as_millis() * 1000
}

/// Rounded up, so that a slot never comes early.
const fn from_us(us: i64) -> Timestamp {
    Timestamp::from_millis((us + 999).div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use dakghar_core::domain::pacing::{
        FAST_INTERVAL_US, GATE_BURST_MIN, GATE_BURST_US, GATE_JITTER_US, Priority, SHARE_CALM, SHARE_DOUBLES_MS,
        SHARE_FIRST, SHARE_MAX, SHARE_MIN,
    };

    #[test]
    fn the_script_has_the_numbers_of_the_core() {
        let [high, normal, low] = Priority::ALL.map(Priority::weight);
        for line in [
            format!("= {SHARE_FIRST}, {SHARE_MAX}, {SHARE_MIN}, {SHARE_DOUBLES_MS}"),
            format!("= {SHARE_CALM}, 1000000, 1000000"),
            format!("= {GATE_BURST_US}, {GATE_BURST_MIN}, {GATE_JITTER_US}, {FAST_INTERVAL_US}"),
            format!("= {{ high = {high}, normal = {normal}, low = {low} }}"),
        ] {
            assert!(include_str!("pace.lua").contains(&line), "{line}");
        }
    }
}
