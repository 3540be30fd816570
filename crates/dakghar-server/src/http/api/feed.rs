//! The feed of a tenant.

use axum::extract::State;
use axum::http::Uri;
use dakghar_core::domain::ErrorCode;

use super::ApiResult;
use crate::http::auth::TenantScope;
use crate::http::openapi::{STORE, problems};
use crate::http::query::{FeedParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::FeedView;

problems!(
    FeedProblems: STORE,
    &[
        ErrorCode::InvalidLimit,
        ErrorCode::InvalidFilter,
        ErrorCode::FeedPlaceUnknown,
        ErrorCode::FeedPlaceGone,
        ErrorCode::Overloaded,
    ]
);

/// Read the feed
///
/// Everything that happens to the tenant, in one order that never changes, each event once: messages that came, what became
/// of those that were sent, Meta's reports, edits, and account events. Places are 1, 2, 3 and so on without gaps. Read on
/// with the `nextCursor` of each page, which is there on every page; one without entries is at the end for now.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/feed", operation_id = "readFeed", tag = "Feed", params(FeedParameters),
    responses((status = 200, description = "A page of the feed, the earliest entry first.", body = FeedView), FeedProblems),
)]
pub(in crate::http) async fn list(State(state): State<HttpState>, scope: TenantScope, uri: Uri) -> ApiResult {
    let parameters = Parameters::of_feed(&uri)?;
    let (page, wants_raw) = (parameters.page()?, parameters.flag("raw")?);
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    let reading = &state.app().reading;
    let feed = reading.feed(scope.id(), parameters.place(), page.limit).await?;
    Ok(turn.answer(&FeedView::new(&feed, wants_raw))?)
}
