//! Ids and jitter of a seed.

use dakghar_core::domain::{EventId, MessageId, TenantId};
use dakghar_core::ports::IdGenerator;
use dakghar_testkit::SequentialIds;
use parking_lot::Mutex;

use crate::world::random::Random;

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

    fn jitter(&self) -> f64 {
        self.random.lock().fraction()
    }

    fn secret_bytes(&self) -> [u8; 32] {
        self.ids.secret_bytes()
    }
}
