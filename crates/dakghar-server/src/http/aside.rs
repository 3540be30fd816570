//! The listeners beside the main one: health checks on a port of their own, and the port that leads to https.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{HOST, LOCATION};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use dakghar_core::app::App;
use dakghar_core::domain::{ErrorCode, Problem};
use dakghar_core::metrics::Metrics;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::config::HttpConfig;
use super::edge::EdgeLayer;
use super::problem::ApiError;
use super::router::health_router;
use super::starting::closed_router;

/// The port of https that needs no mention.
const HTTPS_PORT: u16 = 443;

/// The listeners beside the main one. They answer from the start of the process on, before the store is open.
pub struct Asides {
    config: HttpConfig,
    metrics: Arc<Metrics>,
    opened: watch::Sender<Option<Router>>,
}

impl Asides {
    /// `config` says who is told what is wrong with a dependency.
    pub fn new(config: HttpConfig, metrics: Arc<Metrics>) -> Self {
        Self {
            config,
            metrics,
            opened: watch::Sender::new(None),
        }
    }

    /// Makes a listener's routes that are the health checks and nothing else.
    pub fn health(&self) -> Router {
        self.health_checks()
            .fallback(async || ApiError::from(Problem::new(ErrorCode::NotFound, "Here are only the health checks.")))
            .layer(EdgeLayer::new(self.metrics.clone()))
    }

    /// Makes the routes of a listener that leads everything to https, but for the health checks if it is to have them. A
    /// request is led to `host` or, where that is `None`, to the host that it names and `port`.
    pub fn redirect(&self, with_health: bool, host: Option<String>, port: u16) -> Router {
        let routes = if with_health {
            self.health_checks()
        } else {
            Router::new()
        };
        routes
            .fallback(move |request: Request| std::future::ready(redirect(&request, host.as_deref(), port)))
            .layer(EdgeLayer::new(self.metrics.clone()))
    }

    /// The store is open: its health is answered from now on. Routers that were made hold the use cases until they end.
    pub fn open(self, app: App) {
        self.opened.send_replace(Some(health_router(app, self.config)));
    }

    fn health_checks(&self) -> Router {
        let closed = closed_router(&self.config, self.metrics.clone());
        let opened = self.opened.subscribe();
        let answer = move |request: Request| {
            let router = opened.borrow().clone().unwrap_or_else(|| closed.clone());
            async move { router.oneshot(request).await.into_response() }
        };
        Router::new()
            .route("/healthz", any(answer.clone()))
            .route("/readyz", any(answer))
    }
}

/// Answers where the same is under https. The method and the body are to stay as they are.
fn redirect(request: &Request, host: Option<&str>, port: u16) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let place = host
        .map(str::to_owned)
        .or_else(|| named_host(request, port))
        .map(|host| format!("https://{host}{path}"))
        .and_then(|url| HeaderValue::try_from(url).ok());
    match place {
        Some(place) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, place)]).into_response(),
        None => ApiError::from(Problem::new(
            ErrorCode::BadRequest,
            "The request names no host; this port only leads to https.",
        ))
        .into_response(),
    }
}

/// Returns the host that the request is for, with the port of https.
fn named_host(request: &Request, port: u16) -> Option<String> {
    let named = request.headers().get(HOST).map(HeaderValue::as_bytes);
    let authority = match named {
        Some(named) => Authority::try_from(named).ok()?,
        // As HTTP/2 names it.
        None => request.uri().authority()?.clone(),
    };
    let host = authority.host();
    if host.is_empty() || authority.as_str().contains('@') {
        return None;
    }
    Some(if port == HTTPS_PORT {
        host.to_owned()
    } else {
        format!("{host}:{port}")
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn place(host: &str, path: &str, fixed: Option<&str>, port: u16) -> Option<String> {
        let request = Request::post(path).header(HOST, host).body(Body::empty());
        let answer = redirect(&request.expect("a request"), fixed, port);
        let place = answer.headers().get(LOCATION)?.to_str().expect("text").to_owned();
        assert_eq!(answer.status(), 308);
        Some(place)
    }

    #[test]
    fn the_same_is_found_under_https() {
        let led = |host, path, port| place(host, path, None, port);
        let all = [
            (led("x.example", "/a?b=c", 443), "https://x.example/a?b=c"),
            (led("x.example:80", "/", 443), "https://x.example/"),
            (led("x.example:8080", "/a", 3000), "https://x.example:3000/a"),
            (led("[::1]:80", "/a", 443), "https://[::1]/a"),
            (
                place("evil.example", "/a", Some("x.example"), 3000),
                "https://x.example/a",
            ),
            (
                led("x.example", "//evil.example/a", 443),
                "https://x.example//evil.example/a",
            ),
        ];
        for (found, expected) in all {
            assert_eq!(found.as_deref(), Some(expected));
        }
        for host in ["", "user@x.example", "a b"] {
            assert_eq!(led(host, "/", 443), None, "{host}");
        }
    }
}
