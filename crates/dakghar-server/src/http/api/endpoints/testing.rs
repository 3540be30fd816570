//! Tests of endpoints.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use dakghar_core::domain::ErrorCode;

use crate::http::api::ApiResult;
use crate::http::auth::{ResourceId, TenantScope};
use crate::http::openapi::{STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{CallbackViews, TestedCallbackView};

problems!(TestProblems: STORE, &[ErrorCode::EndpointNotFound, ErrorCode::RateLimited]);

/// Test an endpoint
///
/// Calls it once, as it would be called otherwise, with an event of the type `endpoint.test` and the header
/// `X-Dakghar-Test: true`, and shows the answer. An endpoint of the format `meta` is sent a webhook without entries. Nothing
/// else changes: a paused or disabled endpoint can be tested, and a failure does not count. One test of a tenant at a time.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/endpoints/{endpointId}/test", operation_id = "testEndpoint", tag = "Endpoints",
    responses((status = 200, description = "The end of the call.", body = TestedCallbackView), TestProblems),
)]
pub(in crate::http) async fn test(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<TestedCallbackView>> {
    let callbacks = state.app().callbacks(Arc::new(CallbackViews));
    let tested = callbacks.test(scope.id(), &id).await?;
    Ok(Json(TestedCallbackView::from(tested)))
}
