//! Everything of a tenant as NDJSON.

use axum::extract::State;
use axum::http::{Extensions, Uri};
use bytes::Bytes;
use dakghar_core::domain::tenant::SharedTenant;
use dakghar_core::domain::{DepartureId, ErrorCode};
use utoipa::IntoParams;

use super::ApiResult;
use crate::http::auth::TenantScope;
use crate::http::connected::Connected;
use crate::http::export::Pages;
use crate::http::openapi::{STORE, problems};
use crate::http::problem::ApiError;
use crate::http::query::{Parameters, invalid_filter};
use crate::http::state::HttpState;
use crate::http::tenant_export::{ExportKind, ExportPosition, export_page};

/// What is exported.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents what export() takes")]
pub(in crate::http) struct ExportParameters {
    /// Only this: `tenant`, `people`, `conversations`, `messages` or `events`. Everything when absent.
    kind: Option<String>,
    /// Where to go on: the `data` of the last line of kind `cursor` that came.
    cursor: Option<String>,
}

problems!(ExportProblems: STORE, &[ErrorCode::InvalidCursor, ErrorCode::InvalidFilter]);

/// Export a tenant
///
/// All that is kept of it, as NDJSON: lines `{"kind", "data"}` of the kinds `tenant`, `person`, `conversation`, `message` and
/// `event`, each as the API shows it. Between them stand lines of the kind `cursor`, behind which a broken export can be resumed;
/// the last line is of the kind `end`, so an answer without it is not complete. What changes meanwhile may be in it as it was
/// before or after. No secret is in it. If the tenant is leaving and waits for its export, an export of everything that is taken to
/// its last line lets that go on.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/export", operation_id = "exportTenant", tag = "Tenants", params(ExportParameters),
    responses(
        (status = 200, description = "Everything, one a line.", content((String = "application/x-ndjson"))),
        ExportProblems,
    ),
)]
pub(in crate::http) async fn export(
    State(state): State<HttpState>,
    scope: TenantScope,
    uri: Uri,
    extensions: Extensions,
) -> ApiResult {
    let parameters = Parameters::parse(&uri, &["kind", "cursor"])?;
    let only = match parameters.get("kind") {
        Some(kind) => Some(ExportKind::parse(kind).ok_or_else(|| invalid_filter("kind is none of an export."))?),
        None => None,
    };
    let position = match parameters.get("cursor") {
        Some(cursor) => ExportPosition::parse(cursor, only)?,
        None => ExportPosition::begin(only),
    };
    // A departure waits for all of it.
    let awaited = match only {
        Some(_) => None,
        None => state.app().departing.awaiting_export(scope.id()).await?,
    };
    let export = Export {
        state,
        tenant: scope.tenant,
        awaited,
        connected: Connected::of(&extensions),
        next: Some(position),
    };
    export.answer().await
}

/// An export under way.
struct Export {
    state: HttpState,
    tenant: SharedTenant,
    /// The departure that waited for it when it began.
    awaited: Option<DepartureId>,
    connected: Connected,
    next: Option<ExportPosition>,
}

impl Pages for Export {
    const WHAT: &'static str = "a tenant";

    fn connected(&self) -> &Connected {
        &self.connected
    }

    async fn page(&mut self) -> Result<Option<Bytes>, ApiError> {
        let Some(position) = self.next.take() else {
            // Its last line was taken.
            if let Some(id) = self.awaited.take() {
                let departing = &self.state.app().departing;
                departing.note_exported(&self.tenant.id, &id).await?;
            }
            return Ok(None);
        };
        let turn = self.state.budgets().pages.turn(Some(self.tenant.id)).await?;
        let (lines, next) = export_page(&self.state.app().reading, &self.tenant, &position).await?;
        self.next = next;
        Ok(Some(turn.lease(lines)?))
    }
}
