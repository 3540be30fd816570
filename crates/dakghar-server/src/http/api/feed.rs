//! The feed of a tenant.

use axum::extract::State;
use axum::http::{Extensions, HeaderMap, Uri};
use dakghar_core::domain::ErrorCode;

use utoipa::IntoParams;

use super::ApiResult;
use crate::http::auth::TenantScope;
use crate::http::connected::Connected;
use crate::http::feed_query::{FeedPageParameters, FeedParameters, FeedQuery};
use crate::http::held_key::HeldKey;
use crate::http::live::{LiveRequest, poll, stream, wants_stream};
use crate::http::openapi::{STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::FeedView;

/// The event that a client had last.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents what FeedQuery reads")]
pub(in crate::http) struct LastEventId {
    /// Of a stream: the id of the last event that the client has. It counts before `after`.
    #[param(rename = "Last-Event-ID", example = "1042")]
    last_event_id: Option<String>,
}

problems!(
    FeedProblems: STORE,
    &[
        ErrorCode::InvalidLimit,
        ErrorCode::InvalidFilter,
        ErrorCode::FeedPlaceUnknown,
        ErrorCode::FeedPlaceGone,
        ErrorCode::TooManyReaders,
        ErrorCode::Overloaded,
    ]
);

problems!(
    StreamProblems: STORE,
    &[
        ErrorCode::InvalidFilter,
        ErrorCode::FeedPlaceUnknown,
        ErrorCode::FeedPlaceGone,
        ErrorCode::TooManyReaders,
        ErrorCode::Overloaded,
    ]
);

/// Read the feed
///
/// Everything that happens to the tenant, in one order that never changes, each event once: messages that came, what became
/// of those that were sent, Meta's reports, edits, and account events. Places are 1, 2, 3 and so on without gaps. Read on
/// with the `nextCursor` of each page, which is there on every page; one without entries is at the end for now.
///
/// With `wait` the answer comes as soon as there is an entry, or without one when the time is over: ask again behind its
/// `nextCursor`, and nothing is missed.
///
/// With `Accept: text/event-stream` the answer is a stream of server-sent events, which goes on as entries come: the id of
/// an event is the place of its entry, its type the kind, and its data the entry as on a page. A comment every 15 seconds
/// shows that the stream is alive. It ends when the server stops and after ten minutes at the latest; connect again with the
/// id of the last event in `Last-Event-ID`, as browsers do by themselves, and nothing is missed and nothing comes twice.
/// `limit` and `wait` are for pages. `GET /tenants/{tenantId}/feed/stream` is this stream without the header.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/feed", operation_id = "readFeed", tag = "Feed",
    params(FeedParameters, FeedPageParameters, LastEventId),
    responses(
        (status = 200, description = "A page of the feed, the earliest entry first; or a stream.", content(
            (FeedView = "application/json"),
            (String = "text/event-stream", example = "id: 1042\nevent: message.received\ndata: {\"id\":\"ent_01kamt5c8x7v3b9q2w4e6r8t0y\"}\n\n"),
        )),
        FeedProblems,
    ),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    scope: TenantScope,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
) -> ApiResult {
    if wants_stream(&headers) {
        return follow(State(state), scope, uri, headers, extensions).await;
    }
    let key = HeldKey::of(&state, &headers, &extensions)?;
    poll(LiveRequest {
        key,
        state,
        tenant_id: *scope.id(),
        query: FeedQuery::of_page(&uri)?,
        connected: Connected::of(&extensions),
    })
    .await
}

/// Follow the feed
///
/// The stream of server-sent events that `GET /tenants/{tenantId}/feed` gives with `Accept: text/event-stream`, whatever the
/// request accepts: the id of an event is the place of its entry, its type the kind, and its data the entry as on a page. A
/// comment every 15 seconds shows that the stream is alive. It ends when the server stops and after ten minutes at the latest;
/// connect again with the id of the last event in `Last-Event-ID`, as browsers do by themselves, and nothing is missed and
/// nothing comes twice.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/feed/stream", operation_id = "followFeed", tag = "Feed",
    params(FeedParameters, LastEventId),
    responses(
        (status = 200, description = "A stream, the earliest entry first.", body = String, content_type = "text/event-stream",
            example = "id: 1042\nevent: message.received\ndata: {\"id\":\"ent_01kamt5c8x7v3b9q2w4e6r8t0y\"}\n\n"),
        StreamProblems,
    ),
)]
pub(in crate::http) async fn follow(
    State(state): State<HttpState>,
    scope: TenantScope,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
) -> ApiResult {
    let key = HeldKey::of(&state, &headers, &extensions)?;
    stream(LiveRequest {
        key,
        state,
        tenant_id: *scope.id(),
        query: FeedQuery::of_stream(&uri, &headers)?,
        connected: Connected::of(&extensions),
    })
    .await
}
