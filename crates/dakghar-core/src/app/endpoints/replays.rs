//! Replays of endpoints: asked for, looked at, cancelled. The process that delivers to the endpoint carries them out.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Endpoints;
use super::checks::{check_kinds, check_numbers};
use super::new::ExpectedVersion;
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::feed::is_posted_by_meta;
use crate::app::stale::Step;
use crate::app::tenants::checks::check;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::callback::{CallbackProgress, REPLAYS_KEPT, Replay, ReplayOf, ReplayProgress};
use crate::domain::endpoint::{EndpointFormat, EndpointState};
use crate::domain::feed::{EntryFilter, PlacedEntry};
use crate::domain::ids::ReplayId;
use crate::domain::page::PageLimit;
use crate::domain::{Endpoint, EntryId, ErrorCode, KindPattern, PhoneNumberId, Place, Problem, TenantId, Timestamp};
use crate::ports::ExceptionsAsked;

/// The time that a preview may take. It then says that there is more.
const PREVIEW_TIME_MAX: Duration = Duration::from_secs(2);
/// Entries that are looked at between two looks at the clock.
const LOOKED_AT_ONCE: u32 = 1_000;

/// What is to be delivered again, as a client describes it.
#[derive(Clone, Debug)]
pub enum NewReplay {
    /// These events.
    Events(BTreeSet<EntryId>),
    /// What was not taken, and was tried last at this time or later.
    FailedSince(Timestamp),
    /// A part of the feed, as far as the endpoint has come.
    Range {
        /// Its beginning; that of the feed when absent.
        from: Option<ReplayEnd>,
        /// Its end; where the endpoint is when absent.
        until: Option<ReplayEnd>,
        /// Only these kinds; none are all.
        kinds: Vec<String>,
        /// Only of these numbers; none are all.
        phone_number_ids: Vec<String>,
    },
}

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayEnd {
    /// This place, which is part of it.
    Place(Place),
    /// This time: what came then is part of a range that begins with it, and not of one that ends with it.
    Time(Timestamp),
}

/// What a replay would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayPreview {
    /// Entries that would be delivered again.
    pub events: u64,
    /// False if there are more than could be counted in time, or some of them may not be of the numbers that are meant.
    pub is_exact: bool,
    /// Entries of the endpoint that wait together behind others of their conversations. They come by themselves when those
    /// are taken. Of those that failed since a time, they are not counted among the events.
    pub waiting: u64,
}

/// Where a replay stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayStatus {
    /// It goes on.
    Running,
    /// It goes on once the endpoint is called again.
    Waiting(WaitingFor),
    /// It has come to its end.
    Done,
    /// It was ended on request.
    Cancelled,
}

/// What a replay waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingFor {
    /// The endpoint is paused.
    Paused,
    /// The endpoint is disabled.
    Disabled,
    /// The receiver takes nothing.
    Breaker,
}

impl ReplayStatus {
    /// The name used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting(_) => "waiting",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// What it waits for, if it waits.
    pub const fn waiting_for(self) -> Option<&'static str> {
        match self {
            Self::Waiting(WaitingFor::Paused) => Some("paused"),
            Self::Waiting(WaitingFor::Disabled) => Some("disabled"),
            Self::Waiting(WaitingFor::Breaker) => Some("breaker"),
            Self::Running | Self::Done | Self::Cancelled => None,
        }
    }

    /// True unless it is over.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Waiting(_))
    }
}

/// A replay, and how far it is.
#[derive(Clone, Debug)]
pub struct KnownReplay {
    /// The request.
    pub replay: Replay,
    /// How far it is.
    pub progress: ReplayProgress,
    /// Where it stands.
    pub status: ReplayStatus,
    /// Entries of the endpoint that wait together behind others of their conversations, and come by themselves.
    pub waiting: u64,
}

impl KnownReplay {
    fn of(endpoint: &Endpoint, replay: &Replay, known: Option<&CallbackProgress>) -> Self {
        let progress = replay.progress(known.and_then(|known| known.replay.as_ref()));
        let is_breaker_open = known.is_some_and(|known| known.breaker.open.is_some());
        let status = match endpoint.state {
            _ if replay.is_cancelled => ReplayStatus::Cancelled,
            _ if progress.ended_at.is_some() || replay.outcome.is_some() => ReplayStatus::Done,
            EndpointState::Paused => ReplayStatus::Waiting(WaitingFor::Paused),
            EndpointState::Disabled { .. } => ReplayStatus::Waiting(WaitingFor::Disabled),
            EndpointState::Active if is_breaker_open => ReplayStatus::Waiting(WaitingFor::Breaker),
            EndpointState::Active => ReplayStatus::Running,
        };
        Self {
            replay: replay.clone(),
            progress,
            status,
            waiting: known.map_or(0, CallbackProgress::waiting_together),
        }
    }
}

impl Endpoints {
    /// Returns what a replay would do now.
    pub async fn preview_replay(
        &self,
        tenant_id: &TenantId,
        id: &str,
        asked: &NewReplay,
    ) -> Result<ReplayPreview, Failure> {
        let endpoint = self.find(tenant_id, id).await?;
        let progress = self.progress_of(&endpoint).await?;
        let replay = self.new_replay(&endpoint, progress.as_ref(), asked).await?;
        let preview = match &replay.of {
            ReplayOf::FailedSince(_) => self.count_exceptions(&endpoint, &replay).await?,
            ReplayOf::Events(_) | ReplayOf::Range(_) => self.count_entries(&endpoint, &replay).await?,
        };
        let waiting = progress.as_ref().map_or(0, CallbackProgress::waiting_together);
        Ok(ReplayPreview { waiting, ..preview })
    }

    /// Asks for a replay. The process that delivers to the endpoint begins it within a second or two.
    pub async fn begin_replay(
        &self,
        tenant_id: &TenantId,
        id: &str,
        asked: &NewReplay,
        by: &Principal,
    ) -> Result<KnownReplay, Failure> {
        let endpoint = self.find(tenant_id, id).await?;
        let progress = self.progress_of(&endpoint).await?;
        let latest = progress.as_ref().and_then(|progress| progress.replay.as_ref());
        let replay = self.new_replay(&endpoint, progress.as_ref(), asked).await?;
        let deed = Deed::new(by, AuditAction::ReplayBegun).about("replay", replay.id);
        let changed = self
            .save(tenant_id, &endpoint.id, &ExpectedVersion::ANY, deed, |endpoint| {
                if let Some(before) = endpoint.replays.first_mut() {
                    if before.is_open(latest) {
                        let detail = format!("{} is not over yet; wait for it, or cancel it.", before.id);
                        return Err(Problem::new(ErrorCode::ReplayRunning, detail));
                    }
                    before.outcome = Some(before.progress(latest));
                }
                endpoint.replays.insert(0, replay.clone());
                endpoint.replays.truncate(REPLAYS_KEPT);
                Ok(Step::Save)
            })
            .await?;
        tracing::info!(%tenant_id, endpoint_id = %endpoint.id, replay_id = %replay.id, "a replay was asked for");
        Ok(KnownReplay::of(&changed, &replay, progress.as_ref()))
    }

    /// Returns the replays of an endpoint that it remembers, the latest first.
    pub async fn replays(&self, tenant_id: &TenantId, id: &str) -> Result<Vec<KnownReplay>, Failure> {
        let endpoint = self.find(tenant_id, id).await?;
        let progress = self.progress_of(&endpoint).await?;
        let known = |replay| KnownReplay::of(&endpoint, replay, progress.as_ref());
        Ok(endpoint.replays.iter().map(known).collect())
    }

    /// Returns one of them.
    pub async fn replay(&self, tenant_id: &TenantId, id: &str, replay_id: &str) -> Result<KnownReplay, Failure> {
        let replay_id = ReplayId::parse(replay_id).map_err(|_| no_such_replay())?;
        let all = self.replays(tenant_id, id).await?;
        let found = all.into_iter().find(|known| known.replay.id == replay_id);
        Ok(found.ok_or_else(no_such_replay)?)
    }

    /// Ends a replay. What it has delivered stays so, and what became an exception by it is tried on.
    pub async fn cancel_replay(
        &self,
        tenant_id: &TenantId,
        id: &str,
        replay_id: &str,
        by: &Principal,
    ) -> Result<KnownReplay, Failure> {
        let known = self.replay(tenant_id, id, replay_id).await?;
        if known.status == ReplayStatus::Done {
            return Err(Problem::new(ErrorCode::ReplayOver, "It is done.").into());
        }
        let endpoint_id = self.find(tenant_id, id).await?.id;
        let is_meant = |replay: &&mut Replay| replay.id == known.replay.id;
        let deed = Deed::new(by, AuditAction::ReplayCancelled).about("replay", known.replay.id);
        self.save(tenant_id, &endpoint_id, &ExpectedVersion::ANY, deed, |endpoint| {
            let found = endpoint.replays.iter_mut().find(is_meant).ok_or_else(no_such_replay)?;
            found.is_cancelled = true;
            Ok(Step::Save)
        })
        .await?;
        self.replay(tenant_id, id, replay_id).await
    }

    async fn progress_of(&self, endpoint: &Endpoint) -> Result<Option<CallbackProgress>, Failure> {
        let mut found = self.ports.callbacks.progress(&[endpoint.kept_under]).await;
        Ok(found.pop().unwrap_or(Ok(None))?)
    }

    async fn new_replay(
        &self,
        endpoint: &Endpoint,
        progress: Option<&CallbackProgress>,
        asked: &NewReplay,
    ) -> Result<Replay, Failure> {
        let tenant_id = &endpoint.tenant_id;
        let reached = progress.map_or(endpoint.start, |progress| progress.after.max(endpoint.start));
        let bounds = self.ports.feed.bounds(tenant_id).await?;
        let earliest = bounds.first.before();
        let (of, after, until) = match asked {
            // Who names an event was handed it, though that may not be written down yet.
            NewReplay::Events(events) => (ReplayOf::Events(events.clone()), earliest, bounds.last),
            // What is not in the feed any more is kept with the exceptions.
            NewReplay::FailedSince(since) => (ReplayOf::FailedSince(*since), Place::START, reached),
            NewReplay::Range {
                from,
                until,
                kinds,
                phone_number_ids,
            } => {
                let tenant = self.tenants.stored(tenant_id).await?;
                let mut found = check_kinds(kinds);
                found.extend(check_numbers(phone_number_ids, &tenant));
                check(&found)?;
                let filter = EntryFilter {
                    kinds: kinds.iter().filter_map(|kind| KindPattern::parse(kind)).collect(),
                    phone_number_ids: phone_number_ids
                        .iter()
                        .filter_map(|id| PhoneNumberId::parse(id).ok())
                        .collect(),
                };
                let after = match from {
                    None => earliest,
                    Some(ReplayEnd::Place(place)) => place.before(),
                    Some(ReplayEnd::Time(time)) => self.place_at(tenant_id, *time).await?,
                };
                let until = match until {
                    None => reached,
                    Some(ReplayEnd::Place(place)) => *place,
                    Some(ReplayEnd::Time(time)) => self.place_at(tenant_id, *time).await?,
                };
                (ReplayOf::Range(filter), after.max(earliest), until.min(reached))
            }
        };
        Ok(Replay {
            id: self.ports.ids.replay_id(),
            of,
            after: after.min(until),
            until,
            is_cancelled: false,
            requested_at: self.ports.clock.now(),
            outcome: None,
        })
    }

    async fn count_exceptions(&self, endpoint: &Endpoint, replay: &Replay) -> Result<ReplayPreview, Failure> {
        let mut preview = ReplayPreview {
            is_exact: true,
            ..ReplayPreview::default()
        };
        let ends_at = self.ports.clock.uptime() + PREVIEW_TIME_MAX;
        for asked in [ExceptionsAsked::Dead, ExceptionsAsked::Open] {
            let mut after = Some(Place::START);
            while let Some(from) = after {
                let limit = PageLimit::items(LOOKED_AT_ONCE);
                let listed = self
                    .ports
                    .callbacks
                    .exceptions(&endpoint.kept_under, asked, from, limit)
                    .await?;
                let meant = listed.items.iter().filter(|exception| replay.is_about(exception));
                preview.events += meant.count() as u64;
                after = listed.next;
                if after.is_some() && self.ports.clock.uptime() >= ends_at {
                    preview.is_exact = false;
                    return Ok(preview);
                }
            }
        }
        Ok(preview)
    }

    async fn count_entries(&self, endpoint: &Endpoint, replay: &Replay) -> Result<ReplayPreview, Failure> {
        let mut preview = ReplayPreview {
            is_exact: true,
            ..ReplayPreview::default()
        };
        let ends_at = self.ports.clock.uptime() + PREVIEW_TIME_MAX;
        let mut after = replay.after;
        while after < replay.until {
            let limit = PageLimit::items(LOOKED_AT_ONCE);
            let listed = self.ports.feed.entries(&endpoint.tenant_id, after, limit).await?;
            for placed in listed.items.iter().filter(|placed| placed.place <= replay.until) {
                match would_deliver(endpoint, replay, placed) {
                    Some(would) => preview.events += u64::from(would),
                    None => (preview.events, preview.is_exact) = (preview.events + 1, false),
                }
            }
            let Some(last) = listed.items.last() else { break };
            after = last.place;
            let has_all = matches!(&replay.of, ReplayOf::Events(events) if preview.events >= events.len() as u64);
            if has_all {
                break;
            }
            if after < replay.until && self.ports.clock.uptime() >= ends_at {
                preview.is_exact = false;
                break;
            }
        }
        Ok(preview)
    }
}

/// Whether an entry would be delivered again; `None` if only its record tells of which number it is.
fn would_deliver(endpoint: &Endpoint, replay: &Replay, placed: &PlacedEntry) -> Option<bool> {
    let entry = &placed.entry;
    let is_posted = endpoint.format != EndpointFormat::Meta || is_posted_by_meta(entry);
    if !is_posted || !endpoint.filter.matches_kind(&entry.kind) || !replay.may_match(entry) {
        return Some(false);
    }
    let of_numbers = match &replay.of {
        ReplayOf::Range(filter) => !filter.phone_number_ids.is_empty(),
        ReplayOf::Events(_) | ReplayOf::FailedSince(_) => false,
    };
    let number = entry.phone_number_id.as_ref();
    if number.is_none() && (of_numbers || !endpoint.filter.phone_number_ids.is_empty()) {
        return None;
    }
    Some(endpoint.wants(entry, number) && replay.matches(entry, number))
}

fn no_such_replay() -> Problem {
    Problem::new(ErrorCode::ReplayNotFound, "The endpoint has no replay with this id.")
}
