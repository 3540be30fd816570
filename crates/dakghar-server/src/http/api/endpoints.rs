//! Endpoints of a tenant: where it wants its events, which of them, and how.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse as _;
use dakghar_core::app::{EndpointChanges, NewEndpoint, StartAt};
use dakghar_core::domain::endpoint::{
    BATCH_DEFAULT, CONCURRENCY_DEFAULT, DeliveryOrder, EndpointFormat, PER_SECOND_DEFAULT,
};
use dakghar_core::domain::{ErrorCode, Problem, Secret, Timestamp};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::{ResourceId, TenantScope};
use crate::http::body;
use crate::http::entity_tags::{IfMatch, etag};
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{EndpointView, EndpointWithSecretView, PageView, endpoint_formats, endpoint_orders};

/// An answer with the entity tag of what it shows.
type Tagged<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

/// An endpoint to make.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what new_endpoint() reads")]
pub(in crate::http) struct CreateEndpoint {
    /// The URL that is called: https, with a public host, without a user, a password or a fragment.
    #[schema(example = "https://example.com/hook")]
    url: String,
    /// Which kinds of entries it gets, as the feed names them, or the beginning of kinds and `*`; without any, all.
    #[schema(example = json!(["message.received", "status.*"]), max_items = 50)]
    kinds: Option<Vec<String>>,
    /// Of which numbers, by Meta's ids; without any, all. What is about no number, such as an event of a whole account,
    /// comes only without.
    #[schema(example = json!(["111111111111111"]), max_items = 100)]
    phone_number_ids: Option<Vec<String>>,
    #[schema(schema_with = endpoint_orders)]
    order: Option<String>,
    /// The most entries in a call, 1 when absent.
    #[schema(minimum = 1, maximum = 100)]
    batch_max: Option<u32>,
    /// The most calls in a second, 50 when absent.
    #[schema(minimum = 1, maximum = 1_000)]
    per_second: Option<u32>,
    /// The most calls under way, 8 when absent.
    #[schema(minimum = 1, maximum = 32)]
    concurrency: Option<u32>,
    /// Headers that are sent with each call, by name: 20 at most, 8 KB together. They take the place of all that were there.
    #[schema(value_type = Option<BTreeMap<String, String>>, example = json!({"Authorization": "Bearer 7f3a"}))]
    headers: Option<BTreeMap<String, Secret>>,
    /// What the challenge of the format `meta` names.
    #[schema(value_type = Option<String>)]
    verify_token: Option<Secret>,
    #[schema(schema_with = endpoint_formats)]
    format: Option<String>,
    /// From where on it gets entries: `now` (when absent), `beginning`, or what came at a time or later.
    #[schema(example = "now")]
    start_at: Option<String>,
    /// The secret that signs its calls: `whsec_` and 24 to 64 bytes in base64 for the format `standard`, 8 to 256 printable
    /// characters for `meta`. Made up when absent.
    #[schema(value_type = Option<String>)]
    secret: Option<Secret>,
}

/// What is changed of an endpoint. What is not named stays; `null` makes it what it is by itself.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what settings() reads")]
pub(in crate::http) struct ChangeEndpoint {
    /// The URL that is called: https, with a public host, without a user, a password or a fragment.
    #[schema(example = "https://example.com/hook")]
    url: Option<String>,
    /// Which kinds of entries it gets, as the feed names them, or the beginning of kinds and `*`; without any, all.
    #[schema(example = json!(["message.received", "status.*"]), max_items = 50)]
    kinds: Option<Vec<String>>,
    /// Of which numbers, by Meta's ids; without any, all. What is about no number, such as an event of a whole account,
    /// comes only without.
    #[schema(example = json!(["111111111111111"]), max_items = 100)]
    phone_number_ids: Option<Vec<String>>,
    #[schema(schema_with = endpoint_orders)]
    order: Option<String>,
    /// The most entries in a call, 1 when absent.
    #[schema(minimum = 1, maximum = 100)]
    batch_max: Option<u32>,
    /// The most calls in a second, 50 when absent.
    #[schema(minimum = 1, maximum = 1_000)]
    per_second: Option<u32>,
    /// The most calls under way, 8 when absent.
    #[schema(minimum = 1, maximum = 32)]
    concurrency: Option<u32>,
    /// Headers that are sent with each call, by name: 20 at most, 8 KB together. They take the place of all that were there.
    #[schema(value_type = Option<BTreeMap<String, String>>, example = json!({"Authorization": "Bearer 7f3a"}))]
    headers: Option<BTreeMap<String, Secret>>,
    /// What the challenge of the format `meta` names.
    #[schema(value_type = Option<String>)]
    verify_token: Option<Secret>,
}

fn settings(fields: &mut Fields) -> Result<EndpointChanges, Problem> {
    // A field that is `null` is back at its default, one that is absent stays.
    let or_default = |given: bool, value: Option<u32>, default| value.or(given.then_some(default));
    let (kinds, numbers) = (fields.has("kinds"), fields.has("phoneNumberIds"));
    let (order, token) = (fields.has("order"), fields.has("verifyToken"));
    let counts = ["batchMax", "perSecond", "concurrency"].map(|name| fields.has(name));
    let has_headers = fields.has("headers");
    let has_url = fields.has("url");
    let url = fields.text("url", ErrorCode::InvalidUrl);
    let verify_token = fields.secret("verifyToken", ErrorCode::InvalidField);
    Ok(EndpointChanges {
        url: url.or_else(|| has_url.then(String::new)),
        kinds: fields
            .texts("kinds", ErrorCode::InvalidEventType)
            .or_else(|| kinds.then(Vec::new)),
        phone_number_ids: fields
            .texts("phoneNumberIds", ErrorCode::InvalidPhoneNumberId)
            .or_else(|| numbers.then(Vec::new)),
        order: fields
            .one_of("order", &DeliveryOrder::ALL, DeliveryOrder::as_str)
            .or(order.then_some(DeliveryOrder::None)),
        batch_max: or_default(counts[0], fields.whole_number("batchMax"), BATCH_DEFAULT),
        per_second: or_default(counts[1], fields.whole_number("perSecond"), PER_SECOND_DEFAULT),
        concurrency: or_default(counts[2], fields.whole_number("concurrency"), CONCURRENCY_DEFAULT),
        headers: headers(fields)?.or_else(|| has_headers.then(Vec::new)),
        verify_token: token.then_some(verify_token),
    })
}

fn headers(fields: &mut Fields) -> Result<Option<Vec<(String, Secret)>>, Problem> {
    let Some(mut given) = fields.object("headers")? else {
        return Ok(None);
    };
    let names = given.names().into_iter();
    let headers = names.map(|name| {
        let value = Secret::new(given.required_text(&name, ErrorCode::InvalidField));
        (name, value)
    });
    let headers = headers.collect();
    given.finish()?;
    Ok(Some(headers))
}

fn new_endpoint(body: &[u8]) -> Result<NewEndpoint, Problem> {
    let mut fields = Fields::parse(body)?;
    let format = fields.one_of("format", &EndpointFormat::ALL, EndpointFormat::as_str);
    let secret = fields.secret("secret", ErrorCode::InvalidField);
    let start = start_at(&mut fields);
    let settings = settings(&mut fields)?;
    fields.finish()?;
    Ok(NewEndpoint {
        format: format.unwrap_or_default(),
        settings,
        start,
        secret,
    })
}

fn start_at(fields: &mut Fields) -> StartAt {
    let text = fields.text("startAt", ErrorCode::InvalidField);
    match text.as_deref() {
        None | Some("now") => StartAt::Now,
        Some("beginning") => StartAt::Beginning,
        Some(time) => match Timestamp::parse_rfc3339(time) {
            Some(time) => StartAt::Time(time),
            None => {
                let message = "must be now, beginning, or a time such as 2026-11-22T10:00:00Z";
                fields.refuse(ErrorCode::InvalidField, "startAt", message);
                StartAt::Now
            }
        },
    }
}

const FIELDS: &[ErrorCode] = &[
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidUrl,
    ErrorCode::HttpsRequired,
    ErrorCode::ForbiddenUrl,
    ErrorCode::InvalidEventType,
    ErrorCode::InvalidPhoneNumberId,
];

problems!(CreateProblems: BODY, FIELDS, STORE, &[ErrorCode::EndpointLimit, ErrorCode::Conflict]);

/// Make an endpoint
///
/// It gets the entries of the tenant's feed from then on. The answer holds its secret, which is shown this one time. A tenant
/// has 20 endpoints at most, that of its `callbackUrl` among them.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/endpoints", operation_id = "createEndpoint", tag = "Endpoints",
    request_body(content = CreateEndpoint, example = json!({"url": "https://example.com/hook",
        "kinds": ["message.received", "status.*"]})),
    responses(
        (status = 201, description = "Made.", body = EndpointWithSecretView,
            headers(("ETag" = String, description = "Its version."), ("Location" = String, description = "Its path."))),
        CreateProblems
    ),
)]
pub(in crate::http) async fn create(State(state): State<HttpState>, scope: TenantScope, request: Request) -> ApiResult {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let made = state.app().endpoints.create(scope.id(), &new_endpoint(&body)?).await?;
    let location = format!("/tenants/{}/endpoints/{}", scope.id(), made.endpoint.id);
    let location = HeaderValue::try_from(location).expect("ids are letters and digits");
    let tag = etag(made.endpoint.version);
    let view = Json(EndpointWithSecretView::from(&made));
    Ok((StatusCode::CREATED, [(LOCATION, location)], tag, view).into_response())
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
/// Its secrets and the values of its headers are never shown.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/endpoints/{endpointId}", operation_id = "getEndpoint", tag = "Endpoints",
    responses(
        (status = 200, description = "The endpoint.", body = EndpointView,
            headers(("ETag" = String, description = "Its version."))),
        ReadProblems
    ),
)]
pub(in crate::http) async fn read(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
) -> ApiResult<Tagged<EndpointView>> {
    let endpoint = state.app().endpoints.find(scope.id(), &id).await?;
    Ok((etag(endpoint.version), Json(EndpointView::from(&endpoint))))
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
    ResourceId(id): ResourceId,
    IfMatch(expected): IfMatch,
    request: Request,
) -> ApiResult<Tagged<EndpointView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let mut fields = Fields::parse(&body)?;
    let changes = settings(&mut fields)?;
    fields.finish()?;
    let endpoints = &state.app().endpoints;
    let endpoint = endpoints.change(scope.id(), &id, &changes, &expected).await?;
    Ok((etag(endpoint.version), Json(EndpointView::from(&endpoint))))
}

/// Another secret of an endpoint.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct RotateEndpointSecret {
    /// The secret; made up when absent.
    #[schema(value_type = Option<String>)]
    secret: Option<Secret>,
    /// How long the one before it signs as well; a day when absent.
    #[schema(minimum = 0, maximum = 2_592_000, example = 3_600)]
    overlap_seconds: Option<u32>,
}

impl RotateEndpointSecret {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(if body.is_empty() { b"{}" } else { body })?;
        let request = Self {
            secret: fields.secret("secret", ErrorCode::InvalidField),
            overlap_seconds: fields.whole_number("overlapSeconds"),
        };
        fields.finish()?;
        Ok(request)
    }
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
    ResourceId(id): ResourceId,
    IfMatch(expected): IfMatch,
    request: Request,
) -> ApiResult<Tagged<EndpointWithSecretView>> {
    let (head, body) = request.into_parts();
    let body = body::read_optional_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let asked = RotateEndpointSecret::read(&body)?;
    let overlap = asked.overlap_seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let endpoints = &state.app().endpoints;
    let rotated = endpoints
        .rotate(scope.id(), &id, asked.secret.as_ref(), overlap, &expected)
        .await?;
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
    ResourceId(id): ResourceId,
    IfMatch(expected): IfMatch,
) -> ApiResult<Tagged<EndpointView>> {
    let endpoint = state.app().endpoints.pause(scope.id(), &id, &expected).await?;
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
    ResourceId(id): ResourceId,
    IfMatch(expected): IfMatch,
) -> ApiResult<Tagged<EndpointView>> {
    let endpoint = state.app().endpoints.resume(scope.id(), &id, &expected).await?;
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
    ResourceId(id): ResourceId,
    IfMatch(expected): IfMatch,
) -> ApiResult<StatusCode> {
    state.app().endpoints.remove(scope.id(), &id, &expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
