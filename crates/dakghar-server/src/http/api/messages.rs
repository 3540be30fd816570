//! Messages of a tenant: lists, one message with its timeline, cancelling, sending again.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::IntoResponse as _;
use dakghar_core::domain::message::RedriveOptions;
use dakghar_core::domain::{Actor, ErrorCode, Problem};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::{ResourceId, TenantScope};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{LIST, STORE, problems};
use crate::http::query::{MessageParameters, PageParameters, Parameters, RawParameter};
use crate::http::state::HttpState;
use crate::http::views::{MessageView, PageView};

problems!(ListProblems: LIST, STORE);

/// List messages
///
/// In both directions, newest first, without their timelines. Every filter that is given must match.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/messages", operation_id = "listMessages", tag = "Messages",
    params(MessageParameters, PageParameters),
    responses((status = 200, description = "A page of messages.", body = PageView<MessageView>), ListProblems),
)]
pub(in crate::http) async fn list(State(state): State<HttpState>, scope: TenantScope, uri: Uri) -> ApiResult {
    let parameters = Parameters::of_messages(&uri)?;
    let page = parameters.page()?;
    let Some(query) = parameters.messages(&scope.tenant)? else {
        return Ok(Json(PageView::<MessageView>::complete(Vec::new())).into_response());
    };
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    let messages = state.app().reading.messages(scope.id(), query, &page).await?;
    Ok(turn.page(&PageView::<MessageView>::of(messages))?)
}

problems!(ReadProblems: STORE, &[ErrorCode::MessageNotFound]);

/// Read a message
///
/// With its timeline: every attempt, wait and status, and what Meta's errors mean.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/messages/{messageId}", operation_id = "getMessage", tag = "Messages",
    params(RawParameter),
    responses((status = 200, description = "The message.", body = MessageView), ReadProblems),
)]
pub(in crate::http) async fn read(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
    uri: Uri,
) -> ApiResult<Json<MessageView>> {
    let wants_raw = Parameters::of_message(&uri)?.flag("raw")?;
    let (message, statuses) = state.app().reading.message(scope.id(), &id).await?;
    Ok(Json(MessageView::with_statuses(&message, &statuses, wants_raw)))
}

problems!(CancelProblems: STORE, &[
    ErrorCode::MessageNotFound,
    ErrorCode::NotCancellable,
    ErrorCode::Conflict,
]);

/// Cancel a message
///
/// Possible until a call to Meta could deliver it. Cancelling twice is fine.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/messages/{messageId}/cancel", operation_id = "cancelMessage", tag = "Messages",
    responses((status = 200, description = "The cancelled message.", body = MessageView), CancelProblems),
)]
pub(in crate::http) async fn cancel(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<MessageView>> {
    let message = state.app().changing.cancel(scope.id(), &id, &by).await?;
    Ok(Json(MessageView::full(&message)))
}

/// How to send a dead letter again.
#[derive(Default, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct RedriveMessage {
    /// Send it although it may have been delivered already. Needed when its `deadReason` is `outcome_unknown`, and for
    /// any dead, failed or expired message of which an earlier call may have arrived.
    confirm_duplicate_risk: Option<bool>,
    /// Send it although its `expiresAt` is over or it ended as `expired`. It then has no `expiresAt` any more. One that is
    /// still ahead holds in any case.
    ignore_expiry: Option<bool>,
}

impl RedriveMessage {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let mut fields = Fields::parse(body)?;
        let request = Self {
            confirm_duplicate_risk: Some(fields.flag("confirmDuplicateRisk")),
            ignore_expiry: Some(fields.flag("ignoreExpiry")),
        };
        fields.finish()?;
        Ok(request)
    }
}

problems!(RedriveProblems: STORE, &[
    ErrorCode::MalformedJson,
    ErrorCode::DuplicateField,
    ErrorCode::TooDeep,
    ErrorCode::BadRequest,
    ErrorCode::MessageNotFound,
    ErrorCode::NotRedrivable,
    ErrorCode::ContentRemoved,
    ErrorCode::MessageExpired,
    ErrorCode::DuplicateRiskUnconfirmed,
    ErrorCode::TooManyWaiting,
    ErrorCode::Conflict,
    ErrorCode::BodyTooLarge,
    ErrorCode::UnsupportedMediaType,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
]);

/// Send a dead letter again
///
/// For messages that are dead, failed or expired. The body may be left out. With a tenant's key it needs room among the
/// messages of the tenant that may wait (`limits.messagesWaiting`), as a new message does.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/messages/{messageId}/redrive", operation_id = "redriveMessage",
    tag = "Messages",
    request_body(content = Option<RedriveMessage>, example = json!({"confirmDuplicateRisk": true})),
    responses((status = 200, description = "The message, queued again.", body = MessageView), RedriveProblems),
)]
pub(in crate::http) async fn redrive(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(id): ResourceId,
    request: Request,
) -> ApiResult<Json<MessageView>> {
    let (head, body) = request.into_parts();
    let body = body::read_optional_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let asked = RedriveMessage::read(&body)?;
    let options = RedriveOptions {
        confirm_duplicate_risk: asked.confirm_duplicate_risk.unwrap_or(false),
        ignore_expiry: asked.ignore_expiry.unwrap_or(false),
    };
    let within = (scope.actor == Actor::Tenant).then_some(&*scope.tenant);
    let changing = &state.app().changing;
    let message = changing.redrive(scope.id(), &id, options, within, &by).await?;
    Ok(Json(MessageView::full(&message)))
}
