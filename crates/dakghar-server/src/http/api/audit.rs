//! The audit log.

use axum::extract::State;
use axum::http::{Extensions, HeaderMap, Uri};
use bytes::Bytes;
use dakghar_core::app::{AuditEntryAt, Page};
use dakghar_core::domain::audit::AuditQuery;
use dakghar_core::domain::{ErrorCode, TenantId};
use utoipa::IntoParams;

use super::ApiResult;
use crate::http::audit_export::AuditExport;
use crate::http::auth::{Admin, TenantScope};
use crate::http::connected::Connected;
use crate::http::export::{Pages, wants_export};
use crate::http::openapi::{LIST, STORE, problems};
use crate::http::problem::ApiError;
use crate::http::query::{PageParameters, Parameters, invalid_filter};
use crate::http::state::HttpState;
use crate::http::views::{AuditRecordView, PageView};

/// Which records.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what query_of reads")]
pub(in crate::http) struct AuditParameters {
    /// Only by this key, or `settings`, `cli`, `system` or `anonymous`.
    #[param(example = "key_01kb1xn6ab0000000000000001")]
    actor: Option<String>,
    /// Only this action.
    #[param(example = "tenant.key.revoked")]
    action: Option<String>,
    /// At or after this time, RFC 3339.
    #[param(example = "2026-11-22T00:00:00Z")]
    since: Option<String>,
    /// Before this time, RFC 3339.
    until: Option<String>,
}

/// Of which tenant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what list() reads")]
pub(in crate::http) struct AuditTenantParameter {
    /// Only what was done to this tenant, also if it was removed.
    tenant_id: Option<String>,
}

problems!(ListProblems: LIST, STORE, &[ErrorCode::InvalidFilter]);

/// Read the audit log
///
/// Who changed what, and which operators read what people wrote, newest first. Records hold ids and names of settings; of
/// values only those of limits, states and the like. `docs/operating/audit.md` names the actions.
///
/// With `Accept: application/x-ndjson` the answer has all of them in the order of their chain, as lines `{"kind", "data"}`: first
/// `audit`, which says where the chain begins and ends, then a `record` each with its text and hashes, and `end` last, so an
/// answer without it is not complete. It takes no parameters then.
#[utoipa::path(
    get, path = "/audit", operation_id = "listAudit", tag = "Operations",
    params(AuditTenantParameter, AuditParameters, PageParameters),
    responses(
        (status = 200, description = "A page of records; or all of them, one a line.", content(
            (PageView<AuditRecordView> = "application/json"),
            (String = "application/x-ndjson"),
        )),
        ListProblems,
    ),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    _: Admin,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
) -> ApiResult {
    if wants_export(&headers) {
        Parameters::parse(&uri, &[])?;
        let export = Export {
            state,
            connected: Connected::of(&extensions),
            next: Some(AuditExport::begin()),
        };
        return export.answer().await;
    }
    let parameters = Parameters::of_audit(&uri, &["tenantId"])?;
    let tenant_id = match parameters.get("tenantId") {
        Some(text) => Some(TenantId::parse(text).map_err(|_| invalid_filter("tenantId must be an id of a tenant."))?),
        None => None,
    };
    let query = parameters.audit(tenant_id)?;
    let page = page_of(&state, &parameters, query).await?;
    let turn = state.budgets().pages.turn(None).await?;
    Ok(turn.answer(&PageView::<AuditRecordView>::of(page))?)
}

/// Read the audit log of a tenant
///
/// What the tenant and the operators did to it, and when operators read what people wrote to it, newest first. Which operator
/// that was is not shown to the tenant.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/audit", operation_id = "listTenantAudit", tag = "Tenants",
    params(AuditParameters, PageParameters),
    responses((status = 200, description = "A page of records.", body = PageView<AuditRecordView>), ListProblems),
)]
pub(in crate::http) async fn list_of_tenant(State(state): State<HttpState>, scope: TenantScope, uri: Uri) -> ApiResult {
    let parameters = Parameters::of_audit(&uri, &[])?;
    let query = parameters.audit(Some(*scope.id()))?;
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    let page = page_of(&state, &parameters, query).await?;
    let records = page.items.iter().map(AuditRecordView::for_tenant).collect();
    Ok(turn.answer(&PageView::part(records, page.next_cursor))?)
}

async fn page_of(
    state: &HttpState,
    parameters: &Parameters,
    query: AuditQuery,
) -> Result<Page<AuditEntryAt>, ApiError> {
    let page = parameters.page()?;
    Ok(state.app().auditing.list(query, &page).await?)
}

/// An export under way.
struct Export {
    state: HttpState,
    connected: Connected,
    next: Option<AuditExport>,
}

impl Pages for Export {
    const WHAT: &'static str = "the audit log";

    fn connected(&self) -> &Connected {
        &self.connected
    }

    async fn page(&mut self) -> Result<Option<Bytes>, ApiError> {
        let Some(export) = self.next.take() else {
            return Ok(None);
        };
        let turn = self.state.budgets().pages.turn(None).await?;
        let (lines, next) = export.page(&self.state.app().auditing).await?;
        self.next = next;
        Ok(Some(turn.lease(lines)?))
    }
}
