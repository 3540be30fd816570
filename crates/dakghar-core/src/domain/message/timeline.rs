//! The history of a message, in a form that a person understands.

use std::sync::Arc;

use super::super::send_error::SendError;
use super::super::time::Timestamp;

/// The detail of a wait that Meta asked for.
pub(super) const SLOW_DOWN: &str = "slow_down";

/// One thing that happened to a message.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineEntry {
    /// The time, by the store's clock.
    pub at: Timestamp,
    /// The kind of event.
    pub event: TimelineEvent,
    /// The number of the call it is about.
    pub attempt: Option<u32>,
    /// The end of the call, the reason of a wait, a hold or an end, or the status that Meta reported.
    pub detail: Option<Arc<str>>,
    /// The end of the wait: for the acceptance, the date before which the client does not want it sent. For a status,
    /// the time Meta says that it happened.
    pub until: Option<Timestamp>,
    /// The error from Meta.
    pub error: Option<SendError>,
}

/// The kinds of things that happen to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimelineEvent {
    /// It is durable; the client was or will be answered.
    Accepted,
    /// An inbound message was stored.
    Received,
    /// It may not go out yet; the detail gives the reason.
    Waiting,
    /// A call to Meta ended; the detail gives the outcome.
    Attempt,
    /// Sending is stopped for its tenant or number.
    Held,
    /// Sending goes on.
    Resumed,
    /// A call's outcome is unknown; the detail gives the reason.
    InDoubt,
    /// Meta reported a status; the detail names it.
    Status,
    /// The client cancelled it.
    Cancelled,
    /// It expired.
    Expired,
    /// Given up; the detail gives the reason.
    Dead,
    /// A person sent it again from the dead letters.
    Redriven,
}

impl TimelineEvent {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Accepted,
        Self::Received,
        Self::Waiting,
        Self::Attempt,
        Self::Held,
        Self::Resumed,
        Self::InDoubt,
        Self::Status,
        Self::Cancelled,
        Self::Expired,
        Self::Dead,
        Self::Redriven,
    ];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Received => "received",
            Self::Waiting => "waiting",
            Self::Attempt => "attempt",
            Self::Held => "held",
            Self::Resumed => "resumed",
            Self::InDoubt => "in_doubt",
            Self::Status => "status",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Dead => "dead",
            Self::Redriven => "redriven",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == text)
    }
}

impl TimelineEntry {
    /// Makes an entry with only its kind.
    pub const fn new(at: Timestamp, event: TimelineEvent) -> Self {
        Self {
            at,
            event,
            attempt: None,
            detail: None,
            until: None,
            error: None,
        }
    }

    /// True if it is a wait for this reason.
    pub(super) fn is_wait_for(&self, reason: &str) -> bool {
        self.event == TimelineEvent::Waiting && self.detail.as_deref() == Some(reason)
    }

    /// Adds the detail.
    #[must_use]
    pub fn detail(mut self, detail: &str) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds the number of the call.
    #[must_use]
    pub const fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// Adds the time it waits for, or the time Meta says it happened.
    #[must_use]
    pub const fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Adds the error.
    #[must_use]
    pub fn error(mut self, error: Option<SendError>) -> Self {
        self.error = error;
        self
    }
}
