//! Entries that are handed to an endpoint once more, on request.

use std::collections::BTreeSet;

use super::exception::CallbackException;
use crate::domain::feed::{EntryFilter, FeedEntry, Place};
use crate::domain::ids::{EntryId, PhoneNumberId, ReplayId};
use crate::domain::time::Timestamp;

/// The most events that a replay may name.
pub const REPLAY_EVENTS_MAX: usize = 100;
/// Replays that an endpoint remembers, with the one that is under way.
pub const REPLAYS_KEPT: usize = 10;

/// Which entries a replay is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayOf {
    /// These, at most [`REPLAY_EVENTS_MAX`].
    Events(BTreeSet<EntryId>),
    /// What was not taken, and was tried last at this time or later.
    FailedSince(Timestamp),
    /// Everything in its range that matches this filter.
    Range(EntryFilter),
}

/// A replay: a request to deliver entries again. Those of an endpoint are in its record, and the process that delivers to
/// the endpoint carries them out. An endpoint has one at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Our id of it.
    pub id: ReplayId,
    /// Which entries.
    pub of: ReplayOf,
    /// The place before the first entry.
    pub after: Place,
    /// The place of the last entry. Everything up to it was handed to the endpoint once already, or is its exception.
    pub until: Place,
    /// True if it is to end where it is.
    pub is_cancelled: bool,
    /// The time of the request.
    pub requested_at: Timestamp,
    /// What became of it, once another one has begun.
    pub outcome: Option<ReplayProgress>,
}

/// How far a replay is. One that ended stays until the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayProgress {
    /// The request.
    pub id: ReplayId,
    /// Everything up to here was delivered again, was not meant, or is an exception.
    pub at: Place,
    /// Entries that were delivered again so far.
    pub delivered: u64,
    /// Entries that became exceptions.
    pub failed: u64,
    /// The time it ended.
    pub ended_at: Option<Timestamp>,
}

impl Replay {
    /// True if it is about this entry of its range. The number is that of the entry, or of the message that it is about.
    pub fn matches(&self, entry: &FeedEntry, number: Option<&PhoneNumberId>) -> bool {
        match &self.of {
            ReplayOf::Events(events) => events.contains(&entry.id()),
            // These were chosen among the exceptions.
            ReplayOf::FailedSince(_) => true,
            ReplayOf::Range(filter) => filter.matches(&entry.kind, number),
        }
    }

    /// True unless it is certain, without its record, that it is not about this entry.
    pub fn may_match(&self, entry: &FeedEntry) -> bool {
        match &self.of {
            ReplayOf::Range(filter) => filter.matches_kind(&entry.kind),
            ReplayOf::Events(_) | ReplayOf::FailedSince(_) => self.matches(entry, None),
        }
    }

    /// True if it is about this exception.
    pub fn is_about(&self, exception: &CallbackException) -> bool {
        let ReplayOf::FailedSince(since) = &self.of else {
            return false;
        };
        let tried_at = exception.last.as_ref().map_or(exception.since, |last| last.at);
        tried_at >= *since
    }

    /// How far it is, by what is known of the endpoint's latest one.
    pub fn progress(&self, latest: Option<&ReplayProgress>) -> ReplayProgress {
        let known = self.outcome.as_ref().or(latest);
        let known = known.filter(|known| known.id == self.id);
        known.cloned().unwrap_or_else(|| self.begun())
    }

    /// How far it is at its beginning.
    pub const fn begun(&self) -> ReplayProgress {
        ReplayProgress {
            id: self.id,
            at: self.after,
            delivered: 0,
            failed: 0,
            ended_at: None,
        }
    }

    /// True if it goes on.
    pub fn is_open(&self, latest: Option<&ReplayProgress>) -> bool {
        !self.is_cancelled && self.progress(latest).ended_at.is_none()
    }

    /// Returns about as many bytes as it has in memory.
    pub fn bytes(&self) -> usize {
        let of = match &self.of {
            ReplayOf::Events(events) => events.len() * size_of::<EntryId>(),
            ReplayOf::FailedSince(_) => 0,
            ReplayOf::Range(filter) => {
                let kinds: usize = filter.kinds.iter().map(|kind| kind.as_str().len()).sum();
                let numbers: usize = filter.phone_number_ids.iter().map(|id| id.as_str().len()).sum();
                kinds + numbers
            }
        };
        size_of::<Self>() + of
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_replay_is_open_until_it_ended_or_was_cancelled_and_only_its_own_progress_counts() {
        let mut replay = Replay {
            id: ReplayId::from_uuid(Uuid::from_u128(1)),
            of: ReplayOf::Range(EntryFilter::default()),
            after: Place::new(4),
            until: Place::new(9),
            is_cancelled: false,
            requested_at: Timestamp::from_millis(5),
            outcome: None,
        };
        let ended = ReplayProgress {
            at: Place::new(9),
            ended_at: Some(Timestamp::from_millis(6)),
            ..replay.begun()
        };
        let other = ReplayProgress {
            id: ReplayId::from_uuid(Uuid::from_u128(2)),
            ..ended.clone()
        };
        assert!(replay.is_open(None) && replay.is_open(Some(&other)) && !replay.is_open(Some(&ended)));
        assert_eq!(replay.progress(Some(&other)).at, Place::new(4));
        replay.outcome = Some(ended.clone());
        assert_eq!((replay.progress(Some(&other)), replay.is_open(None)), (ended, false));
        (replay.outcome, replay.is_cancelled) = (None, true);
        assert!(!replay.is_open(None));
    }
}
