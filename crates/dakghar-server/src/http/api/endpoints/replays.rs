//! Replays: what an endpoint was handed once, or did not take, is handed to it again by a job.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use dakghar_core::app::{NewReplay, ReplayEnd};
use dakghar_core::domain::callback::REPLAY_EVENTS_MAX;
use dakghar_core::domain::{EntryId, ErrorCode, Place, Problem, Timestamp};
use utoipa::ToSchema;

use crate::http::api::ApiResult;
use crate::http::auth::{ResourceId, ResourceIds, TenantScope};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{PageView, ReplayPreviewView, ReplayView};

/// Which events are delivered again. Exactly one way: `eventIds`, `failedSince`, or a range.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct ReplayEvents {
    /// These events, by the ids that the endpoint knows them under.
    #[schema(max_items = 100, min_items = 1, example = json!(["ent_01kamt5c8x7v3b9q2w4e6r8t0y"]))]
    event_ids: Option<Vec<String>>,
    /// What was not taken and was tried last at this time or later: dead callbacks, and those that are still tried, which
    /// are then tried at once.
    #[schema(example = "2026-11-22T00:00:00Z")]
    failed_since: Option<String>,
    /// A range: from this time, or this place of the feed, on.
    #[schema(example = "2026-11-22T00:00:00Z")]
    from: Option<String>,
    /// A range: before this time, or up to this place of the feed. Where the endpoint is when absent; what is behind that
    /// comes anyway.
    #[schema(example = "1042")]
    until: Option<String>,
    /// Of a range only these kinds.
    #[schema(example = json!(["message.received"]))]
    kinds: Option<Vec<String>>,
    /// Of a range only what is about these numbers, by Meta's ids.
    #[schema(example = json!(["111111111111111"]))]
    phone_number_ids: Option<Vec<String>>,
    /// Only say how many that would be.
    dry_run: Option<bool>,
}

const WAYS: &str = "give eventIds, failedSince, or from and until, and only one of them";

fn read(body: &[u8]) -> Result<(NewReplay, bool), Problem> {
    let mut fields = Fields::parse(body)?;
    let is_range = ["from", "until", "kinds", "phoneNumberIds"]
        .into_iter()
        .find(|name| fields.has(name));
    let (names_events, names_time) = (fields.has("eventIds"), fields.has("failedSince"));
    let event_ids = fields.texts("eventIds", ErrorCode::InvalidField);
    let failed_since = fields.time("failedSince");
    let (from, until) = (end(&mut fields, "from"), end(&mut fields, "until"));
    let kinds = fields.texts("kinds", ErrorCode::InvalidEventType).unwrap_or_default();
    let numbers = fields.texts("phoneNumberIds", ErrorCode::InvalidPhoneNumberId);
    let is_dry_run = fields.flag("dryRun");
    let ways = [
        names_events.then_some("eventIds"),
        names_time.then_some("failedSince"),
        is_range,
    ];
    let ways: Vec<&str> = ways.into_iter().flatten().collect();
    match &ways[..] {
        [] => fields.refuse(ErrorCode::InvalidField, "eventIds", WAYS),
        [_] => {}
        [.., last] => fields.refuse(ErrorCode::InvalidField, last, WAYS),
    }
    let events = event_ids.filter(|_| names_events).map(|ids| events(&mut fields, &ids));
    if let (Some(ReplayEnd::Time(from)), Some(ReplayEnd::Time(until))) = (from, until)
        && from >= until
    {
        fields.refuse(ErrorCode::InvalidField, "until", "must be after from");
    }
    if let (Some(ReplayEnd::Place(from)), Some(ReplayEnd::Place(until))) = (from, until)
        && from > until
    {
        fields.refuse(ErrorCode::InvalidField, "until", "must not be before from");
    }
    fields.finish()?;
    let asked = match (events, failed_since) {
        (Some(events), _) => NewReplay::Events(events),
        (None, Some(since)) => NewReplay::FailedSince(since),
        (None, None) => NewReplay::Range {
            from,
            until,
            kinds,
            phone_number_ids: numbers.unwrap_or_default(),
        },
    };
    Ok((asked, is_dry_run))
}

fn events(fields: &mut Fields, ids: &[String]) -> BTreeSet<EntryId> {
    if ids.len() > REPLAY_EVENTS_MAX {
        let message = format!("must be {REPLAY_EVENTS_MAX} events at most");
        fields.refuse(ErrorCode::InvalidField, "eventIds", &message);
        return BTreeSet::new();
    }
    let mut events = BTreeSet::new();
    for id in ids {
        let Ok(id) = EntryId::parse(id) else {
            fields.refuse(ErrorCode::InvalidField, "eventIds", "must be ids of events, ent_…");
            return BTreeSet::new();
        };
        events.insert(id);
    }
    if events.is_empty() {
        fields.refuse(ErrorCode::InvalidField, "eventIds", "must name an event at least");
    }
    events
}

/// A place of the feed, or a time.
fn end(fields: &mut Fields, name: &str) -> Option<ReplayEnd> {
    let text = fields.text(name, ErrorCode::InvalidField)?;
    let place = Place::parse(&text).map(ReplayEnd::Place);
    let end = place.or_else(|| Timestamp::parse_rfc3339(&text).map(ReplayEnd::Time));
    if end.is_none() {
        let message = "must be a place of the feed such as 1042, or a time such as 2026-11-22T10:00:00Z";
        fields.refuse(ErrorCode::InvalidField, name, message);
    }
    end
}

const BEGIN: &[ErrorCode] = &[
    ErrorCode::EndpointNotFound,
    ErrorCode::ReplayRunning,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidEventType,
    ErrorCode::InvalidPhoneNumberId,
];

problems!(BeginProblems: BODY, BEGIN, STORE);

/// Deliver events to an endpoint again
///
/// With `dryRun` it only says how many that would be. Without, a replay begins: a job that goes on until everything that is
/// meant was delivered again or failed once; what failed is then tried as ever. Calls carry the header `x-dakghar-replay:
/// true` and the ids that the events always had. What happens meanwhile does not wait for it. An endpoint has one replay at
/// a time; of one that is paused, disabled or takes nothing it waits.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/endpoints/{endpointId}/replays", operation_id = "replayEvents", tag = "Endpoints",
    request_body(content = ReplayEvents, example = json!({"failedSince": "2026-11-22T00:00:00Z", "dryRun": true})),
    responses(
        (status = 200, description = "What would be delivered again.", body = ReplayPreviewView),
        (status = 202, description = "The replay.", body = ReplayView),
        BeginProblems
    ),
)]
pub(in crate::http) async fn begin(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(id): ResourceId,
    request: Request,
) -> ApiResult {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let (asked, is_dry_run) = read(&body)?;
    let endpoints = &state.app().endpoints;
    // It looks through a feed.
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    if is_dry_run {
        let preview = endpoints.preview_replay(scope.id(), &id, &asked).await?;
        return Ok(turn.answer(&ReplayPreviewView::from(preview))?);
    }
    let replay = endpoints.begin_replay(scope.id(), &id, &asked, &by).await?;
    Ok((StatusCode::ACCEPTED, Json(ReplayView::from(&replay))).into_response())
}

problems!(ListProblems: STORE, &[ErrorCode::EndpointNotFound]);

/// List the replays of an endpoint
///
/// The latest first: that under way, and what is remembered of earlier ones, ten in all.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/endpoints/{endpointId}/replays", operation_id = "listReplays", tag = "Endpoints",
    responses((status = 200, description = "Its replays.", body = PageView<ReplayView>), ListProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<PageView<ReplayView>>> {
    let replays = state.app().endpoints.replays(scope.id(), &id).await?;
    Ok(Json(PageView::complete(replays.iter().map(ReplayView::from).collect())))
}

problems!(ReadProblems: STORE, &[ErrorCode::EndpointNotFound, ErrorCode::ReplayNotFound]);

/// Read a replay
///
/// With how far it has come.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/endpoints/{endpointId}/replays/{replayId}", operation_id = "getReplay",
    tag = "Endpoints",
    responses((status = 200, description = "The replay.", body = ReplayView), ReadProblems),
)]
pub(in crate::http) async fn one(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceIds(id, replay_id): ResourceIds,
) -> ApiResult<Json<ReplayView>> {
    let replay = state.app().endpoints.replay(scope.id(), &id, &replay_id).await?;
    Ok(Json(ReplayView::from(&replay)))
}

problems!(CancelProblems: STORE, &[
    ErrorCode::EndpointNotFound,
    ErrorCode::ReplayNotFound,
    ErrorCode::ReplayOver,
    ErrorCode::Conflict,
]);

/// Cancel a replay
///
/// What it has delivered stays so, and what failed is tried on. Cancelling twice is fine.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/endpoints/{endpointId}/replays/{replayId}/cancel", operation_id = "cancelReplay",
    tag = "Endpoints",
    responses((status = 200, description = "The replay.", body = ReplayView), CancelProblems),
)]
pub(in crate::http) async fn cancel(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceIds(id, replay_id): ResourceIds,
) -> ApiResult<Json<ReplayView>> {
    let endpoints = &state.app().endpoints;
    let replay = endpoints.cancel_replay(scope.id(), &id, &replay_id, &by).await?;
    Ok(Json(ReplayView::from(&replay)))
}
