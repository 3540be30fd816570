//! The clock of a process, which somebody may set to anything; waits by the time of the world; ids and jitter of a seed.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::steady::SteadyTime;
use dakghar_core::domain::{AttemptLogId, EndpointId, EventId, MessageId, Present, RedriveId, ReplayId, TenantId};
use dakghar_core::ports::{Clock, IdGenerator, Sleeper};
use dakghar_testkit::SequentialIds;
use parking_lot::Mutex;

use super::{Near, Shared};
use crate::world::executor::Life;
use crate::world::random::Random;

/// By how many milliseconds the wall clocks of processes are wrong.
#[derive(Default)]
pub struct Walls(Mutex<BTreeMap<Life, i64>>);

impl Walls {
    /// From now on the wall clock of this life is wrong by so much.
    pub fn set(&self, life: Life, wrong_by_ms: i64) {
        self.0.lock().insert(life, wrong_by_ms);
    }
}

/// The clock of one life of a process: the wall without its steps, as in the product.
pub struct NearClock {
    shared: Shared,
    life: Life,
    steady: Mutex<SteadyTime>,
}

impl NearClock {
    pub fn new(shared: &Shared, life: Life) -> Self {
        let clock = Self {
            shared: shared.clone(),
            life,
            steady: Mutex::new(SteadyTime::starting(Duration::ZERO, 0)),
        };
        *clock.steady.lock() = SteadyTime::starting(clock.uptime(), clock.shown());
        clock
    }

    fn shown(&self) -> i64 {
        let walls = self.shared.walls.0.lock();
        let wrong_by = walls.get(&self.life).copied().unwrap_or(0);
        (self.shared.clock.now().as_millis() + wrong_by) * 1_000_000
    }
}

impl Clock for NearClock {
    fn present(&self) -> Present {
        self.steady.lock().look(self.uptime(), self.shown(), None)
    }

    fn uptime(&self) -> Duration {
        self.shared.clock.uptime()
    }
}

#[async_trait]
impl Sleeper for Near {
    async fn sleep(&self, time: Duration) {
        self.shared.wire.executor.sleep(time).await;
    }
}

/// Ids in ascending order, shared by all processes, and jitter by a seed.
pub struct SeededIds {
    ids: SequentialIds,
    random: Mutex<Random>,
}

impl SeededIds {
    pub fn new(random: Random) -> Self {
        Self {
            ids: SequentialIds::new(),
            random: Mutex::new(random),
        }
    }
}

impl IdGenerator for SeededIds {
    fn tenant_id(&self) -> TenantId {
        self.ids.tenant_id()
    }

    fn message_id(&self) -> MessageId {
        self.ids.message_id()
    }

    fn event_id(&self) -> EventId {
        self.ids.event_id()
    }

    fn endpoint_id(&self) -> EndpointId {
        self.ids.endpoint_id()
    }

    fn redrive_id(&self) -> RedriveId {
        self.ids.redrive_id()
    }

    fn replay_id(&self) -> ReplayId {
        self.ids.replay_id()
    }

    fn attempt_log_id(&self) -> AttemptLogId {
        self.ids.attempt_log_id()
    }

    fn jitter(&self) -> f64 {
        self.random.lock().fraction()
    }

    fn secret_bytes(&self) -> [u8; 32] {
        self.ids.secret_bytes()
    }
}
