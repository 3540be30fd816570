//! What is answered while the store is not open yet: that the process lives, and that it cannot work.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use dakghar_core::domain::{ErrorCode, Problem};

use super::config::HttpConfig;
use super::edge::EdgeLayer;
use super::health;
use super::problem::ApiError;

/// When a client may try again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The routes until the use cases can be reached.
pub fn starting_router(config: &HttpConfig) -> Router {
    let version = config.version;
    Router::new()
        .route("/healthz", get(async move || health::alive(version)))
        .route("/readyz", get(async || health::not_open_yet()))
        .fallback(async || {
            let problem = Problem::new(
                ErrorCode::StoreUnavailable,
                "The service is starting; please try again.",
            );
            ApiError::from(problem.retry_after(RETRY_AFTER))
        })
        .layer(EdgeLayer::new())
}
