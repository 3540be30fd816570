//! A stored message as the tests look at it. The only place that knows the fields of a message.

use std::sync::Arc;

use dakghar_core::domain::message::{DeadReason, Priority, TimelineEntry, UnknownOutcome};
use dakghar_core::domain::{Direction, Message, MessageKey, PhoneNumberId, Status, Timestamp, Wamid};

/// A message as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen(pub Message);

impl Seen {
    pub fn key(&self) -> MessageKey {
        self.0.key()
    }

    pub fn number(&self) -> &PhoneNumberId {
        &self.0.phone_number_id
    }

    pub fn is_outbound(&self) -> bool {
        self.0.direction == Direction::Outbound
    }

    pub fn body(&self) -> &str {
        &self.0.content.body
    }

    pub fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency.as_ref().map(|idempotency| idempotency.key.as_str())
    }

    pub fn priority(&self) -> Priority {
        self.0.priority
    }

    pub fn policy(&self) -> UnknownOutcome {
        self.0.unknown_outcome
    }

    pub fn attempts_max(&self) -> u32 {
        self.0.attempts_max
    }

    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at
    }

    pub fn status(&self) -> Status {
        self.0.status
    }

    pub fn epoch(&self) -> u64 {
        self.0.epoch
    }

    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    pub fn attempts_refunded(&self) -> u32 {
        self.0.attempts_refunded
    }

    pub fn attempts_counted(&self) -> u32 {
        self.0.attempts_counted()
    }

    pub fn strikes(&self) -> u32 {
        self.0.strikes
    }

    /// Who may be calling Meta for it, and until when.
    pub fn lease(&self) -> Option<(&Arc<str>, Timestamp)> {
        self.0.lease.as_ref().map(|lease| (&lease.owner, lease.until))
    }

    pub fn called_at(&self) -> Option<Timestamp> {
        self.0.called_at
    }

    pub fn maybe_sent(&self) -> bool {
        self.0.maybe_sent
    }

    pub fn grace_until(&self) -> Option<Timestamp> {
        self.0.grace_until
    }

    pub fn slot_at(&self) -> Option<Timestamp> {
        self.0.slot_at
    }

    pub fn drive(&self) -> u32 {
        self.0.drive
    }

    pub fn wake_at(&self) -> Option<Timestamp> {
        self.0.wake_at
    }

    pub fn dead_reason(&self) -> Option<DeadReason> {
        self.0.dead_reason
    }

    pub fn wamid(&self) -> Option<&Wamid> {
        self.0.wamid.as_ref()
    }

    pub fn wamids(&self) -> &[Wamid] {
        &self.0.wamids
    }

    pub fn status_seen_at(&self) -> Option<Timestamp> {
        self.0.status_seen_at
    }

    pub fn timeline(&self) -> &[TimelineEntry] {
        &self.0.timeline
    }

    pub fn version(&self) -> u64 {
        self.0.version
    }
}
