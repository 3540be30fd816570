//! Problems on their way to the client: a handler fails with an [`ApiError`], and the edge turns it into the answer.
//!
//! The edge writes the body because it names the request id, which only the edge knows.

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use dakghar_core::app::{Failure, Fault};
use dakghar_core::domain::{ErrorCode, Problem};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of every problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";
/// The page that explains the codes; the code is the fragment.
const TYPE_PREFIX: &str = "/docs/errors#";

/// A problem on its way to the edge, which answers with it and logs it once.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    /// The problem that the client sees.
    pub(super) problem: Problem,
    /// The cause inside, for the log.
    pub(super) cause: Option<String>,
}

impl ApiError {
    /// Makes a problem whose cause is not for the client.
    pub(super) fn caused_by(problem: Problem, cause: &dyn std::fmt::Display) -> Self {
        Self {
            problem,
            cause: Some(cause.to_string()),
        }
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self { problem, cause: None }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let cause = (failure.fault() != Fault::Caller).then(|| failure.to_string());
        Self {
            problem: failure.into(),
            cause,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status_of(self.problem.code);
        response.extensions_mut().insert(self);
        response
    }
}

/// Why a request was not carried out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(super) struct ProblemView<'a> {
    /// Where the code is explained.
    #[serde(rename = "type")]
    kind: &'a str,
    /// The same for every occurrence.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// Stable, for programs.
    code: &'a str,
    /// This occurrence, for people.
    detail: &'a str,
    /// Also in the header `X-Request-Id`; name it when you ask for help.
    request_id: &'a str,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldErrorView<'a>>,
}

/// One field that is wrong.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FieldError)]
pub(super) struct FieldErrorView<'a> {
    /// JSON pointer to the field.
    pointer: &'a str,
    /// What is wrong with it.
    message: &'a str,
}

impl<'a> ProblemView<'a> {
    /// Makes the problem as clients see it. `kind` is from [`type_of`].
    pub(super) fn new(problem: &'a Problem, kind: &'a str, request_id: &'a str) -> Self {
        Self {
            kind,
            title: problem.code.title(),
            status: problem.code.http_status(),
            code: problem.code.as_str(),
            detail: &problem.detail,
            request_id,
            errors: problem
                .errors
                .iter()
                .map(|error| FieldErrorView {
                    pointer: &error.pointer,
                    message: &error.message,
                })
                .collect(),
        }
    }
}

/// Returns the `type` of problems with this code.
pub(super) fn type_of(code: ErrorCode) -> String {
    format!("{TYPE_PREFIX}{}", code.as_str())
}

/// Returns the HTTP status of a code. A test checks that the table holds error statuses only.
pub(super) fn status_of(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns the header that says when to come again, in whole seconds, if the problem tells it.
pub(super) fn retry_after_of(problem: &Problem) -> Option<HeaderValue> {
    let seconds = problem.retry_after?.as_millis().div_ceil(1000).max(1);
    Some(HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)))
}

/// Makes the answer to a request that failed. `headers` are those of the answer so far, such as `Allow`.
pub(super) fn answer(problem: &Problem, request_id: &str, version: Version, headers: HeaderMap) -> Response {
    let kind = type_of(problem.code);
    let body = serde_json::to_vec(&ProblemView::new(problem, &kind, request_id)).expect("strings and numbers");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status_of(problem.code);
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if let Some(after) = retry_after_of(problem) {
        headers.insert(RETRY_AFTER, after);
    }
    match problem.code {
        ErrorCode::Unauthenticated => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"dakghar\""));
        }
        // HTTP/2 has no such header. There the shutdown itself tells the client.
        ErrorCode::ShuttingDown if version < Version::HTTP_2 => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}
