//! `/metrics`: what this process counts about itself, as OpenMetrics text. It asks neither the store nor anything else.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use dakghar_core::domain::{ErrorCode, Problem};
use dakghar_core::metrics::{Metrics, Unit};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use super::edge::EdgeLayer;
use super::problem::ApiError;

const OPENMETRICS: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Makes the only route of the listener for metrics.
pub fn metrics_router(metrics: &Arc<Metrics>) -> Router {
    Router::new()
        .route("/metrics", get(export))
        .fallback(async || ApiError::from(Problem::new(ErrorCode::NotFound, "Here is only /metrics.")))
        .layer(EdgeLayer::new(Arc::clone(metrics)))
        .with_state(Arc::new(metrics.registry()))
}

async fn export(State(registry): State<Arc<Registry>>) -> Response {
    let mut body = String::new();
    text::encode(&mut body, &registry).expect("a string takes everything");
    ([(CONTENT_TYPE, OPENMETRICS)], body).into_response()
}

/// Returns the table of metrics, as it is kept in the repository.
pub fn metrics_markdown() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         `/metrics` on `METRICS_ADDR` shows these as OpenMetrics text, which Prometheus reads. Each process counts for\n\
         itself, from its start. Every series is there from the start; no label names a tenant, a number or a person.\n\n\
         | name | type | unit | label | tells |\n| --- | --- | --- | --- | --- |\n",
    );
    for row in Metrics::TABLE {
        let unit = match row.unit {
            Unit::None => "",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
        };
        let label = match row.label {
            // It changes with every release.
            Some(label) if row.kind() == "info" => format!("`{}`", label.name),
            Some(label) => format!("`{}`: {}", label.name, (label.values)().join(", ")),
            None => String::new(),
        };
        let (name, kind, help) = (row.name(), row.kind(), row.help);
        writeln!(text, "| `{name}` | {kind} | {unit} | {label} | {help} |").expect("a string takes everything");
    }
    text
}
