//! What a filter looks at in a dead letter.

use super::super::ids::{MessageKey, PhoneNumberId};
use super::super::time::{Present, Timestamp};
use super::Message;
use super::delivery::DeadReason;
use super::status::Status;

/// Why a message is a dead letter, as far as it decides how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterClass {
    /// Meta refused it for good, or reported that it failed.
    Failed,
    /// Its time was over before a call.
    Expired,
    /// It may have been delivered, and nobody knows.
    Unknown,
    /// Dakghar gave it up: every attempt was refused, it crashed the worker, or its number is gone.
    GivenUp,
}

impl LetterClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Failed, Self::Expired, Self::Unknown, Self::GivenUp];

    /// Returns the class of a message with this status and reason; `None` if it is no dead letter.
    pub const fn of(status: Status, reason: Option<DeadReason>) -> Option<Self> {
        match (status, reason) {
            (Status::Failed, _) => Some(Self::Failed),
            (Status::Expired, _) => Some(Self::Expired),
            (Status::Dead, Some(DeadReason::OutcomeUnknown)) => Some(Self::Unknown),
            (Status::Dead, _) => Some(Self::GivenUp),
            _ => None,
        }
    }

    /// Returns the status of its messages.
    pub const fn status(self) -> Status {
        match self {
            Self::Failed => Status::Failed,
            Self::Expired => Status::Expired,
            Self::Unknown | Self::GivenUp => Status::Dead,
        }
    }

    /// The name used in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::GivenUp => "given_up",
        }
    }
}

/// A dead letter without its content: what a filter looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message and its owner.
    pub key: MessageKey,
    /// Its number.
    pub phone_number_id: PhoneNumberId,
    /// `dead`, `failed` or `expired`.
    pub status: Status,
    /// Why it is `dead`.
    pub reason: Option<DeadReason>,
    /// Meta's code of its latest refusal or failure.
    pub code: Option<i64>,
    /// The calls to Meta that were authorised for it.
    pub attempt: u32,
    /// True once a call had an unknown outcome.
    pub maybe_sent: bool,
    /// The date up to which it may be sent.
    pub expires_at: Option<Timestamp>,
    /// The time it ended, which is that of its last change.
    pub ended_at: Timestamp,
}

impl DeadLetter {
    /// Returns the message without its content; `None` if it is no dead letter.
    pub fn of(message: &Message) -> Option<Self> {
        let delivery = &message.delivery;
        delivery.status.is_dead_letter().then(|| Self {
            key: message.key(),
            phone_number_id: message.accepted.phone_number_id.clone(),
            status: delivery.status,
            reason: delivery.dead_reason,
            code: delivery.error.as_ref().and_then(|error| error.code),
            attempt: delivery.attempt,
            maybe_sent: delivery.maybe_sent,
            expires_at: delivery.expires_at,
            ended_at: delivery.updated_at,
        })
    }

    /// True if the time in which it may be sent is over: that it ended as `expired`, or that its date has come since.
    pub fn has_expired(&self, present: Present) -> bool {
        self.status == Status::Expired || self.expires_at.is_some_and(|at| present.has_reached(at))
    }

    /// True if a call may have delivered it. A failure that Meta reports concerns that call only, not one before it.
    pub fn may_have_arrived(&self) -> bool {
        self.reason == Some(DeadReason::OutcomeUnknown)
            || (self.maybe_sent && !(self.status == Status::Failed && self.attempt == 1))
    }
}
