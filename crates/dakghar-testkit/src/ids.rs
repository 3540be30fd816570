//! Ids that are the same in every run of a test.

use std::sync::atomic::{AtomicU64, Ordering};

use dakghar_core::domain::{AttemptLogId, EndpointId, EventId, MessageId, RedriveId, ReplayId, TenantId};
use dakghar_core::ports::IdGenerator;
use uuid::{Builder, Uuid};

use crate::clock::START;

/// Gives ids in ascending order, of all kinds from one count; no randomness.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl SequentialIds {
    /// Starts after zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// The `count`-th id: a `UUIDv7` whose time is `count` milliseconds after [`START`].
pub(crate) fn uuid_of(count: u64) -> Uuid {
    let start_ms = u64::try_from(START.as_millis()).expect("after 1970");
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&count.to_be_bytes());
    Builder::from_unix_timestamp_millis(start_ms + count, &bytes).into_uuid()
}

impl IdGenerator for SequentialIds {
    fn tenant_id(&self) -> TenantId {
        TenantId::from_uuid(uuid_of(self.count()))
    }

    fn message_id(&self) -> MessageId {
        MessageId::from_uuid(uuid_of(self.count()))
    }

    fn event_id(&self) -> EventId {
        EventId::from_uuid(uuid_of(self.count()))
    }

    fn endpoint_id(&self) -> EndpointId {
        EndpointId::from_uuid(uuid_of(self.count()))
    }

    fn redrive_id(&self) -> RedriveId {
        RedriveId::from_uuid(uuid_of(self.count()))
    }

    fn replay_id(&self) -> ReplayId {
        ReplayId::from_uuid(uuid_of(self.count()))
    }

    fn attempt_log_id(&self) -> AttemptLogId {
        AttemptLogId::from_uuid(uuid_of(self.count()))
    }

    fn jitter(&self) -> f64 {
        0.5
    }

    fn secret_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&self.count().to_be_bytes());
        bytes
    }
}
