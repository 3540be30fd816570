//! Replays of endpoints, and what one would do.

use dakghar_core::app::{KnownReplay, ReplayPreview};
use dakghar_core::domain::EntryId;
use dakghar_core::domain::callback::ReplayOf;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::{names, or_null};

/// A replay: a job that delivers events to an endpoint again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Replay)]
pub(in crate::http) struct ReplayView {
    /// Its id.
    #[schema(example = "rpl_01kamt5c8x7v3b9q2w4e6r8t0y")]
    id: String,
    /// These events, if it was asked for by them. One that the feed does not have any more, or that the endpoint does not want,
    /// is neither `delivered` nor `failed`.
    event_ids: Option<Vec<String>>,
    /// What was tried last at this time or later and not taken, if it was asked for so.
    #[schema(format = DateTime)]
    failed_since: Option<String>,
    /// Only these kinds; none are all.
    kinds: Vec<String>,
    /// Only what is about these numbers; none are all.
    phone_number_ids: Vec<String>,
    /// It is about what stands behind this place of the feed.
    #[schema(example = "0")]
    after: String,
    /// It is about what stands up to this place.
    #[schema(example = "1042")]
    until: String,
    /// Everything up to this place was delivered again, was not meant, or failed once.
    #[schema(example = "512")]
    place: String,
    /// Where it stands.
    #[schema(schema_with = statuses)]
    status: &'static str,
    /// What it waits for, if it waits: `paused` and `disabled` are states of the endpoint, `breaker` is that its receiver
    /// takes nothing.
    #[schema(schema_with = waits)]
    waiting_for: Option<&'static str>,
    /// Events that were delivered again. What was still tried anyway is only tried at once, and not counted here.
    delivered: u64,
    /// Events that failed, and are exceptions of the endpoint now. Beside 5,000 that replays left and that are still tried,
    /// they are dead at once.
    failed: u64,
    /// Events of the endpoint that wait, at this moment, behind others of their conversations which are not taken. They come
    /// by themselves after those.
    waiting: u64,
    /// When it was asked for.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

impl From<&KnownReplay> for ReplayView {
    fn from(known: &KnownReplay) -> Self {
        let (replay, progress) = (&known.replay, &known.progress);
        let (mut events, mut failed_since, mut filter) = (None, None, None);
        match &replay.of {
            ReplayOf::Events(ids) => events = Some(ids.iter().map(EntryId::to_string).collect()),
            ReplayOf::FailedSince(since) => failed_since = Some(since.to_string()),
            ReplayOf::Range(given) => filter = Some(given),
        }
        let kinds = filter.iter().flat_map(|filter| &filter.kinds);
        let numbers = filter.iter().flat_map(|filter| &filter.phone_number_ids);
        Self {
            id: replay.id.to_string(),
            event_ids: events,
            failed_since,
            kinds: kinds.map(|kind| kind.as_str().to_owned()).collect(),
            phone_number_ids: numbers.map(ToString::to_string).collect(),
            after: replay.after.to_string(),
            until: replay.until.to_string(),
            place: progress.at.to_string(),
            status: known.status.as_str(),
            waiting_for: known.status.waiting_for(),
            delivered: progress.delivered,
            failed: progress.failed,
            waiting: known.waiting,
            created_at: replay.requested_at.to_string(),
            ended_at: progress.ended_at.map(|at| at.to_string()),
        }
    }
}

/// What a replay would do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReplayPreview)]
pub(in crate::http) struct ReplayPreviewView {
    /// Events that would be delivered again.
    events: u64,
    /// False when there are more than could be counted in time, or when some may not be of the numbers that are meant.
    is_exact: bool,
    /// Events of the endpoint that wait behind others of their conversations which are not taken. They come by themselves after
    /// those; with `failedSince` they are not among the `events`.
    waiting: u64,
}

impl From<ReplayPreview> for ReplayPreviewView {
    fn from(preview: ReplayPreview) -> Self {
        Self {
            events: preview.events,
            is_exact: preview.is_exact,
            waiting: preview.waiting,
        }
    }
}

fn statuses() -> ObjectBuilder {
    names(["running", "waiting", "done", "cancelled"])
}

fn waits() -> ObjectBuilder {
    or_null(["paused", "disabled", "breaker"])
}
