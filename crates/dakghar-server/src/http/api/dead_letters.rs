//! Messages that ended without reaching anybody.

use axum::extract::State;
use axum::http::Uri;

use super::ApiResult;
use crate::http::auth::{Admin, TenantScope};
use crate::http::openapi::{LIST, STORE, problems};
use crate::http::query::{PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{MessageView, PageView};

problems!(ListProblems: LIST, STORE);

/// List the dead letters of a tenant
///
/// Messages that are dead, failed or expired, newest first. Each can be sent again.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/dead-letters", operation_id = "listDeadLetters", tag = "Dead letters",
    params(PageParameters),
    responses((status = 200, description = "A page of messages.", body = PageView<MessageView>), ListProblems),
)]
pub(in crate::http) async fn list(State(state): State<HttpState>, scope: TenantScope, uri: Uri) -> ApiResult {
    let page = Parameters::of_page(&uri)?.page()?;
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    let messages = state.app().reading.dead_letters(Some(scope.id()), &page).await?;
    Ok(turn.answer(&PageView::<MessageView>::of(messages))?)
}

/// List the dead letters of all tenants
#[utoipa::path(
    get, path = "/dead-letters", operation_id = "listAllDeadLetters", tag = "Dead letters", params(PageParameters),
    responses((status = 200, description = "A page of messages.", body = PageView<MessageView>), ListProblems),
)]
pub(in crate::http) async fn list_all(State(state): State<HttpState>, _: Admin, uri: Uri) -> ApiResult {
    let page = Parameters::of_page(&uri)?.page()?;
    let turn = state.budgets().pages.turn(None).await?;
    let messages = state.app().reading.dead_letters(None, &page).await?;
    Ok(turn.answer(&PageView::<MessageView>::of(messages))?)
}
