//! Everything of a tenant as NDJSON.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderValue, Uri};
use axum::response::Response;
use bytes::Bytes;
use dakghar_core::domain::ErrorCode;
use dakghar_core::domain::tenant::SharedTenant;
use futures_util::stream;
use utoipa::IntoParams;

use super::ApiResult;
use crate::http::auth::TenantScope;
use crate::http::connected::Connected;
use crate::http::export::NDJSON;
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
/// before or after. No secret is in it.
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
    let export = Export {
        state,
        tenant: scope.tenant,
        connected: Connected::of(&extensions),
        next: Some(position),
    };
    export.answer().await
}

/// An export under way.
struct Export {
    state: HttpState,
    tenant: SharedTenant,
    connected: Connected,
    next: Option<ExportPosition>,
}

impl Export {
    /// The first page is read before the answer begins, so that a store that is away is a problem like any other. A later
    /// one that cannot be read breaks the answer off.
    async fn answer(mut self) -> ApiResult {
        let first = self.page().await?;
        let pages = stream::unfold(Some((self, first)), |export| async move {
            let (mut export, ready) = export?;
            if let Some(bytes) = ready {
                return Some((Ok(bytes), Some((export, None))));
            }
            let connected = export.connected.clone();
            let page = tokio::select! {
                biased;
                () = connected.shut_down() => Err(io::Error::other("the process stops")),
                page = export.page() => page.map_err(|error| io::Error::other(error.problem.detail)),
            };
            match page {
                Ok(bytes) => bytes.map(|bytes| (Ok(bytes), Some((export, None)))),
                Err(error) => {
                    tracing::warn!(%error, "an export of a tenant broke off");
                    Some((Err(error), None))
                }
            }
        });
        let mut response = Response::new(Body::from_stream(pages));
        let media_type = HeaderValue::from_static(NDJSON);
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        Ok(response)
    }

    /// `None` is the end.
    async fn page(&mut self) -> Result<Option<Bytes>, ApiError> {
        let Some(position) = self.next.take() else {
            return Ok(None);
        };
        let turn = self.state.budgets().pages.turn(Some(self.tenant.id)).await?;
        let (lines, next) = export_page(&self.state.app().reading, &self.tenant, &position).await?;
        self.next = next;
        Ok(Some(turn.lease(lines)?))
    }
}
