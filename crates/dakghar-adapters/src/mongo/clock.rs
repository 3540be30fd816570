//! The server's clock, followed from here.
//!
//! Leases, slots and timers are judged by the time of the store, so that processes with wrong clocks agree. Asking
//! the server each time would cost a round trip; instead its time is asked once a second, and between two answers
//! time passes as the local monotonic clock says.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bson::doc;
use dakghar_core::domain::Timestamp;
use dakghar_core::ports::Clock;
use mongodb::Database;
use tokio::time::MissedTickBehavior;

/// The time between two questions to the server.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The time that an answer may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// A correction backwards up to this is absorbed by standing still; a larger one is followed.
const STAND_STILL_MAX_US: i64 = 1_000_000;

/// The clock of a MongoDB server. Reading it is cheap and never waits.
#[derive(Debug)]
pub struct MongoClock {
    anchor: Instant,
    /// Added to the microseconds since the anchor.
    offset_us: AtomicI64,
    /// The latest time handed out, in microseconds since the epoch.
    latest_us: AtomicI64,
}

/// The server's time, and the local moments between which it was read.
#[derive(Clone, Copy, Debug)]
struct Sample {
    sent: Instant,
    received: Instant,
    server_ms: i64,
}

impl MongoClock {
    fn new(sample: Sample) -> Self {
        let clock = Self {
            anchor: sample.sent,
            offset_us: AtomicI64::new(0),
            latest_us: AtomicI64::new(i64::MIN),
        };
        let (low, high) = clock.offset_bounds_us(sample);
        clock.offset_us.store(low.midpoint(high), Ordering::Relaxed);
        clock
    }

    /// Between which offsets the true one lies: the server read its clock at some moment of the round trip, and cut
    /// off what was less than a millisecond.
    fn offset_bounds_us(&self, sample: Sample) -> (i64, i64) {
        let server_us = sample.server_ms.saturating_mul(1000);
        (
            server_us - self.since_anchor_us(sample.received),
            server_us + 1000 - self.since_anchor_us(sample.sent),
        )
    }

    /// Moves the offset only as far as the sample proves it wrong. A slow answer proves little and so cannot make
    /// the clock jitter.
    fn observe(&self, sample: Sample) {
        let (low, high) = self.offset_bounds_us(sample);
        let offset = self.offset_us.load(Ordering::Relaxed);
        self.offset_us.store(offset.clamp(low, high), Ordering::Relaxed);
    }

    fn since_anchor_us(&self, at: Instant) -> i64 {
        i64::try_from(at.saturating_duration_since(self.anchor).as_micros()).unwrap_or(i64::MAX / 4)
    }

    fn at(&self, local: Instant) -> Timestamp {
        let now_us = self.since_anchor_us(local) + self.offset_us.load(Ordering::Relaxed);
        let latest_us = self.latest_us.fetch_max(now_us, Ordering::Relaxed);
        if latest_us.saturating_sub(now_us) > STAND_STILL_MAX_US {
            self.latest_us.store(now_us, Ordering::Relaxed);
            return Timestamp::from_millis(now_us.div_euclid(1000));
        }
        Timestamp::from_millis(now_us.max(latest_us).div_euclid(1000))
    }
}

impl Clock for MongoClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "follows the server's clock by this process's intervals"
    )]
    fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }
}

/// Asks the server once and starts a clock from its answer.
pub(super) async fn start(database: &Database) -> mongodb::error::Result<Arc<MongoClock>> {
    Ok(Arc::new(MongoClock::new(ask(database).await?)))
}

/// Keeps the clock with the server's, until dropped. While the server cannot be asked, local time carries it.
pub(super) async fn follow(clock: Arc<MongoClock>, database: Database) {
    let mut ticks = tokio::time::interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match tokio::time::timeout(ASK_TIMEOUT, ask(&database)).await {
            Ok(Ok(sample)) => clock.observe(sample),
            Ok(Err(error)) => tracing::debug!(%error, "the server's clock cannot be asked"),
            Err(_) => tracing::debug!("the server's clock cannot be asked in time"),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "follows the server's clock by this process's intervals"
)]
async fn ask(database: &Database) -> mongodb::error::Result<Sample> {
    let sent = Instant::now();
    let reply = database.run_command(doc! { "hello": 1 }).await?;
    let received = Instant::now();
    let local_time = reply
        .get_datetime("localTime")
        .map_err(|_| mongodb::error::Error::custom("the answer to hello has no localTime".to_owned()))?;
    Ok(Sample {
        sent,
        received,
        server_ms: local_time.timestamp_millis(),
    })
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "follows the server's clock by this process's intervals"
)]
mod tests {
    use super::*;

    const SERVER_MS: i64 = 1_763_805_600_000;

    fn sample(anchor: Instant, sent_ms: u64, received_ms: u64, server_ms: i64) -> Sample {
        Sample {
            sent: anchor + Duration::from_millis(sent_ms),
            received: anchor + Duration::from_millis(received_ms),
            server_ms,
        }
    }

    fn ms_at(clock: &MongoClock, local_ms: u64) -> i64 {
        clock.at(clock.anchor + Duration::from_millis(local_ms)).as_millis()
    }

    #[test]
    fn starts_in_the_middle_of_the_round_trip_and_goes_on_locally() {
        let anchor = Instant::now();
        let clock = MongoClock::new(sample(anchor, 0, 20, SERVER_MS));
        assert_eq!(ms_at(&clock, 10), SERVER_MS);
        assert_eq!(ms_at(&clock, 1010), SERVER_MS + 1000);
    }

    #[test]
    fn a_slow_answer_that_agrees_changes_nothing() {
        let anchor = Instant::now();
        let clock = MongoClock::new(sample(anchor, 0, 2, SERVER_MS));
        let before = clock.offset_us.load(Ordering::Relaxed);
        clock.observe(sample(anchor, 1000, 1900, SERVER_MS + 1003));
        assert_eq!(clock.offset_us.load(Ordering::Relaxed), before);
    }

    #[test]
    fn follows_a_server_that_jumps_forward() {
        let anchor = Instant::now();
        let clock = MongoClock::new(sample(anchor, 0, 2, SERVER_MS));
        clock.observe(sample(anchor, 1000, 1002, SERVER_MS + 3_600_000));
        let ahead = ms_at(&clock, 1002) - SERVER_MS;
        assert!((3_599_998..=3_600_003).contains(&ahead), "{ahead}");
    }

    #[test]
    fn stands_still_for_a_small_step_back_and_follows_a_large_one() {
        let anchor = Instant::now();
        let clock = MongoClock::new(sample(anchor, 0, 2, SERVER_MS));
        let latest = ms_at(&clock, 1000);
        clock.observe(sample(anchor, 1000, 1002, SERVER_MS + 500));
        assert_eq!(ms_at(&clock, 1003), latest);
        assert!(ms_at(&clock, 1600) > latest);

        clock.observe(sample(anchor, 2000, 2002, SERVER_MS - 60_000));
        let back = ms_at(&clock, 2002) - SERVER_MS;
        assert!((-60_003..=-59_997).contains(&back), "{back}");
        assert!(ms_at(&clock, 2500) - SERVER_MS < -59_000);
    }
}
