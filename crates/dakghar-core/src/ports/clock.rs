//! Time and ids. Behind traits, so that tests can control both.

use crate::domain::ids::{EventId, MessageId, TenantId};
use crate::domain::time::Timestamp;

/// The time by which leases, slots and timers are judged. On a shared store it follows the store's clock.
pub trait Clock: Send + Sync {
    /// Returns the present time.
    fn now(&self) -> Timestamp;
}

/// The source of new ids and of randomness.
pub trait IdGenerator: Send + Sync {
    /// Makes a tenant id.
    fn tenant_id(&self) -> TenantId;
    /// Makes a message id, greater than those before it as far as the clock allows.
    fn message_id(&self) -> MessageId;
    /// Makes an event id.
    fn event_id(&self) -> EventId;
    /// Returns a number from 0 up to, but not including, 1: for jitter.
    fn jitter(&self) -> f64;
    /// Returns random bytes for keys.
    fn secret_bytes(&self) -> [u8; 32];
}
