//! Attempts to hand an entry to an endpoint.

use std::time::Duration;

use crate::domain::feed::{EntryKind, Place};
use crate::domain::ids::{AttemptLogId, EndpointId, EntryId, TenantId};
use crate::domain::page::Paged;
use crate::domain::time::Timestamp;

/// Bytes that are kept of the answer of a receiver that did not take an entry.
pub const ANSWER_BYTES_MAX: usize = 1_024;
/// The bytes of an attempt in memory without its answer, about.
const ATTEMPT_BYTES: usize = 200;

/// How a call of an endpoint ended. Nothing of it tells where the receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// The receiver answered with this status.
    Answered(u16),
    /// Its name could not be resolved.
    Dns,
    /// Its address may not be called.
    Blocked,
    /// No connection came about.
    Connect,
    /// Its certificate or its TLS is not good.
    Tls,
    /// It took too long.
    Timeout,
    /// The connection broke, or what came was no answer.
    Protocol,
}

impl CallEnd {
    const FAILURES: [Self; 6] = [
        Self::Dns,
        Self::Blocked,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Protocol,
    ];

    /// True if the receiver has taken what it was sent.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Answered(200..=299))
    }

    /// The status of the answer, if there was one.
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Answered(status) => Some(status),
            _ => None,
        }
    }

    /// The name of what failed where nothing was answered.
    pub const fn failure(self) -> Option<&'static str> {
        Some(match self {
            Self::Answered(_) => return None,
            Self::Dns => "dns",
            Self::Blocked => "blocked",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
        })
    }

    /// The end as the stores keep it: a status in digits, or the name of what failed.
    pub fn stored(self) -> String {
        match self {
            Self::Answered(status) => status.to_string(),
            other => other.failure().unwrap_or_default().to_owned(),
        }
    }

    /// Reads what [`CallEnd::stored`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(status) = text.parse() {
            return Some(Self::Answered(status));
        }
        Self::FAILURES.into_iter().find(|end| end.failure() == Some(text))
    }
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The place of the entry.
    pub place: Place,
    /// The entry.
    pub entry_id: EntryId,
    /// Its kind.
    pub kind: EntryKind,
    /// 1 for the first attempt.
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in whole milliseconds once it was kept.
    pub took: Duration,
    /// How it ended.
    pub end: CallEnd,
    /// The beginning of the answer, if the entry was not taken: at most [`ANSWER_BYTES_MAX`].
    pub answer: Option<String>,
    /// True if it was part of a replay.
    pub is_replay: bool,
}

impl Attempt {
    /// Returns about as many bytes as it has in memory.
    pub fn bytes(&self) -> usize {
        ATTEMPT_BYTES + self.answer.as_ref().map_or(0, String::len)
    }
}

/// Attempts that were noted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptLog {
    /// Sorts by the time they were noted.
    pub id: AttemptLogId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The time they were noted.
    pub at: Timestamp,
    /// The attempts, at least one, in the order in which they ended.
    pub attempts: Vec<Attempt>,
}

impl Paged for AttemptLog {
    type Position = AttemptLogId;

    fn position(&self) -> AttemptLogId {
        self.id
    }

    fn bytes(&self) -> usize {
        self.attempts.iter().map(Attempt::bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_as_they_are_kept() {
        let answered = [200, 301, 404, 503].map(CallEnd::Answered);
        for end in CallEnd::FAILURES.into_iter().chain(answered) {
            assert_eq!(CallEnd::parse(&end.stored()), Some(end));
            assert_eq!(end.is_success(), end == CallEnd::Answered(200));
        }
        assert_eq!(CallEnd::parse("other"), None);
    }
}
