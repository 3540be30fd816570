//! Replays as they stand in the record of their endpoint.

use dakghar_core::domain::callback::{Replay, ReplayOf, ReplayProgress};
use dakghar_core::domain::feed::{EntryFilter, KindPattern, Place};
use dakghar_core::domain::ids::{EntryId, PhoneNumberId, ReplayId};
use dakghar_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A replay. Times are milliseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplayFields {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    events: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed_since: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    phone_number_ids: Vec<String>,
    after: i64,
    until: i64,
    is_cancelled: bool,
    requested_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeFields>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutcomeFields {
    at: i64,
    delivered: i64,
    failed: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
}

impl From<&Replay> for ReplayFields {
    fn from(replay: &Replay) -> Self {
        let (mut events, mut failed_since, mut filter) = (None, None, &EntryFilter::default());
        match &replay.of {
            ReplayOf::Events(ids) => events = Some(ids.iter().map(ToString::to_string).collect()),
            ReplayOf::FailedSince(since) => failed_since = Some(since.as_millis()),
            ReplayOf::Range(given) => filter = given,
        }
        let outcome = |outcome: &ReplayProgress| OutcomeFields {
            at: outcome.at.number().cast_signed(),
            delivered: outcome.delivered.cast_signed(),
            failed: outcome.failed.cast_signed(),
            ended_at: outcome.ended_at.map(Timestamp::as_millis),
        };
        Self {
            id: replay.id.to_string(),
            events,
            failed_since,
            kinds: filter.kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
            phone_number_ids: filter.phone_number_ids.iter().map(ToString::to_string).collect(),
            after: replay.after.number().cast_signed(),
            until: replay.until.number().cast_signed(),
            is_cancelled: replay.is_cancelled,
            requested_at: replay.requested_at.as_millis(),
            outcome: replay.outcome.as_ref().map(outcome),
        }
    }
}

impl ReplayFields {
    /// The replay; `None` if it is not understood.
    pub(crate) fn replay(&self) -> Option<Replay> {
        let id = ReplayId::parse(&self.id).ok()?;
        let place = |number: i64| u64::try_from(number).ok().map(Place::new);
        let outcome = |outcome: &OutcomeFields| {
            Some(ReplayProgress {
                id,
                at: place(outcome.at)?,
                delivered: u64::try_from(outcome.delivered).ok()?,
                failed: u64::try_from(outcome.failed).ok()?,
                ended_at: outcome.ended_at.map(Timestamp::from_millis),
            })
        };
        let of = match (&self.events, self.failed_since) {
            (Some(events), None) => {
                let events = events.iter().map(|id| EntryId::parse(id).ok());
                ReplayOf::Events(events.collect::<Option<_>>()?)
            }
            (None, Some(since)) => ReplayOf::FailedSince(Timestamp::from_millis(since)),
            (None, None) => {
                let numbers = self.phone_number_ids.iter().map(|id| PhoneNumberId::parse(id).ok());
                ReplayOf::Range(EntryFilter {
                    kinds: self
                        .kinds
                        .iter()
                        .map(|kind| KindPattern::parse(kind))
                        .collect::<Option<_>>()?,
                    phone_number_ids: numbers.collect::<Option<_>>()?,
                })
            }
            (Some(_), Some(_)) => return None,
        };
        Some(Replay {
            id,
            of,
            after: place(self.after)?,
            until: place(self.until)?,
            is_cancelled: self.is_cancelled,
            requested_at: Timestamp::from_millis(self.requested_at),
            outcome: match &self.outcome {
                Some(fields) => Some(outcome(fields)?),
                None => None,
            },
        })
    }
}
