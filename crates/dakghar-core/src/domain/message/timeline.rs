//! What happened to a message, told so that a person understands it.

use std::sync::Arc;

use super::super::send_error::SendError;
use super::super::time::Timestamp;

/// One thing that happened to a message.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineEntry {
    /// When, by the store's clock.
    pub at: Timestamp,
    /// What.
    pub event: TimelineEvent,
    /// The number of the call it is about.
    pub attempt: Option<u32>,
    /// How the call ended, the reason of a wait, a hold or an end, or the status that Meta reported.
    pub detail: Option<Arc<str>>,
    /// Until when it waits; for a status, when Meta says that it happened.
    pub until: Option<Timestamp>,
    /// What Meta said against it.
    pub error: Option<SendError>,
}

/// The kinds of things that happen to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimelineEvent {
    /// Durable; the client was or will be answered.
    Accepted,
    /// An inbound message was stored.
    Received,
    /// It may not go out yet; the detail says why.
    Waiting,
    /// A call to Meta ended; the detail says how.
    Attempt,
    /// Sending is stopped for its tenant or number.
    Held,
    /// Sending goes on.
    Resumed,
    /// A call's outcome is unknown; the detail says why.
    InDoubt,
    /// Meta reported a status; the detail names it.
    Status,
    /// The client cancelled it.
    Cancelled,
    /// Its time ran out.
    Expired,
    /// Given up; the detail says why.
    Dead,
    /// Somebody sent it again from the dead letters.
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
    /// An entry with nothing but its kind.
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

    /// Adds the time it waits for, or at which Meta says it happened.
    #[must_use]
    pub const fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Adds what was said against it.
    #[must_use]
    pub fn error(mut self, error: Option<SendError>) -> Self {
        self.error = error;
        self
    }
}
