//! Endpoints of a tenant: where it wants its events, which of them, and how.

mod bodies;
pub(in crate::http) mod deliveries;
pub(in crate::http) mod replays;
pub(in crate::http) mod testing;

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse as _;
use dakghar_core::app::{CreatedEndpoint, NewSecret};
use dakghar_core::domain::{Endpoint, ErrorCode};

use super::ApiResult;
use crate::http::auth::{ResourceId, TenantScope};
use crate::http::body;
use crate::http::by::By;
use crate::http::entity_tags::{IfMatch, etag};
use crate::http::idempotency::{IDEMPOTENCY_REPLAYED, idempotency_key};
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{
    EndpointView, EndpointWithProgressView, EndpointWithSecretView, PageView, RepeatedEndpointView,
};
use bodies::{ChangeEndpoint, CreateEndpoint, RotateEndpointSecret};

/// An answer with the entity tag of what it shows.
type Tagged<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

const FIELDS: &[ErrorCode] = &[
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidUrl,
    ErrorCode::HttpsRequired,
    ErrorCode::ForbiddenUrl,
    ErrorCode::ChallengeFailed,
    ErrorCode::InvalidEventType,
    ErrorCode::InvalidPhoneNumberId,
];

problems!(CreateProblems: BODY, FIELDS, STORE, &[
    ErrorCode::EndpointLimit,
    ErrorCode::Conflict,
    ErrorCode::InvalidIdempotencyKey,
    ErrorCode::IdempotencyKeyConflict,
]);

/// Make an endpoint
///
/// It gets the entries of the tenant's feed from then on. The answer holds its secret, which is shown this one time. A tenant
/// has 20 endpoints at most, that of its `callbackUrl` among them. Under an idempotency key it is made once, as long as it is
/// there.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/endpoints", operation_id = "createEndpoint", tag = "Endpoints",
    params(("Idempotency-Key" = Option<String>, Header,
        description = "1 to 255 printable ASCII characters, not only blanks.")),
    request_body(content = CreateEndpoint, example = json!({"url": "https://example.com/hook",
        "kinds": ["message.received", "status.*"]})),
    responses(
        (status = 201, description = "Made.", body = EndpointWithSecretView,
            headers(("ETag" = String, description = "Its version."), ("Location" = String, description = "Its path."))),
        (status = 200, description = "It was made before under the same key and from the same; nothing was made now.",
            body = RepeatedEndpointView,
            headers(("ETag" = String, description = "Its version."), ("Location" = String, description = "Its path."),
                ("Idempotency-Replayed" = String, description = "`true`"))),
        CreateProblems
    ),
)]
pub(in crate::http) async fn create(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    request: Request,
) -> ApiResult {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let key = idempotency_key(&head.headers)?;
    let endpoints = &state.app().endpoints;
    let created = endpoints
        .create(scope.id(), &CreateEndpoint::read(&body)?, key.as_ref(), &by)
        .await?;
    let head = |endpoint: &Endpoint| {
        let location = format!("/tenants/{}/endpoints/{}", scope.id(), endpoint.id);
        let location = HeaderValue::try_from(location).expect("ids are letters and digits");
        ([(LOCATION, location)], etag(endpoint.version))
    };
    Ok(match &created {
        CreatedEndpoint::Made(made) => {
            let view = Json(EndpointWithSecretView::from(made));
            let (location, tag) = head(&made.endpoint);
            (StatusCode::CREATED, location, tag, view).into_response()
        }
        CreatedEndpoint::Repeated { endpoint, secret } => {
            let (location, tag) = head(endpoint);
            let replayed = [(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"))];
            let view = Json(RepeatedEndpointView::new(endpoint, secret.as_ref()));
            (location, tag, replayed, view).into_response()
        }
    })
}

problems!(ListProblems: STORE);

/// List the endpoints of a tenant
///
/// All of them, the oldest first.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/endpoints", operation_id = "listEndpoints", tag = "Endpoints",
    responses((status = 200, description = "Its endpoints.", body = PageView<EndpointView>), ListProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    scope: TenantScope,
) -> ApiResult<Json<PageView<EndpointView>>> {
    let endpoints = state.app().endpoints.list(scope.id()).await?;
    Ok(Json(PageView::complete(
        endpoints.iter().map(EndpointView::from).collect(),
    )))
}

problems!(ReadProblems: STORE, &[ErrorCode::EndpointNotFound]);

/// Read an endpoint
///
/// With how far it is. Its secrets and the values of its headers are never shown.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/endpoints/{endpointId}", operation_id = "getEndpoint", tag = "Endpoints",
    responses(
        (status = 200, description = "The endpoint.", body = EndpointWithProgressView,
            headers(("ETag" = String, description = "Its version."))),
        ReadProblems
    ),
)]
pub(in crate::http) async fn read(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
) -> ApiResult<Tagged<EndpointWithProgressView>> {
    let endpoint = state.app().endpoints.find(scope.id(), &id).await?;
    let status = state.app().reading.endpoint_status(&endpoint).await?;
    let view = EndpointWithProgressView::new(&endpoint, &status);
    Ok((etag(endpoint.version), Json(view)))
}

const VERSIONS: &[ErrorCode] = &[
    ErrorCode::EndpointNotFound,
    ErrorCode::Conflict,
    ErrorCode::VersionConflict,
];

problems!(ChangeProblems: BODY, FIELDS, VERSIONS, STORE);

/// Change an endpoint
///
/// With `If-Match` only if it still has that version; without, the last writer wins.
#[utoipa::path(
    patch, path = "/tenants/{tenantId}/endpoints/{endpointId}", operation_id = "changeEndpoint", tag = "Endpoints",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of what was read.")),
    request_body(content = ChangeEndpoint, example = json!({"perSecond": 100})),
    responses(
        (status = 200, description = "The endpoint.", body = EndpointView,
            headers(("ETag" = String, description = "Its version."))),
        ChangeProblems
    ),
)]
pub(in crate::http) async fn change(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(id): ResourceId,
    IfMatch(expected): IfMatch,
    request: Request,
) -> ApiResult<Tagged<EndpointView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let changes = ChangeEndpoint::read(&body)?;
    let endpoints = &state.app().endpoints;
    let endpoint = endpoints.change(scope.id(), &id, &changes, &expected, &by).await?;
    Ok((etag(endpoint.version), Json(EndpointView::from(&endpoint))))
}

problems!(RotateProblems: BODY, VERSIONS, STORE, &[ErrorCode::InvalidField, ErrorCode::UnknownField]);

/// Give an endpoint another secret
///
/// Calls carry the signatures of both for as long as `overlapSeconds` says, so that a receiver that knows either is content.
/// The answer holds the secret, which is shown this one time. Giving it the secret that it has changes nothing. Three
/// secrets are valid at most.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/endpoints/{endpointId}/secret", operation_id = "rotateEndpointSecret",
    tag = "Endpoints",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of what was read.")),
    request_body(content = Option<RotateEndpointSecret>, example = json!({"overlapSeconds": 3_600})),
    responses(
        (status = 200, description = "The endpoint.", body = EndpointWithSecretView,
            headers(("ETag" = String, description = "Its version."))),
        RotateProblems
    ),
)]
pub(in crate::http) async fn rotate(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(id): ResourceId,
    IfMatch(expected): IfMatch,
    request: Request,
) -> ApiResult<Tagged<EndpointWithSecretView>> {
    let (head, body) = request.into_parts();
    let body = body::read_optional_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let asked = RotateEndpointSecret::read(&body)?;
    let new = NewSecret {
        secret: asked.secret.as_ref(),
        overlap: asked.overlap_seconds.map(|seconds| Duration::from_secs(seconds.into())),
    };
    let endpoints = &state.app().endpoints;
    let rotated = endpoints.rotate(scope.id(), &id, new, &expected, &by).await?;
    let tag = etag(rotated.endpoint.version);
    Ok((tag, Json(EndpointWithSecretView::from(&rotated))))
}

problems!(StateProblems: VERSIONS, STORE, &[ErrorCode::BadRequest]);

/// Pause an endpoint
///
/// It is not called until it is resumed; what it does not get waits in the feed, for as long as that is kept. Pausing twice
/// is fine, and one that is disabled stays so.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/endpoints/{endpointId}/pause", operation_id = "pauseEndpoint", tag = "Endpoints",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of what was read.")),
    responses(
        (status = 200, description = "The endpoint.", body = EndpointView,
            headers(("ETag" = String, description = "Its version."))),
        StateProblems
    ),
)]
pub(in crate::http) async fn pause(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(id): ResourceId,
    IfMatch(expected): IfMatch,
) -> ApiResult<Tagged<EndpointView>> {
    let endpoints = &state.app().endpoints;
    let endpoint = endpoints.pause(scope.id(), &id, &expected, &by).await?;
    Ok((etag(endpoint.version), Json(EndpointView::from(&endpoint))))
}

/// Resume an endpoint
///
/// It is called again, whatever stopped it: a pause, or that it was disabled. Resuming twice is fine.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/endpoints/{endpointId}/resume", operation_id = "resumeEndpoint", tag = "Endpoints",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of what was read.")),
    responses(
        (status = 200, description = "The endpoint.", body = EndpointView,
            headers(("ETag" = String, description = "Its version."))),
        StateProblems
    ),
)]
pub(in crate::http) async fn resume(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(id): ResourceId,
    IfMatch(expected): IfMatch,
) -> ApiResult<Tagged<EndpointView>> {
    let endpoints = &state.app().endpoints;
    let endpoint = endpoints.resume(scope.id(), &id, &expected, &by).await?;
    Ok((etag(endpoint.version), Json(EndpointView::from(&endpoint))))
}

/// Remove an endpoint
///
/// What it did not get yet it does not get. With that of the `callbackUrl` the tenant has none any more.
#[utoipa::path(
    delete, path = "/tenants/{tenantId}/endpoints/{endpointId}", operation_id = "removeEndpoint", tag = "Endpoints",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of what was read.")),
    responses((status = 204, description = "Removed."), StateProblems),
)]
pub(in crate::http) async fn remove(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(id): ResourceId,
    IfMatch(expected): IfMatch,
) -> ApiResult<StatusCode> {
    let endpoints = &state.app().endpoints;
    endpoints.remove(scope.id(), &id, &expected, &by).await?;
    Ok(StatusCode::NO_CONTENT)
}
