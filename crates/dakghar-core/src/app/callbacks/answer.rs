//! The answer of a receiver.

use std::time::Duration;

use crate::domain::callback::{CallEnd, CallbackFailure};
use crate::ports::receivers::{CallbackAnswer, CallbackOutcome};

/// How the receiver answered.
pub(super) struct Answer {
    pub(super) end: CallEnd,
    pub(super) took: Duration,
    pub(super) retry_after: Option<Duration>,
    pub(super) failure_body: Option<String>,
}

impl Answer {
    /// No call was made: it may not go where it was to go.
    pub(super) const BLOCKED: Self = Self {
        end: CallEnd::Failed(CallbackFailure::Blocked),
        took: Duration::ZERO,
        retry_after: None,
        failure_body: None,
    };
}

impl From<CallbackAnswer> for Answer {
    fn from(answer: CallbackAnswer) -> Self {
        let took = answer.took;
        match answer.outcome {
            CallbackOutcome::Answered {
                status,
                retry_after,
                failure_body,
            } => Self {
                end: CallEnd::Answered(status),
                took,
                retry_after,
                failure_body,
            },
            CallbackOutcome::Failed(failure) => Self {
                end: CallEnd::Failed(failure),
                took,
                retry_after: None,
                failure_body: None,
            },
        }
    }
}
