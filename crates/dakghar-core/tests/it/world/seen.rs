//! A stored message as the tests look at it. The only place that knows the fields of a message.

use std::sync::Arc;

use dakghar_core::domain::message::{DeadReason, Priority, TimelineEntry, UnknownOutcome};
use dakghar_core::domain::{
    ConversationId, Direction, HoldReason, Message, MessageKey, PhoneNumberId, Status, Timestamp, Wamid,
};

/// A message as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen(pub Message);

impl Seen {
    pub fn key(&self) -> MessageKey {
        self.0.key()
    }

    pub fn number(&self) -> &PhoneNumberId {
        &self.0.accepted.phone_number_id
    }

    /// True if it was never ours to send.
    pub fn is_reported(&self) -> bool {
        self.0.is_reported()
    }

    pub fn is_outbound(&self) -> bool {
        self.0.accepted.direction == Direction::Outbound
    }

    pub fn body(&self) -> &str {
        &self.0.accepted.content.body
    }

    pub fn idempotency_key(&self) -> Option<&str> {
        self.0
            .accepted
            .idempotency
            .as_ref()
            .map(|idempotency| idempotency.key.as_str())
    }

    pub fn priority(&self) -> Priority {
        self.0.accepted.priority
    }

    pub fn policy(&self) -> UnknownOutcome {
        self.0.accepted.unknown_outcome
    }

    pub fn attempts_max(&self) -> u32 {
        self.0.accepted.attempts_max
    }

    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.delivery.expires_at
    }

    pub fn status(&self) -> Status {
        self.0.delivery.status
    }

    pub fn epoch(&self) -> u64 {
        self.0.delivery.epoch
    }

    pub fn attempt(&self) -> u32 {
        self.0.delivery.attempt
    }

    pub fn attempts_refunded(&self) -> u32 {
        self.0.delivery.attempts_refunded
    }

    pub fn attempts_counted(&self) -> u32 {
        self.0.delivery.attempts_counted()
    }

    pub fn strikes(&self) -> u32 {
        self.0.delivery.strikes
    }

    /// Who may be calling Meta for it, and until when.
    pub fn lease(&self) -> Option<(&Arc<str>, Timestamp)> {
        self.0.delivery.lease.as_ref().map(|lease| (&lease.owner, lease.until))
    }

    pub fn called_at(&self) -> Option<Timestamp> {
        self.0.delivery.called_at
    }

    pub fn maybe_sent(&self) -> bool {
        self.0.delivery.maybe_sent
    }

    pub fn grace_until(&self) -> Option<Timestamp> {
        self.0.delivery.grace_until
    }

    pub fn slot_at(&self) -> Option<Timestamp> {
        self.0.delivery.slot_at
    }

    pub fn drive(&self) -> u32 {
        self.0.delivery.drive
    }

    pub fn wake_at(&self) -> Option<Timestamp> {
        self.0.delivery.wake_at
    }

    pub fn dead_reason(&self) -> Option<DeadReason> {
        self.0.delivery.dead_reason
    }

    pub fn hold_reason(&self) -> Option<HoldReason> {
        self.0.delivery.hold_reason
    }

    pub fn conversation(&self) -> Option<ConversationId> {
        self.0.delivery.conversation_id
    }

    pub fn wamid(&self) -> Option<&Wamid> {
        self.0.delivery.wamid.as_ref()
    }

    pub fn wamids(&self) -> &[Wamid] {
        &self.0.delivery.wamids
    }

    pub fn status_seen_at(&self) -> Option<Timestamp> {
        self.0.delivery.status_seen_at
    }

    pub fn timeline(&self) -> &[TimelineEntry] {
        &self.0.delivery.timeline
    }

    pub fn version(&self) -> u64 {
        self.0.delivery.version
    }

    /// The code of the latest refusal.
    pub fn error_code(&self) -> Option<i64> {
        self.0.delivery.error.as_ref().and_then(|error| error.code)
    }
}
