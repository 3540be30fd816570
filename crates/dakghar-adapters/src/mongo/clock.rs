//! The server's clock, followed from here.
//!
//! Leases, slots and timers are judged by the time of the store, so that processes with wrong clocks agree. Asking
//! the server each time would cost a round trip; instead its time is asked once a second, and between two answers
//! time passes as this machine counts since its boot. Steps of the server's clock are not followed blindly: see
//! [`SteadyTime`], which takes this machine's own clock for a witness.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bson::doc;
use dakghar_core::domain::Present;
use dakghar_core::domain::steady::SteadyTime;
use dakghar_core::ports::Clock;
use mongodb::Database;
use parking_lot::Mutex;
use tokio::time::MissedTickBehavior;

use crate::stored::uptime::uptime;

/// The time between two questions to the server.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The time that an answer may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// The clock of a MongoDB server. Reading it is cheap and never waits.
#[derive(Debug)]
pub struct MongoClock {
    /// The server's microseconds since the epoch, minus this machine's since its boot.
    offset_us: AtomicI64,
    steady: Mutex<SteadyTime>,
}

/// The server's time, and the moments of this machine between which it was read.
#[derive(Clone, Copy, Debug)]
struct Sample {
    sent: Duration,
    received: Duration,
    server_ms: i64,
}

impl Sample {
    /// Between which offsets the true one lies: the server read its clock at some moment of the round trip, and cut
    /// off what was less than a millisecond.
    fn offset_bounds_us(self) -> (i64, i64) {
        let server_us = self.server_ms.saturating_mul(1000);
        (server_us - us(self.received), server_us + 1000 - us(self.sent))
    }
}

impl MongoClock {
    fn new(sample: Sample) -> Self {
        let (low, high) = sample.offset_bounds_us();
        let offset_us = low.midpoint(high);
        Self {
            offset_us: AtomicI64::new(offset_us),
            steady: Mutex::new(SteadyTime::starting(sample.received, shown(offset_us, sample.received))),
        }
    }

    /// Moves the offset only as far as the sample proves it wrong. A slow answer proves little and so cannot make
    /// the clock jitter.
    fn observe(&self, sample: Sample) {
        let (low, high) = sample.offset_bounds_us();
        let offset = self.offset_us.load(Ordering::Relaxed);
        self.offset_us.store(offset.clamp(low, high), Ordering::Relaxed);
    }

    /// The present at a moment of this machine, whose own clock shows these nanoseconds.
    fn at(&self, moment: impl FnOnce() -> (Duration, i64)) -> Present {
        let mut steady = self.steady.lock();
        // Under the lock: a moment before somebody else's look would seem to be a step back.
        let (uptime, own) = moment();
        let shown = shown(self.offset_us.load(Ordering::Relaxed), uptime);
        steady.look(uptime, shown, Some(own))
    }
}

impl Clock for MongoClock {
    fn present(&self) -> Present {
        self.at(|| (uptime(), own()))
    }

    fn uptime(&self) -> Duration {
        uptime()
    }
}

fn us(uptime: Duration) -> i64 {
    i64::try_from(uptime.as_micros()).unwrap_or(i64::MAX / 4)
}

/// Returns what the server's clock shows, in nanoseconds since the epoch.
fn shown(offset_us: i64, uptime: Duration) -> i64 {
    offset_us.saturating_add(us(uptime)).saturating_mul(1000)
}

/// Returns what this machine's own clock shows, in nanoseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "a witness for steps of the server's clock")]
fn own() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
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

async fn ask(database: &Database) -> mongodb::error::Result<Sample> {
    let sent = uptime();
    let reply = database.run_command(doc! { "hello": 1 }).await?;
    let received = uptime();
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
mod tests {
    use super::*;

    const SERVER_MS: i64 = 1_763_805_600_000;
    const HOUR_MS: i64 = 3_600_000;

    fn sample(sent_ms: u64, received_ms: u64, server_ms: i64) -> Sample {
        Sample {
            sent: Duration::from_millis(sent_ms),
            received: Duration::from_millis(received_ms),
            server_ms,
        }
    }

    /// The clock's time since the start of the server's time, while this machine's clock shows `own_ms` since then.
    fn shows(clock: &MongoClock, uptime_ms: u64, own_ms: i64) -> i64 {
        let own = (SERVER_MS + own_ms) * 1_000_000;
        let present = clock.at(|| (Duration::from_millis(uptime_ms), own));
        present.now.as_millis() - SERVER_MS
    }

    #[test]
    fn starts_in_the_middle_of_the_round_trip_and_goes_on_locally() {
        let clock = MongoClock::new(sample(0, 20, SERVER_MS));
        assert_eq!(shows(&clock, 20, 0), 10);
        assert_eq!(shows(&clock, 1010, 0), 1000);
    }

    #[test]
    fn a_slow_answer_that_agrees_changes_nothing() {
        let clock = MongoClock::new(sample(0, 2, SERVER_MS));
        let before = clock.offset_us.load(Ordering::Relaxed);
        clock.observe(sample(1000, 1900, SERVER_MS + 1003));
        assert_eq!(clock.offset_us.load(Ordering::Relaxed), before);
    }

    #[test]
    fn a_server_that_jumps_forward_is_believed_after_a_minute() {
        let clock = MongoClock::new(sample(0, 2, SERVER_MS));
        clock.observe(sample(1000, 1002, SERVER_MS + HOUR_MS));
        assert!((1000..=1003).contains(&shows(&clock, 1002, 1000)));
        assert!((60_900..=61_003).contains(&shows(&clock, 61_000, 61_000)));
        let after = shows(&clock, 61_003, 61_003) - HOUR_MS;
        assert!((59_995..=60_010).contains(&after), "{after}");
    }

    #[test]
    fn a_server_that_jumps_forward_is_believed_at_once_if_this_machine_agrees() {
        let clock = MongoClock::new(sample(0, 2, SERVER_MS));
        clock.observe(sample(1000, 1002, SERVER_MS + HOUR_MS));
        let after = shows(&clock, 1002, HOUR_MS + 500) - HOUR_MS;
        assert!((-2..=3).contains(&after), "{after}");
    }

    #[test]
    fn a_server_that_jumps_back_is_waited_for_at_half_speed() {
        let clock = MongoClock::new(sample(0, 2, SERVER_MS));
        let latest = shows(&clock, 1000, 0);
        clock.observe(sample(1000, 1002, SERVER_MS - HOUR_MS));
        let later = shows(&clock, 3000, 0) - latest;
        assert!((998..=1002).contains(&later), "{later}");
    }
}
