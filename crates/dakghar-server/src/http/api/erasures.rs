//! Erasures of people.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use dakghar_core::domain::{Actor, ErrorCode, Problem};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::{ResourceId, TenantScope};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, LIST, STORE, problems};
use crate::http::query::{PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{ErasureView, PageView};

/// Whom to erase.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what begin() takes")]
pub(in crate::http) struct ErasePerson {
    /// The phone number with its country code, or an id of the person at Meta, such as `US.13491208655302741918`.
    #[schema(example = "+919111111111")]
    person: String,
    /// Also look through the webhooks that belong to no tenant. Only the operator may ask for that.
    unrouted: Option<bool>,
}

fn read(body: &[u8]) -> Result<(String, bool), Problem> {
    let mut fields = Fields::parse(body)?;
    let person = fields.required_text("person", ErrorCode::InvalidField);
    let unrouted = fields.flag("unrouted");
    fields.finish()?;
    Ok((person, unrouted))
}

problems!(BeginProblems: BODY, STORE, &[
    ErrorCode::TenantNotFound,
    ErrorCode::Forbidden,
    ErrorCode::TooManyErasures,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
]);

/// Erase a person
///
/// A job begins that deletes what the tenant has of the person, under this number or id and all further ids by which Meta
/// named them: messages with their reports and idempotency keys, events, conversations, names. Messages that wait are
/// cancelled, and those on their way are waited for. It is about what came before; what comes later is a new contact.
/// `docs/operating/retention.md` names every place. It cannot be taken back.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/erasures", operation_id = "erasePerson", tag = "Conversations",
    request_body(content = ErasePerson, example = json!({"person": "+919111111111"})),
    responses((status = 202, description = "The erasure, which has begun.", body = ErasureView), BeginProblems),
)]
pub(in crate::http) async fn begin(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    request: Request,
) -> ApiResult<(StatusCode, Json<ErasureView>)> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let (person, unrouted) = read(&body)?;
    if unrouted && scope.actor != Actor::Operator {
        let detail = "Webhooks of no tenant are the operator's to erase.";
        return Err(Problem::new(ErrorCode::Forbidden, detail).into());
    }
    let erasing = &state.app().erasing;
    let erasure = erasing.begin(scope.id(), &person, unrouted, &by).await?;
    Ok((StatusCode::ACCEPTED, Json(ErasureView::from(&erasure))))
}

problems!(ListProblems: LIST, STORE);

/// List the erasures of people
///
/// Newest first. They are kept as long as the tenant, and name nobody.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/erasures", operation_id = "listErasures", tag = "Conversations",
    params(PageParameters),
    responses((status = 200, description = "A page of erasures.", body = PageView<ErasureView>), ListProblems),
)]
pub(in crate::http) async fn list(State(state): State<HttpState>, scope: TenantScope, uri: Uri) -> ApiResult {
    let page = Parameters::of_page(&uri)?.page()?;
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    let erasures = state.app().reading.erasures(scope.id(), &page).await?;
    Ok(turn.answer(&PageView::<ErasureView>::of(erasures))?)
}

problems!(ReadProblems: STORE, &[ErrorCode::ErasureNotFound]);

/// Read an erasure
///
/// With how far it has come, and what it found.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/erasures/{erasureId}", operation_id = "getErasure", tag = "Conversations",
    responses((status = 200, description = "The erasure.", body = ErasureView), ReadProblems),
)]
pub(in crate::http) async fn one(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<ErasureView>> {
    let erasure = state.app().erasing.find(scope.id(), &id).await?;
    Ok(Json(ErasureView::from(&erasure)))
}
