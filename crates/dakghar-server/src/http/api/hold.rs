//! The hold of all sending.

use axum::Json;
use axum::extract::State;
use dakghar_core::app::{Failure, HoldReport};
use dakghar_core::domain::hold::UnsettledCount;
use dakghar_core::ports::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::Admin;
use crate::http::by::By;
use crate::http::openapi::{STORE, problems};
use crate::http::problem::ApiError;
use crate::http::state::HttpState;

problems!(HoldProblems: STORE);

/// Whether all sending is held, and what waits.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SendingHold)]
pub(in crate::http) struct HoldView {
    /// True while nothing is sent.
    held: bool,
    /// Since when, by the date; `null` while sending is not held.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// The messages that are not settled, by tenant, number and status, the most first; 10,000 counts at most.
    waiting: Vec<WaitingView>,
}

/// Messages of one number in one status.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WaitingMessages)]
struct WaitingView {
    /// Whose they are.
    tenant_id: String,
    /// The number they are sent from.
    phone_number_id: String,
    /// `queued` and `held` would be sent; of `sending` and `in_doubt` a call may have been made.
    #[schema(example = "queued")]
    status: &'static str,
    /// How many.
    messages: u64,
    /// When the first of them was accepted.
    #[schema(format = DateTime)]
    oldest: String,
    /// Those among them whose time has not come: for a later `sendAt`, or by the pace of the number.
    later: u64,
    /// Those among them that have expired, and will not be sent.
    expired: u64,
}

impl From<&UnsettledCount> for WaitingView {
    fn from(count: &UnsettledCount) -> Self {
        Self {
            tenant_id: count.tenant_id.to_string(),
            phone_number_id: count.phone_number_id.to_string(),
            status: count.status.as_str(),
            messages: count.messages,
            oldest: count.oldest.to_string(),
            later: count.later,
            expired: count.expired,
        }
    }
}

impl From<HoldReport> for HoldView {
    fn from(report: HoldReport) -> Self {
        Self {
            held: report.hold.is_some(),
            since: report.hold.map(|hold| hold.since.to_string()),
            waiting: report.waiting.iter().map(WaitingView::from).collect(),
        }
    }
}

async fn shown(state: &HttpState) -> ApiResult<Json<HoldView>> {
    let report = state.app().holding.report().await.map_err(failed)?;
    Ok(Json(report.into()))
}

fn failed(error: StoreError) -> ApiError {
    Failure::from(error).into()
}

/// Whether all sending is held
///
/// And what would be sent if it were not: the messages that are not settled.
#[utoipa::path(
    get, path = "/hold", operation_id = "getHold", tag = "Operations",
    responses((status = 200, description = "The hold, and what waits.", body = HoldView), HoldProblems),
)]
pub(in crate::http) async fn show(State(state): State<HttpState>, _: Admin) -> ApiResult<Json<HoldView>> {
    shown(&state).await
}

/// Hold all sending
///
/// Nothing is sent any more, by any process, after a restart too, until it is released; what is under way ends within a
/// second or two. Messages are accepted and webhooks received as ever. It is how a restored backup is looked at first:
/// start with `--hold`.
#[utoipa::path(
    put, path = "/hold", operation_id = "beginHold", tag = "Operations",
    responses((status = 200, description = "The hold, and what waits.", body = HoldView), HoldProblems),
)]
pub(in crate::http) async fn begin(State(state): State<HttpState>, _: Admin, By(by): By) -> ApiResult<Json<HoldView>> {
    state.app().holding.begin(&by).await.map_err(failed)?;
    shown(&state).await
}

/// Release all sending
///
/// What waits is sent now, at the pace of its numbers.
#[utoipa::path(
    delete, path = "/hold", operation_id = "releaseHold", tag = "Operations",
    responses((status = 200, description = "What is sent now.", body = HoldView), HoldProblems),
)]
pub(in crate::http) async fn release(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
) -> ApiResult<Json<HoldView>> {
    state.app().holding.release(&by).await.map_err(failed)?;
    shown(&state).await
}
