//! Parts of Meta's webhooks other than messages and their statuses.

use axum::extract::State;
use axum::http::Uri;

use super::ApiResult;
use crate::http::auth::{Admin, TenantScope};
use crate::http::openapi::{LIST, STORE, problems};
use crate::http::query::{PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{EventView, PageView};

problems!(ListProblems: LIST, STORE);

/// List the events of a tenant
///
/// Account events, and parts of webhooks that could not be placed, as Meta sent them.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/events", operation_id = "listEvents", tag = "Events", params(PageParameters),
    responses((status = 200, description = "A page of events.", body = PageView<EventView>), ListProblems),
)]
pub(in crate::http) async fn list(State(state): State<HttpState>, scope: TenantScope, uri: Uri) -> ApiResult {
    let page = Parameters::of_page(&uri)?.page()?;
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    let events = state.app().reading.events(Some(scope.id()), &page).await?;
    Ok(turn.page(&PageView::<EventView>::of(events))?)
}

/// List what nobody could be found for
///
/// Parts of webhooks that belong to no tenant, as Meta sent them. Nothing is dropped.
#[utoipa::path(
    get, path = "/unrouted", operation_id = "listUnrouted", tag = "Events", params(PageParameters),
    responses((status = 200, description = "A page of events.", body = PageView<EventView>), ListProblems),
)]
pub(in crate::http) async fn list_unrouted(State(state): State<HttpState>, _: Admin, uri: Uri) -> ApiResult {
    let page = Parameters::of_page(&uri)?.page()?;
    let turn = state.budgets().pages.turn(None).await?;
    let events = state.app().reading.events(None, &page).await?;
    Ok(turn.page(&PageView::<EventView>::of(events))?)
}
