//! `/metrics`: what this process counts about itself, as OpenMetrics text, with exemplars for who asks for it by name, or
//! in Prometheus's older format for who wants only that. It asks neither the store nor anything else.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use dakghar_core::domain::{ErrorCode, Problem};
use dakghar_core::metrics::{Metrics, Row, TENANTS_MAX, TopTenants, Unit};
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

use super::accepting::accepts;
use super::edge::EdgeLayer;
use super::problem::ApiError;

const OPENMETRICS: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const PROMETHEUS: HeaderValue = HeaderValue::from_static(prometheus_text::CONTENT_TYPE);

/// What is exported.
struct Exported {
    metrics: Arc<Metrics>,
    registry: Registry,
}

/// Makes the only route of the listener for metrics.
pub fn metrics_router(metrics: &Arc<Metrics>) -> Router {
    Router::new()
        .route("/metrics", get(export))
        .fallback(async || ApiError::from(Problem::new(ErrorCode::NotFound, "Here is only /metrics.")))
        .layer(EdgeLayer::new(Arc::clone(metrics)))
        .with_state(Arc::new(Exported {
            metrics: Arc::clone(metrics),
            registry: metrics.registry(),
        }))
}

async fn export(State(exported): State<Arc<Exported>>, headers: HeaderMap) -> Response {
    let Exported { metrics, registry } = &*exported;
    let takes_exemplars = accepts(&headers, "application/openmetrics-text");
    let is_prometheus = !takes_exemplars && accepts(&headers, "text/plain");
    let mut body = String::new();
    let (encoded, content_type) = if is_prometheus {
        (prometheus_text::encode(&mut body, registry), PROMETHEUS)
    } else {
        (text::encode(&mut body, registry), OPENMETRICS)
    };
    encoded.expect("a string takes everything");
    if takes_exemplars {
        body = metrics.with_exemplars(&body);
    }
    (
        [(CONTENT_TYPE, content_type), (VARY, HeaderValue::from_static("accept"))],
        body,
    )
        .into_response()
}

/// Returns the tables of metrics, as they are kept in the repository.
pub fn metrics_markdown() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         `/metrics` on `METRICS_ADDR` shows these as OpenMetrics text, which Prometheus reads. Each process counts for\n\
         itself, from its start. Every series is there from the start; no label names a number or a person, nor a tenant.\n\n",
    );
    write_table(&mut text, Metrics::TABLE);
    write!(
        text,
        "\n## By tenant\n\n\
         With `METRICS_TENANTS` from 1 to {TENANTS_MAX} there are these as well, for so many tenants, the busiest of the last\n\
         minutes, and for all others together (`tenant_id=\"other\"`). A tenant that is no longer among them disappears, and\n\
         begins at zero when it is back.\n\n"
    )
    .expect("a string takes everything");
    write_table(&mut text, TopTenants::TABLE);
    text
}

fn write_table(text: &mut String, rows: &[Row]) {
    text.push_str("| name | type | unit | label | tells |\n| --- | --- | --- | --- | --- |\n");
    for row in rows {
        let unit = match row.unit {
            Unit::None => "",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
        };
        let label = match row.label {
            // It changes with every release.
            Some(label) if row.kind() == "info" => format!("`{}`", label.name),
            Some(label) => {
                let values = (label.values)().join(", ");
                let colon = if values.is_empty() { "" } else { ": " };
                format!("`{}`{colon}{values}", label.name)
            }
            None => String::new(),
        };
        let (name, kind, help) = (row.name(), row.kind(), row.help);
        writeln!(text, "| `{name}` | {kind} | {unit} | {label} | {help} |").expect("a string takes everything");
    }
}
