//! Time, waiting and ids. Behind traits, so that tests can control them.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::ids::{
    ApiKeyId, AttemptLogId, AuditId, DepartureId, EndpointId, ErasureId, EventId, MessageId, RedriveId, ReplayId,
    SignupId, TenantId,
};
use crate::domain::time::{Present, Timestamp};

/// The time. On a shared store it follows the store's clock.
pub trait Clock: Send + Sync {
    /// Returns the present: the time that never runs back, and the date.
    fn present(&self) -> Present;

    /// Returns the time by which slots and timers are judged. It never runs back.
    fn now(&self) -> Timestamp {
        self.present().now
    }

    /// Returns the date, for what people and Meta name.
    fn wall(&self) -> Timestamp {
        self.present().wall
    }

    /// Returns the time since this machine was started, in suspend or not. It never steps, so lengths of time inside of
    /// this process are measured by it. Those of two machines cannot be compared.
    fn uptime(&self) -> Duration;
}

/// Waiting, for use cases that try again after a moment.
#[async_trait]
pub trait Sleeper: Send + Sync {
    /// Waits for so long. Dropping the future ends the wait.
    async fn sleep(&self, time: Duration);
}

/// The source of new ids and of randomness.
pub trait IdGenerator: Send + Sync {
    /// Makes a tenant id.
    fn tenant_id(&self) -> TenantId;
    /// Makes a message id, greater than those before it as far as the clock allows.
    fn message_id(&self) -> MessageId;
    /// Makes an event id.
    fn event_id(&self) -> EventId;
    /// Makes an endpoint id, greater than those before it as far as the clock allows.
    fn endpoint_id(&self) -> EndpointId;
    /// Makes a redrive id, greater than those before it as far as the clock allows.
    fn redrive_id(&self) -> RedriveId;
    /// Makes an id of a replay, greater than those before it as far as the clock allows.
    fn replay_id(&self) -> ReplayId;
    /// Makes an id of a log of attempts, greater than those before it as far as the clock allows.
    fn attempt_log_id(&self) -> AttemptLogId;
    /// Makes an id of an erasure. Ids of all kinds come from one source.
    fn erasure_id(&self) -> ErasureId {
        ErasureId::from_uuid(*self.event_id().as_uuid())
    }
    /// Makes an id of a signup. Ids of all kinds come from one source.
    fn signup_id(&self) -> SignupId {
        SignupId::from_uuid(*self.event_id().as_uuid())
    }
    /// Makes an id of a departure. Ids of all kinds come from one source.
    fn departure_id(&self) -> DepartureId {
        DepartureId::from_uuid(*self.event_id().as_uuid())
    }
    /// Makes an id of a record of the audit log. Ids of all kinds come from one source.
    fn audit_id(&self) -> AuditId {
        AuditId::from_uuid(*self.event_id().as_uuid())
    }
    /// Makes an id of an API key. Ids of all kinds come from one source.
    fn api_key_id(&self) -> ApiKeyId {
        ApiKeyId::from_uuid(*self.event_id().as_uuid())
    }
    /// Returns a number from 0 up to, but not including, 1: for jitter.
    fn jitter(&self) -> f64;
    /// Returns random bytes for keys.
    fn secret_bytes(&self) -> [u8; 32];
}
