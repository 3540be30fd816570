//! The machine's clock and random source.

use dakghar_core::domain::ids::{EventId, MessageId, TenantId};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{Clock, IdGenerator};
use uuid::Uuid;

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
    }
}

/// Time-ordered ids (`UUIDv7`) and randomness from the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

#[expect(clippy::disallowed_methods, reason = "this is the generator")]
impl IdGenerator for RandomIds {
    fn tenant_id(&self) -> TenantId {
        TenantId::from_uuid(Uuid::now_v7())
    }

    fn message_id(&self) -> MessageId {
        MessageId::from_uuid(Uuid::now_v7())
    }

    fn event_id(&self) -> EventId {
        EventId::from_uuid(Uuid::now_v7())
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
