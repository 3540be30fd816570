//! The part of a request's handling that is the same for every route: its id, the limits on its head, a panic, a
//! problem, and the headers of the answer.
//!
//! This is one layer and not a stack of them, because it runs for every send. It logs nothing about requests that
//! succeed or that the client got wrong. A failure of ours or a rejected webhook is one line, without bodies, keys or
//! phone numbers.

use std::convert::Infallible;
use std::future::ready;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::extract::{MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse as _, Response};
use dakghar_core::app::FailedRequests;
use dakghar_core::domain::{ErrorCode, Problem};
use dakghar_core::metrics::{Limit, Metrics};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tower::{Layer, Service};

use super::allowance::AllowanceSlot;
use super::graph;
use super::graph::errors::InMetasForm;
use super::ingest::Webhook;
use super::problem::{self, ApiError};
use super::request_id::RequestId;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_CHARS_MAX: usize = 64;
/// The most bytes of path and query.
const URI_BYTES_MAX: usize = 8 * 1024;
/// The most bytes of all header names and values together.
const HEADER_BYTES_MAX: usize = 32 * 1024;

/// Puts [`Edge`] around every route.
#[derive(Clone)]
pub(super) struct EdgeLayer {
    ids: Arc<RequestIds>,
    metrics: Arc<Metrics>,
    failed: Option<Arc<FailedRequests>>,
}

impl EdgeLayer {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            ids: Arc::new(RequestIds::new()),
            metrics,
            failed: None,
        }
    }

    /// The same, which logs once what fails many requests.
    pub(super) fn noting(mut self, failed: &Arc<FailedRequests>) -> Self {
        self.failed = Some(Arc::clone(failed));
        self
    }
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge {
            inner,
            ids: Arc::clone(&self.ids),
            metrics: Arc::clone(&self.metrics),
            failed: self.failed.clone(),
        }
    }
}

/// A route, with the steps that every request goes through before and after it.
#[derive(Clone)]
pub(super) struct Edge<S> {
    inner: S,
    ids: Arc<RequestIds>,
    metrics: Arc<Metrics>,
    failed: Option<Arc<FailedRequests>>,
}

impl<S> Service<Request> for Edge<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let id = given_id(request.headers()).unwrap_or_else(|| self.ids.next());
        let version = request.version();
        let webhook = Webhook::of(&request, &self.metrics);
        if let Some(problem) = refuse(&request) {
            count_refusal(&self.metrics, problem.code);
            webhook.answered(Some(problem.code));
            let mut response = if graph::path::is_metas(request.uri().path()) {
                graph::errors::answer(&problem, id_text(&id), HeaderMap::new())
            } else {
                problem::answer(&problem, id_text(&id), version, HeaderMap::new())
            };
            finish(&mut response, id);
            return Box::pin(ready(Ok(response)));
        }
        let method = request.method().clone();
        let route = request.extensions().get::<MatchedPath>().cloned();
        let allowance = AllowanceSlot::default();
        request.extensions_mut().insert(allowance.clone());
        request.extensions_mut().insert(RequestId(id.clone()));
        let answering = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        let (metrics, failed) = (Arc::clone(&self.metrics), self.failed.clone());
        Box::pin(async move {
            let mut response = match answering.await {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                Err(_panic) => {
                    // The panic itself was reported by the panic hook.
                    let problem = Problem::new(ErrorCode::Internal, "The request was not carried out.");
                    ApiError::from(problem).into_response()
                }
            };
            let error = response.extensions_mut().remove::<ApiError>();
            webhook.answered(error.as_ref().map(|error| error.problem.code));
            if let Some(error) = error {
                count_refusal(&metrics, error.problem.code);
                let code = error.problem.code;
                if failed.is_none_or(|failed| failed.note(code)) {
                    log(&error, &id, &method, route.as_ref());
                }
                let in_metas_form = response.extensions_mut().remove::<InMetasForm>().is_some();
                let headers = std::mem::take(response.headers_mut());
                response = if in_metas_form {
                    graph::errors::answer(&error.problem, id_text(&id), headers)
                } else {
                    problem::answer(&error.problem, id_text(&id), version, headers)
                };
            }
            allowance.show(response.headers_mut());
            finish(&mut response, id);
            Ok(response)
        })
    }
}

/// Returns the problem with the head of the request, if any, whatever the request is for.
fn refuse(request: &Request) -> Option<Problem> {
    let uri_bytes = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if uri_bytes > URI_BYTES_MAX {
        let detail = format!("The path and query have {uri_bytes} bytes; at most {URI_BYTES_MAX} are allowed.");
        return Some(Problem::new(ErrorCode::UriTooLong, detail));
    }
    let header_bytes: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    (header_bytes > HEADER_BYTES_MAX).then(|| {
        let detail = format!("The headers have {header_bytes} bytes; at most {HEADER_BYTES_MAX} are allowed.");
        Problem::new(ErrorCode::HeadersTooLarge, detail)
    })
}

/// Counts the refusals that are made in more than one place. Those of budgets, queues and addresses are counted where
/// they are made.
fn count_refusal(metrics: &Metrics, code: ErrorCode) {
    let limit = match code {
        ErrorCode::BodyTooLarge => Limit::BodyBytes,
        ErrorCode::UriTooLong => Limit::UriBytes,
        ErrorCode::HeadersTooLarge => Limit::HeaderBytes,
        _ => return,
    };
    metrics.refused.of(limit).inc();
}

fn finish(response: &mut Response, id: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

fn log(error: &ApiError, id: &HeaderValue, method: &Method, route: Option<&MatchedPath>) {
    let request_id = id_text(id);
    let ApiError { problem, cause } = error;
    let (code, cause) = (problem.code.as_str(), cause.as_deref());
    let route = route.map_or("-", MatchedPath::as_str);
    match problem.code {
        ErrorCode::Internal => {
            tracing::error!(request_id, %method, route, code, cause, "request failed");
        }
        ErrorCode::StoreFull => {
            let text = "the store is full: it refuses writes, reads go on; further such requests are only counted";
            tracing::error!(request_id, %method, route, code, cause, "{text}");
        }
        ErrorCode::InvalidSignature | ErrorCode::VerificationFailed => {
            tracing::warn!(request_id, %method, route, code, "webhook rejected");
        }
        // The store tells of the record once. Who asks for it again and again must not fill the log.
        ErrorCode::RecordUnreadable => {}
        _ if problem.code.http_status() >= 500 => {
            let text = "request failed; further ones of this code are only counted";
            tracing::warn!(request_id, %method, route, code, cause, "{text}");
        }
        _ => {}
    }
}

/// Returns the client's own request id, if it can be logged and echoed.
fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(X_REQUEST_ID)?;
    let is_sane = (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
        && id
            .as_bytes()
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    is_sane.then(|| id.clone())
}

fn id_text(id: &HeaderValue) -> &str {
    id.to_str().expect("made of letters, digits and a few signs")
}

/// Makes ids that are unique in this process, and between processes as far as 32 random bits go.
struct RequestIds {
    process: u32,
    count: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        let random = RandomState::new().hash_one(std::process::id());
        Self {
            process: u32::try_from(random >> 32).expect("the upper half has 32 bits"),
            count: AtomicU64::new(0),
        }
    }

    fn next(&self) -> HeaderValue {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("req_{:08x}{count:08x}", self.process)).expect("letters and digits")
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn bug() -> &'static str {
        panic!("canary of the panic")
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_that_tells_nothing() {
        let router = Router::new()
            .route("/bug", get(bug))
            .layer(EdgeLayer::new(Arc::default()));
        let request = Request::get("/bug").body(Body::empty()).expect("a request");
        let response = router.oneshot(request).await.expect("infallible");
        assert_eq!(response.status().as_u16(), 500);
        let id = response.headers()["x-request-id"].to_str().expect("text").to_owned();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(problem["code"], "internal");
        assert_eq!(problem["requestId"], id);
        assert!(!problem.to_string().contains("canary"), "{problem}");
    }

    #[test]
    fn ids_of_one_process_differ() {
        let ids = RequestIds::new();
        assert_ne!(ids.next(), ids.next());
    }
}
