//! What became of the deliveries to an endpoint.

use dakghar_core::app::EndpointStatus;
use dakghar_core::domain::Endpoint;
use dakghar_core::domain::callback::{Attempt, CallEnd, CallbackException, CallbackFailure, LastAttempt};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::{EndpointView, names, or_null};

/// An endpoint, and how far it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EndpointWithProgress)]
pub(in crate::http) struct EndpointWithProgressView {
    #[serde(flatten)]
    endpoint: EndpointView,
    /// How far it is.
    progress: EndpointProgressView,
}

/// How far an endpoint is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EndpointProgress)]
pub(in crate::http) struct EndpointProgressView {
    /// Everything up to this place of the feed was delivered, was not wanted, or is one of its exceptions.
    #[schema(example = "1042")]
    place: String,
    /// Entries of the feed behind it, whether they are wanted or not.
    behind: u64,
    /// Entries that were delivered.
    delivered: u64,
    /// Calls that failed.
    failed: u64,
    /// Entries that were erased by their age before they could be delivered.
    expired: u64,
    /// Entries that were not taken and are tried again, and those that wait for one of them. They are no longer counted in
    /// `behind`. Of those that `/exceptions` lists, it counts 10,000 at most.
    open_exceptions: u64,
    /// Those of `openExceptions` that wait together, behind the ones of their conversation that `/exceptions` lists. Some of
    /// them may have been erased, or be unwanted since the filter was changed; they are counted until their turn comes.
    waiting: u64,
    /// Entries that are not tried by themselves any more. Of more than 10,000 it says 10,000.
    dead: u32,
    /// When something was taken last.
    #[schema(format = DateTime)]
    delivered_at: Option<String>,
    /// When a call failed last.
    #[schema(format = DateTime)]
    failed_at: Option<String>,
    /// Calls in a row that failed.
    failures_in_a_row: u32,
    /// The receiver asked not to be called before this time.
    #[schema(format = DateTime)]
    not_before: Option<String>,
    /// Set while the receiver takes nothing and is only tried from time to time.
    breaker: Option<BreakerView>,
}

/// The breaker of an endpoint that takes nothing.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OpenBreaker)]
struct BreakerView {
    /// Since when.
    #[schema(format = DateTime)]
    open_since: String,
    /// When it is tried next.
    #[schema(format = DateTime)]
    next_probe_at: String,
    /// Tries that failed since.
    probes: u32,
}

impl From<&EndpointStatus> for EndpointProgressView {
    fn from(status: &EndpointStatus) -> Self {
        let progress = &status.progress;
        let breaker = &progress.breaker;
        Self {
            place: progress.after.to_string(),
            behind: status.behind,
            delivered: progress.delivered,
            failed: progress.failed,
            expired: progress.expired,
            open_exceptions: status.open,
            waiting: status.waiting,
            dead: status.dead,
            delivered_at: progress.delivered_at.map(|at| at.to_string()),
            failed_at: progress.failed_at.map(|at| at.to_string()),
            failures_in_a_row: breaker.failures,
            not_before: progress.not_before.map(|at| at.to_string()),
            breaker: breaker.open.map(|open| BreakerView {
                open_since: open.since.to_string(),
                next_probe_at: open.probe_at.to_string(),
                probes: open.probes,
            }),
        }
    }
}

impl EndpointWithProgressView {
    pub(in crate::http) fn new(endpoint: &Endpoint, status: &EndpointStatus) -> Self {
        Self {
            endpoint: EndpointView::from(endpoint),
            progress: EndpointProgressView::from(status),
        }
    }
}

/// An entry that an endpoint has not taken.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CallbackException)]
pub(in crate::http) struct ExceptionView {
    /// The event, as the endpoint knows it.
    event_id: String,
    /// Its place in the feed.
    #[schema(example = "1042")]
    place: String,
    /// What happened.
    #[schema(example = "message.received")]
    kind: String,
    /// When it happened.
    #[schema(format = DateTime)]
    at: String,
    /// Its conversation, where the endpoint wants those in order.
    conversation_id: Option<String>,
    /// `retrying`: it is tried again. `behind`: an earlier one of its conversation is tried first. `dead`: it is not tried
    /// by itself any more.
    #[schema(schema_with = exception_states)]
    state: &'static str,
    /// Attempts so far.
    attempts: u32,
    /// Since when it is tried, or waits.
    #[schema(format = DateTime)]
    since: String,
    /// When it is tried again.
    #[schema(format = DateTime)]
    next_at: Option<String>,
    /// The last attempt.
    last: Option<LastAttemptView>,
    /// Whether it is part of a replay.
    is_replay: bool,
}

/// How the last attempt went.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LastAttempt)]
struct LastAttemptView {
    /// When it began.
    #[schema(format = DateTime)]
    at: String,
    /// How long it took, in milliseconds.
    ms: u64,
    #[serde(flatten)]
    end: EndView,
    /// The beginning of the answer, 1 KB at most.
    answer: Option<String>,
}

/// How a call ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CallEnd)]
pub(in crate::http) struct EndView {
    /// The status of the answer.
    #[schema(example = 503)]
    status: Option<u16>,
    /// What failed where nothing was answered.
    #[schema(schema_with = failures)]
    failure: Option<&'static str>,
}

impl From<CallEnd> for EndView {
    fn from(end: CallEnd) -> Self {
        Self {
            status: end.status(),
            failure: end.failure().map(CallbackFailure::as_str),
        }
    }
}

impl From<&CallbackException> for ExceptionView {
    fn from(exception: &CallbackException) -> Self {
        let entry = &exception.placed.entry;
        let last = |last: &LastAttempt| LastAttemptView {
            at: last.at.to_string(),
            ms: millis(last.took),
            end: last.end.into(),
            answer: last.answer.clone(),
        };
        Self {
            event_id: entry.id().to_string(),
            place: exception.placed.place.to_string(),
            kind: entry.kind.as_str().to_owned(),
            at: entry.at.to_string(),
            conversation_id: exception.conversation_id.map(|id| id.to_string()),
            state: exception.state.as_str(),
            attempts: exception.attempts,
            since: exception.since.to_string(),
            next_at: exception.state.next_at().map(|at| at.to_string()),
            last: exception.last.as_ref().map(last),
            is_replay: exception.is_replay,
        }
    }
}

/// An attempt to hand an event to an endpoint.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CallbackAttempt)]
pub(in crate::http) struct AttemptView {
    /// The event, as the endpoint knows it.
    event_id: String,
    /// Its place in the feed.
    #[schema(example = "1042")]
    place: String,
    /// What happened.
    #[schema(example = "message.received")]
    kind: String,
    /// 1 for the first attempt.
    attempt: u32,
    /// When it began.
    #[schema(format = DateTime)]
    at: String,
    /// How long it took, in milliseconds.
    ms: u64,
    /// Whether the receiver took it.
    delivered: bool,
    #[serde(flatten)]
    end: EndView,
    /// The beginning of the answer of a receiver that did not take it, 1 KB at most.
    answer: Option<String>,
    /// Whether it is part of a replay.
    is_replay: bool,
}

impl From<&Attempt> for AttemptView {
    fn from(attempt: &Attempt) -> Self {
        Self {
            event_id: attempt.entry_id.to_string(),
            place: attempt.place.to_string(),
            kind: attempt.kind.as_str().to_owned(),
            attempt: attempt.number,
            at: attempt.at.to_string(),
            ms: millis(attempt.took),
            delivered: attempt.end.is_success(),
            end: attempt.end.into(),
            answer: attempt.answer.clone(),
            is_replay: attempt.is_replay,
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn exception_states() -> ObjectBuilder {
    names(["retrying", "behind", "dead"])
}

fn failures() -> ObjectBuilder {
    or_null(CallbackFailure::ALL.map(CallbackFailure::as_str)).description(Some(
        "What failed where nothing was answered: the name could not be resolved, the address may not be called, no \
         connection came about, its TLS is not good, it took too long, or what came was no answer.",
    ))
}
