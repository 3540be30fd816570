//! The health checks: the process is alive, and it can work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dakghar_core::domain::breaker::Open;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::IsOperator;
use super::state::HttpState;

/// Whether the process is alive.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, or `stopped` when only another process can go on.
    status: &'static str,
    /// The version of the service.
    version: &'static str,
}

/// Whether the process is alive
///
/// It is not when its store has stopped for good; the process then ends by itself.
#[utoipa::path(
    get, path = "/healthz", operation_id = "getHealth", tag = "Operations",
    responses((status = 200, description = "It is.", body = Health),
        (status = 503, description = "It must be started anew.", body = Health)),
)]
pub(super) async fn healthz(State(state): State<HttpState>) -> (StatusCode, Json<Health>) {
    let version = state.config().version;
    if state.app().health.stopped().is_none() {
        return (StatusCode::OK, alive(version));
    }
    let status = "stopped";
    (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status, version }))
}

/// Returns the answer that the process is alive.
pub(super) const fn alive(version: &'static str) -> Json<Health> {
    Json(Health { status: "ok", version })
}

/// Whether the service can work.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Readiness)]
pub(super) struct ReadinessView {
    /// `ready` or `not_ready`.
    status: &'static str,
    /// Everything it needs.
    dependencies: Vec<DependencyView>,
    /// Set while the store refuses writes because it is full, since when. Reads go on.
    #[schema(format = DateTime)]
    store_full_since: Option<String>,
    /// Set while this process cannot reach Meta. Messages are accepted, and wait; the process stays ready.
    meta_unreachable: Option<UnreachableView>,
    /// Set while the key service cannot be used. What needs a key that is not kept in memory waits; the process stays
    /// ready.
    key_service_away: Option<UnreachableView>,
    /// Set while all sending is held, since when. Messages are accepted, and wait; the process stays ready.
    #[schema(format = DateTime)]
    sending_held_since: Option<String>,
}

/// Something outside cannot be reached.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Unreachable)]
pub(super) struct UnreachableView {
    /// Since when.
    #[schema(format = DateTime)]
    since: String,
    /// When the next call tries it.
    #[schema(format = DateTime)]
    next_try_at: String,
    /// Calls that tried it since then and failed.
    tries_failed: u32,
}

impl From<Open> for UnreachableView {
    fn from(open: Open) -> Self {
        Self {
            since: open.since.to_string(),
            next_try_at: open.probe_at.to_string(),
            tries_failed: open.probes,
        }
    }
}

/// Something the service needs.
#[derive(Serialize, ToSchema)]
#[schema(as = Dependency)]
pub(super) struct DependencyView {
    /// `store` or `queue`.
    name: &'static str,
    /// `up` or `down`.
    status: &'static str,
    /// What is wrong with it; in an installation with keys only for the admin key.
    problem: Option<String>,
}

/// Whether the service can work
///
/// Messages are accepted without the queue too; they are sent once it is back.
#[utoipa::path(
    get, path = "/readyz", operation_id = "getReadiness", tag = "Operations",
    responses((status = 200, description = "Everything it needs is up.", body = ReadinessView),
        (status = 503, description = "Something it needs is down.", body = ReadinessView)),
)]
pub(super) async fn readyz(
    State(state): State<HttpState>,
    // The problem texts may name hosts.
    IsOperator(may_see_problems): IsOperator,
) -> (StatusCode, Json<ReadinessView>) {
    let checks = state.readiness().check(state.app()).await;
    let is_ready = checks.iter().all(|(_, check)| check.is_ok());
    let dependencies = checks
        .iter()
        .map(|(name, check)| DependencyView {
            name,
            status: if check.is_ok() { "up" } else { "down" },
            problem: check.as_ref().err().filter(|_| may_see_problems).cloned(),
        })
        .collect();
    let (code, status) = if is_ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
    };
    let view = ReadinessView {
        status,
        dependencies,
        store_full_since: state.app().health.store_full_since().map(|since| since.to_string()),
        meta_unreachable: state.app().health.meta_unreachable().map(UnreachableView::from),
        key_service_away: state.app().health.key_service_away().map(UnreachableView::from),
        sending_held_since: state.app().holding.last_seen().map(|hold| hold.since.to_string()),
    };
    (code, Json(view))
}

/// Returns the answer while the dependencies are being opened.
pub(super) fn not_open_yet() -> (StatusCode, Json<ReadinessView>) {
    let dependencies = ["store", "queue"].map(|name| DependencyView {
        name,
        status: "down",
        problem: Some("it is not open yet".to_owned()),
    });
    let view = ReadinessView {
        status: "not_ready",
        dependencies: dependencies.into(),
        store_full_since: None,
        meta_unreachable: None,
        key_service_away: None,
        sending_held_since: None,
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(view))
}
