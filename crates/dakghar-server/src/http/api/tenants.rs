//! Tenants: reading, their tokens, pausing, removal.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use dakghar_core::app::TenantChanges;
use dakghar_core::domain::{ErrorCode, LimitChanges, Problem, Secret, TenantLimit};
use tokio::task::JoinError;
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::{Admin, TenantPath, TenantScope};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, LIST, STORE, problems};
use crate::http::problem::ApiError;
use crate::http::query::{PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{ChangedTenantView, PageView, TenantLimitsView, TenantView};

problems!(ListProblems: LIST, STORE);

/// List the tenants
#[utoipa::path(
    get, path = "/tenants", operation_id = "listTenants", tag = "Tenants", params(PageParameters),
    responses((status = 200, description = "A page of tenants.", body = PageView<TenantView>), ListProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    _: Admin,
    uri: Uri,
) -> ApiResult<Json<PageView<TenantView>>> {
    let page = Parameters::of_page(&uri)?.page()?;
    let tenants = state.app().reading.tenants(&page).await?;
    Ok(Json(PageView::of(tenants)))
}

problems!(ReadProblems: STORE);

/// Read a tenant
#[utoipa::path(
    get, path = "/tenants/{tenantId}", operation_id = "getTenant", tag = "Tenants",
    responses((status = 200, description = "The tenant.", body = TenantView), ReadProblems),
)]
pub(in crate::http) async fn read(scope: TenantScope) -> ApiResult<Json<TenantView>> {
    Ok(Json(TenantView::from(&*scope.tenant)))
}

/// What the operator changes of a tenant.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct ChangeTenant {
    /// Limits that are not named stay as they are; `null` stands for the default of the installation.
    #[expect(dead_code, reason = "documents what read() reads")]
    limits: Option<TenantLimitsView>,
    /// Where the tenant wants its events; `null` removes that endpoint.
    #[expect(dead_code, reason = "documents what read() reads")]
    callback_url: Option<String>,
}

impl ChangeTenant {
    fn read(body: &[u8]) -> Result<TenantChanges, Problem> {
        let mut fields = Fields::parse(body)?;
        let mut changes = LimitChanges::new();
        if let Some(mut limits) = fields.object("limits")? {
            for limit in TenantLimit::ALL {
                if limits.has(limit.as_str()) {
                    changes.push((limit, limits.whole_number(limit.as_str())));
                }
            }
            limits.finish()?;
        }
        let has_url = fields.has("callbackUrl");
        let callback_url = fields.text("callbackUrl", ErrorCode::InvalidUrl);
        fields.finish()?;
        Ok(TenantChanges {
            limits: changes,
            callback_url: has_url.then_some(callback_url),
        })
    }
}

problems!(ChangeProblems: BODY, STORE, &[
    ErrorCode::TenantNotFound,
    ErrorCode::Conflict,
    ErrorCode::EndpointLimit,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidUrl,
    ErrorCode::HttpsRequired,
    ErrorCode::ForbiddenUrl,
]);

/// Change a tenant
///
/// A `callbackUrl` is the URL of the tenant's endpoint of that name; where there is none it is made, and `callbackSecret`
/// is its secret.
///
/// Beyond `requestsPerSecond` the tenant's requests are answered `429 rate_limited`. Every answer to its key then has the
/// headers `RateLimit-Policy` and `RateLimit`. The operator's requests are not counted. While as many messages wait as
/// `messagesWaiting` allows, further ones are answered `429 too_many_waiting`, whoever sends them.
#[utoipa::path(
    patch, path = "/tenants/{tenantId}", operation_id = "changeTenant", tag = "Tenants",
    request_body(content = ChangeTenant, example = json!({"limits": {"requestsPerSecond": 100}})),
    responses((status = 200, description = "The tenant.", body = ChangedTenantView), ChangeProblems),
)]
pub(in crate::http) async fn change(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    TenantPath(id): TenantPath,
    request: Request,
) -> ApiResult<Json<ChangedTenantView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(id)).await?;
    let changes = ChangeTenant::read(&body)?;
    let (tenant, secret) = state.app().endpoints.change_tenant(&id, &changes, &by).await?;
    Ok(Json(ChangedTenantView::new(&tenant, secret.as_ref())))
}

problems!(RemoveProblems: STORE, &[
    ErrorCode::InvalidFilter,
    ErrorCode::TenantNotFound,
    ErrorCode::TenantNotEmpty,
    ErrorCode::Conflict,
]);

/// Remove a tenant and everything it owns
///
/// Refused while messages are not settled, unless forced; then they are never sent.
#[utoipa::path(
    delete, path = "/tenants/{tenantId}", operation_id = "removeTenant", tag = "Tenants",
    params(("force" = Option<bool>, Query, description = "Remove it although messages are not settled.")),
    responses((status = 204, description = "Removed; nothing of it is left."), RemoveProblems),
)]
pub(in crate::http) async fn remove(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    TenantPath(id): TenantPath,
    uri: Uri,
) -> ApiResult<StatusCode> {
    let force = Parameters::parse(&uri, &["force"])?.flag("force")?;
    let tenants = state.app().tenants.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "a client that hangs up must not leave half of it"
    )]
    let removal = tokio::spawn(async move { tenants.remove(&id, force, &by).await });
    removal.await.map_err(|error| interrupted(&error))??;
    let tenants = state.app().tenants.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "the answer does not wait; no tenant owns what a stop leaves"
    )]
    tokio::spawn(async move {
        tokio::time::sleep(tenants.forgotten_after()).await;
        if let Err(failure) = tenants.erase_left_behind(&id).await {
            tracing::warn!(tenant_id = %id, %failure, "what was stored during the removal is not erased");
        }
    });
    Ok(StatusCode::NO_CONTENT)
}

fn interrupted(error: &JoinError) -> ApiError {
    let detail = "The removal was interrupted; please ask for it again.";
    ApiError::caused_by(Problem::new(ErrorCode::Internal, detail), error)
}

/// A new access token.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct ReplaceToken {
    /// The token. It is encrypted and never shown again.
    #[schema(example = "mock_token_tenant_A", value_type = String)]
    access_token: Secret,
    /// The number it is for; without it, all numbers of the tenant.
    phone_number_id: Option<String>,
}

impl ReplaceToken {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let request = Self {
            access_token: Secret::new(fields.required_text("accessToken", ErrorCode::InvalidToken)),
            phone_number_id: fields.text("phoneNumberId", ErrorCode::InvalidPhoneNumberId),
        };
        fields.finish()?;
        Ok(request)
    }
}

problems!(TokenProblems: BODY, STORE, &[
    ErrorCode::PhoneNumberNotFound,
    ErrorCode::Conflict,
    ErrorCode::UnknownField,
    ErrorCode::InvalidToken,
    ErrorCode::AccessTokenRefused,
    ErrorCode::InvalidPhoneNumberId,
]);

/// Replace an access token
///
/// Ends the holds that the old token caused; messages held by it are sent.
#[utoipa::path(
    put, path = "/tenants/{tenantId}/access-token", operation_id = "replaceAccessToken", tag = "Tenants",
    request_body(content = ReplaceToken, example = json!({"accessToken": "mock_token_tenant_A"})),
    responses((status = 200, description = "The tenant.", body = TenantView), TokenProblems),
)]
pub(in crate::http) async fn replace_token(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    request: Request,
) -> ApiResult<Json<TenantView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let ReplaceToken {
        access_token,
        phone_number_id,
    } = ReplaceToken::read(&body)?;
    let tenant = state
        .app()
        .tenants
        .replace_token(scope.id(), phone_number_id.as_deref(), &access_token, &by)
        .await?;
    Ok(Json(TenantView::from(&*tenant)))
}

problems!(PauseProblems: STORE, &[ErrorCode::Conflict]);
problems!(ResumeProblems: STORE, &[ErrorCode::Forbidden, ErrorCode::Conflict]);

/// Stop sending for a tenant
///
/// Messages are still accepted and received; they are held. What the admin key pauses, only the admin key resumes.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/pause", operation_id = "pauseTenant", tag = "Tenants",
    responses((status = 200, description = "The tenant.", body = TenantView), PauseProblems),
)]
pub(in crate::http) async fn pause(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
) -> ApiResult<Json<TenantView>> {
    let tenant = state.app().tenants.pause(scope.id(), None, &by).await?;
    Ok(Json(TenantView::from(&*tenant)))
}

/// Send again for a tenant
///
/// Ends every hold of the tenant and its numbers, whatever its reason. A pause by the operator is ended by the admin key
/// only.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/resume", operation_id = "resumeTenant", tag = "Tenants",
    responses((status = 200, description = "The tenant.", body = TenantView), ResumeProblems),
)]
pub(in crate::http) async fn resume(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
) -> ApiResult<Json<TenantView>> {
    let tenant = state.app().tenants.resume(scope.id(), None, &by).await?;
    Ok(Json(TenantView::from(&*tenant)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a panic that is caught")]
    async fn an_interrupted_removal_shows_no_internals() {
        let error = tokio::spawn(async { panic!("a canary") }).await.expect_err("it panics");
        assert!(error.to_string().contains("canary"));
        let ApiError { problem, .. } = interrupted(&error);
        assert_eq!(problem.code, ErrorCode::Internal);
        assert!(!problem.detail.contains("canary"), "{problem}");
    }
}
