//! Messages that ended without reaching anybody.

use axum::extract::State;
use axum::http::{Extensions, HeaderMap, Uri};
use dakghar_core::domain::TenantId;

use super::ApiResult;
use crate::http::auth::{Admin, TenantScope};
use crate::http::connected::Connected;
use crate::http::export::{Export, Pages as _, wants_export};
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
    let asked = Asked::of(uri, &headers, &extensions);
    asked.answer(state, Some(*scope.id())).await
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
    Asked::of(uri, &headers, &extensions).answer(state, None).await
}

/// A request for dead letters.
struct Asked {
    uri: Uri,
    is_export: bool,
    connected: Connected,
}

impl Asked {
    fn of(uri: Uri, headers: &HeaderMap, extensions: &Extensions) -> Self {
        Self {
            uri,
            is_export: wants_export(headers),
            connected: Connected::of(extensions),
        }
    }

    /// Answers with those of one tenant, or of all.
    async fn answer(self, state: HttpState, tenant_id: Option<TenantId>) -> ApiResult {
        if self.is_export {
            Parameters::parse(&self.uri, &[])?;
            return Export::new(state, tenant_id, self.connected).answer().await;
        }
        let page = Parameters::of_page(&self.uri)?.page()?;
        let turn = state.budgets().pages.turn(tenant_id).await?;
        let messages = state.app().reading.dead_letters(tenant_id.as_ref(), &page).await?;
        Ok(turn.page(&PageView::<MessageView>::of(messages))?)
    }
}
