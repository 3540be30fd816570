//! Messages that ended without reaching anybody.

use axum::extract::State;
use axum::http::{Extensions, HeaderMap, Uri};

use super::ApiResult;
use crate::http::auth::{Admin, TenantScope};
use crate::http::connected::Connected;
use crate::http::export::{Export, wants_export};
use crate::http::openapi::{LIST, STORE, problems};
use crate::http::query::{PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{MessageView, PageView};

problems!(ListProblems: LIST, STORE);

/// List the dead letters of a tenant
///
/// Messages that are dead, failed or expired, newest first. Each can be sent again.
///
/// With `Accept: application/x-ndjson` the answer has all of them, one a line with its timeline, and takes no `limit` and
/// no `cursor`. One that ends while it is read may be missing. An answer that breaks off is not complete.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/dead-letters", operation_id = "listDeadLetters", tag = "Dead letters",
    params(PageParameters),
    responses(
        (status = 200, description = "A page of messages; or all of them, one a line.", content(
            (PageView<MessageView> = "application/json"),
            (String = "application/x-ndjson"),
        )),
        ListProblems,
    ),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    scope: TenantScope,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
) -> ApiResult {
    if wants_export(&headers) {
        Parameters::parse(&uri, &[])?;
        let connected = Connected::of(&extensions);
        return Export::new(state, Some(*scope.id()), connected).answer().await;
    }
    let page = Parameters::of_page(&uri)?.page()?;
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    let messages = state.app().reading.dead_letters(Some(scope.id()), &page).await?;
    Ok(turn.answer(&PageView::<MessageView>::of(messages))?)
}

/// List the dead letters of all tenants
///
/// With `Accept: application/x-ndjson` the answer has all of them, as that of one tenant's.
#[utoipa::path(
    get, path = "/dead-letters", operation_id = "listAllDeadLetters", tag = "Dead letters", params(PageParameters),
    responses(
        (status = 200, description = "A page of messages; or all of them, one a line.", content(
            (PageView<MessageView> = "application/json"),
            (String = "application/x-ndjson"),
        )),
        ListProblems,
    ),
)]
pub(in crate::http) async fn list_all(
    State(state): State<HttpState>,
    _: Admin,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
) -> ApiResult {
    if wants_export(&headers) {
        Parameters::parse(&uri, &[])?;
        return Export::new(state, None, Connected::of(&extensions)).answer().await;
    }
    let page = Parameters::of_page(&uri)?.page()?;
    let turn = state.budgets().pages.turn(None).await?;
    let messages = state.app().reading.dead_letters(None, &page).await?;
    Ok(turn.answer(&PageView::<MessageView>::of(messages))?)
}
