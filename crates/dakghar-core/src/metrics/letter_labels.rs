//! The label of dead letters.

use super::instruments::Label;
use super::labels::label;
use crate::domain::message::{DeadReason, Delivery, Status};

label! {
    /// The reason that a message became a dead letter.
    DeadLetter "reason" {
        /// Every attempt was refused in a way that allowed another.
        AttemptsExhausted = DeadReason::AttemptsExhausted.as_str(),
        /// A call may have delivered it, and the outcome cannot be known.
        OutcomeUnknown = DeadReason::OutcomeUnknown.as_str(),
        /// Preparing it crashed the worker again and again.
        Poison = DeadReason::Poison.as_str(),
        /// Its number does not belong to the tenant any more.
        NumberRemoved = DeadReason::NumberRemoved.as_str(),
        /// The person opted out of such messages before it was sent.
        OptedOut = DeadReason::OptedOut.as_str(),
        /// The customer service window that it asked for was closed before it was sent.
        WindowClosed = DeadReason::WindowClosed.as_str(),
        /// Meta refused it for good, or reported that it failed.
        Failed = Status::Failed.as_str(),
        /// It expired before a call.
        Expired = Status::Expired.as_str(),
    }
}

impl DeadLetter {
    /// Returns why a message is a dead letter; `None` if it is none.
    pub fn of(delivery: &Delivery) -> Option<Self> {
        match (delivery.status, delivery.dead_reason) {
            (Status::Failed, _) => Some(Self::Failed),
            (Status::Expired, _) => Some(Self::Expired),
            (Status::Dead, Some(reason)) => Some(match reason {
                DeadReason::AttemptsExhausted => Self::AttemptsExhausted,
                DeadReason::OutcomeUnknown => Self::OutcomeUnknown,
                DeadReason::Poison => Self::Poison,
                DeadReason::NumberRemoved => Self::NumberRemoved,
                DeadReason::OptedOut => Self::OptedOut,
                DeadReason::WindowClosed => Self::WindowClosed,
            }),
            _ => None,
        }
    }
}
