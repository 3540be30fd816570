//! What became of the deliveries to an endpoint: its exceptions, and the attempts.

use axum::extract::State;
use axum::http::Uri;
use dakghar_core::domain::ErrorCode;
use dakghar_core::ports::ExceptionsAsked;

use crate::http::api::ApiResult;
use crate::http::auth::{ResourceId, TenantScope};
use crate::http::openapi::{LIST, STORE, problems};
use crate::http::query::{ExceptionParameters, PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{AttemptView, ExceptionView, PageView};

problems!(DeliveriesProblems: LIST, STORE, &[ErrorCode::EndpointNotFound]);

/// List what an endpoint has not taken
///
/// In the order of the feed, the earliest first: with `state=open` what is tried again and what waits for such a one, with
/// `state=dead` what is not tried by itself any more. Dead ones are kept for 30 days.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/endpoints/{endpointId}/exceptions", operation_id = "listEndpointExceptions",
    tag = "Endpoints", params(ExceptionParameters, PageParameters),
    responses((status = 200, description = "A page of exceptions.", body = PageView<ExceptionView>), DeliveriesProblems),
)]
pub(in crate::http) async fn exceptions(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
    uri: Uri,
) -> ApiResult {
    let parameters = Parameters::of_exceptions(&uri)?;
    let (page, are_dead) = (parameters.page()?, parameters.wants_dead()?);
    let asked = if are_dead {
        ExceptionsAsked::Dead
    } else {
        ExceptionsAsked::Open
    };
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    let exceptions = state.app().reading.exceptions(scope.id(), &id, asked, &page).await?;
    Ok(turn.page(&PageView::<ExceptionView>::of(exceptions))?)
}

/// List the attempts of an endpoint
///
/// Every call that was made for it, once for each event that it carried, the latest first. They are kept for 30 days.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/endpoints/{endpointId}/attempts", operation_id = "listEndpointAttempts",
    tag = "Endpoints", params(PageParameters),
    responses((status = 200, description = "A page of attempts.", body = PageView<AttemptView>), DeliveriesProblems),
)]
pub(in crate::http) async fn attempts(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
    uri: Uri,
) -> ApiResult {
    let page = Parameters::of_page(&uri)?.page()?;
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    let attempts = state.app().reading.attempts(scope.id(), &id, &page).await?;
    Ok(turn.page(&PageView::<AttemptView>::of(attempts))?)
}
