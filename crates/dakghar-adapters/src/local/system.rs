//! The machine's clock, timers and random source.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::Present;
use dakghar_core::domain::ids::{AttemptLogId, EndpointId, EventId, MessageId, RedriveId, ReplayId, TenantId};
use dakghar_core::domain::steady::SteadyTime;
use dakghar_core::ports::{Clock, IdGenerator, Sleeper};
use parking_lot::Mutex;
use uuid::{ContextV7, Uuid};

use crate::stored::uptime::uptime;

/// The machine's wall clock, without its steps.
#[derive(Debug)]
pub struct SystemClock(Mutex<SteadyTime>);

impl SystemClock {
    /// Starts with what the wall clock shows.
    pub fn start() -> Self {
        Self(Mutex::new(SteadyTime::starting(uptime(), shown())))
    }
}

impl Clock for SystemClock {
    fn present(&self) -> Present {
        let mut steady = self.0.lock();
        // Under the lock: a time read before somebody else's look would seem to be a step back.
        steady.look(uptime(), shown(), None)
    }

    fn uptime(&self) -> Duration {
        uptime()
    }
}

/// Returns what the wall clock shows, in nanoseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn shown() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

/// Waits by the timers of the runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct RuntimeSleeper;

#[async_trait]
impl Sleeper for RuntimeSleeper {
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// Time-ordered ids (`UUIDv7`) and randomness from the operating system.
pub struct RandomIds {
    clock: Arc<dyn Clock>,
    /// Keeps the ids of a millisecond in order.
    context: Mutex<ContextV7>,
}

impl RandomIds {
    /// Ids that are ordered as this clock shows.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            context: Mutex::new(ContextV7::new()),
        }
    }

    fn uuid(&self) -> Uuid {
        let context = self.context.lock();
        // Under the lock: the context takes a time before that of somebody else's id for a clock that ran back.
        let ms = u64::try_from(self.clock.now().as_millis()).unwrap_or_default();
        let nanos = u32::try_from(ms % 1000 * 1_000_000).unwrap_or_default();
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, ms / 1000, nanos))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the generator")]
impl IdGenerator for RandomIds {
    fn tenant_id(&self) -> TenantId {
        TenantId::from_uuid(self.uuid())
    }

    fn message_id(&self) -> MessageId {
        MessageId::from_uuid(self.uuid())
    }

    fn event_id(&self) -> EventId {
        EventId::from_uuid(self.uuid())
    }

    fn endpoint_id(&self) -> EndpointId {
        EndpointId::from_uuid(self.uuid())
    }

    fn redrive_id(&self) -> RedriveId {
        RedriveId::from_uuid(self.uuid())
    }

    fn replay_id(&self) -> ReplayId {
        ReplayId::from_uuid(self.uuid())
    }

    fn attempt_log_id(&self) -> AttemptLogId {
        AttemptLogId::from_uuid(self.uuid())
    }

    fn jitter(&self) -> f64 {
        rand::random()
    }

    fn secret_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system provides randomness");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_order_in_which_they_were_made() {
        let ids = RandomIds::new(Arc::new(SystemClock::start()));
        let made: Vec<MessageId> = (0..10_000).map(|_| ids.message_id()).collect();
        assert!(made.is_sorted_by(|one, next| one < next));
    }
}
