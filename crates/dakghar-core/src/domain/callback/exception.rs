//! Entries that an endpoint has not taken.

use std::time::Duration;

use super::end::CallEnd;
use crate::domain::feed::{ENTRY_BYTES, Place, PlacedEntry};
use crate::domain::ids::{ConversationId, EndpointId};
use crate::domain::page::Paged;
use crate::domain::time::Timestamp;

/// An entry that an endpoint has not taken, or may not be given yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackException {
    /// The id under which it is kept: [`Endpoint::kept_under`](crate::domain::Endpoint::kept_under).
    pub endpoint_id: EndpointId,
    /// The entry.
    pub placed: PlacedEntry,
    /// Its conversation, where the endpoint wants those in order.
    pub conversation_id: Option<ConversationId>,
    /// What becomes of it.
    pub state: ExceptionState,
    /// Attempts so far; 0 if an earlier one of its conversation is in its way.
    pub attempts: u32,
    /// The time from which [`TRIED_FOR`](super::TRIED_FOR) counts.
    pub since: Timestamp,
    /// The last attempt.
    pub last: Option<LastAttempt>,
    /// True if a replay wants it to be delivered.
    pub is_replay: bool,
}

/// What becomes of an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionState {
    /// It is tried again at this time.
    Retrying(Timestamp),
    /// It waits for an earlier one of its conversation.
    Behind,
    /// It is not tried again by itself.
    Dead,
}

impl ExceptionState {
    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retrying(_) => "retrying",
            Self::Behind => "behind",
            Self::Dead => "dead",
        }
    }

    /// When it is tried again.
    pub const fn next_at(self) -> Option<Timestamp> {
        match self {
            Self::Retrying(at) => Some(at),
            Self::Behind | Self::Dead => None,
        }
    }

    /// Reads what [`ExceptionState::as_str`] and [`ExceptionState::next_at`] tell.
    pub fn parse(name: &str, next_at: Option<Timestamp>) -> Option<Self> {
        match (name, next_at) {
            ("retrying", Some(at)) => Some(Self::Retrying(at)),
            ("behind", None) => Some(Self::Behind),
            ("dead", None) => Some(Self::Dead),
            _ => None,
        }
    }
}

/// How the last attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAttempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in whole milliseconds once it was kept.
    pub took: Duration,
    /// How it ended.
    pub end: CallEnd,
    /// The beginning of the answer: at most [`FAILURE_BODY_BYTES_MAX`](super::FAILURE_BODY_BYTES_MAX).
    pub answer: Option<String>,
}

/// Returns a place of an endpoint as one text. The texts of an endpoint are in the order of the places.
pub fn exception_id(endpoint_id: &EndpointId, place: Place) -> String {
    format!("{endpoint_id}/{:016x}", place.number())
}

impl CallbackException {
    /// Its endpoint and its place, by which it is known.
    pub fn id(&self) -> String {
        exception_id(&self.endpoint_id, self.placed.place)
    }

    /// When a dead one was tried last; `None` for one that is not dead.
    pub fn dead_at(&self) -> Option<Timestamp> {
        let at = self.last.as_ref().map_or(self.since, |last| last.at);
        (self.state == ExceptionState::Dead).then_some(at)
    }
}

impl Paged for CallbackException {
    type Position = Place;

    fn position(&self) -> Place {
        self.placed.place
    }

    fn bytes(&self) -> usize {
        let answer = self.last.as_ref().and_then(|last| last.answer.as_ref());
        ENTRY_BYTES + answer.map_or(0, String::len)
    }
}
