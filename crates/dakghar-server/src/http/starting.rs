//! The answers while the store is not open yet: the process is alive, and it cannot work. Every other request waits for
//! the store, as long as a client can be expected to wait.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Version};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use dakghar_core::domain::{ErrorCode, Problem};
use dakghar_core::metrics::Metrics;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::config::HttpConfig;
use super::edge::EdgeLayer;
use super::health;
use super::ingest::Webhook;
use super::problem::ApiError;

/// The time a request waits for the store. A start takes some ten milliseconds, and a restart of the service must not
/// make it fail.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time after which a client may try again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Makes the routes until `opened` brings those of the use cases, which then answer the requests that waited.
pub fn starting_router(config: &HttpConfig, metrics: Arc<Metrics>, opened: watch::Receiver<Option<Router>>) -> Router {
    let closed = closed_router(config, metrics.clone());
    let waiting = move |request: Request| answer(closed.clone(), opened.clone(), metrics.clone(), request);
    Router::new().fallback(waiting)
}

/// Makes the routes of a process whose store is not open: the health checks, unless they are elsewhere, and a refusal.
pub(super) fn closed_router(config: &HttpConfig, metrics: Arc<Metrics>) -> Router {
    let version = config.version;
    let health = if config.health_apart {
        Router::new()
    } else {
        Router::new()
            .route("/healthz", get(async move || health::alive(version)))
            .route("/readyz", get(async || health::not_open_yet()))
    };
    health
        .fallback(async || {
            let problem = Problem::new(
                ErrorCode::StoreUnavailable,
                "The service is starting; please try again.",
            );
            ApiError::from(problem.retry_after(RETRY_AFTER))
        })
        .layer(EdgeLayer::new(metrics))
}

async fn answer(
    closed: Router,
    mut opened: watch::Receiver<Option<Router>>,
    metrics: Arc<Metrics>,
    request: Request,
) -> Response {
    let webhook = Webhook::of(&request, &metrics);
    let version = request.version();
    let patience = match request.uri().path() {
        "/healthz" | "/readyz" => Duration::ZERO,
        _ => PATIENCE,
    };
    let waited = tokio::time::timeout(patience, opened.wait_for(Option::is_some)).await;
    let router = waited.ok().and_then(Result::ok).and_then(|opened| opened.clone());
    // From here the edge of the routes watches it.
    webhook.handed_on();
    let mut answer = router.unwrap_or(closed).oneshot(request).await.into_response();
    // The connections of this time end with it. A client that was not told would lose a request that it sends just then.
    if version < Version::HTTP_2 {
        answer
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}
