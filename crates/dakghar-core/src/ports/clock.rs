//! Time and ids, so that tests can hold both still.

use crate::domain::ids::{EventId, MessageId, TenantId};
use crate::domain::time::Timestamp;

/// The time by which leases, slots and timers are judged. On a shared store it follows the store's clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Where new ids and randomness come from.
pub trait IdGenerator: Send + Sync {
    /// A new tenant id.
    fn tenant_id(&self) -> TenantId;
    /// A new message id, greater than those before it as far as the clock allows.
    fn message_id(&self) -> MessageId;
    /// A new event id.
    fn event_id(&self) -> EventId;
    /// A number from 0 up to, but not including, 1: for jitter.
    fn jitter(&self) -> f64;
    /// Random bytes for keys.
    fn secret_bytes(&self) -> [u8; 32];
}
