//! `POST /tenants/{tenantId}/send-bulk`: many messages at once, in one commit. Each has a result of its own.
//!
//! The body counts against the bytes of its tenant until all of it was carried out. The results are written as the
//! connection takes them.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use dakghar_core::app::{AcceptedMessage, BULK_ITEMS_MAX, BulkResult, Failure, Fault};
use dakghar_core::domain::send_request::{self, bulk};
use dakghar_core::domain::tenant::SharedTenant;
use dakghar_core::domain::trace::{Attribute, SpanName};
use dakghar_core::domain::{ErrorCode, Problem};
use futures_util::stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiResult;
use super::send::{SEND, SendMessage};
use crate::http::auth::TenantScope;
use crate::http::body;
use crate::http::export::{NDJSON, wants_export};
use crate::http::idempotency::idempotency_keys;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::problem::type_of;
use crate::http::state::HttpState;
use crate::http::trace_parent::trace_parent;
use crate::http::views;

/// Results that are written at a time.
const RESULTS_AT_ONCE: usize = 50;
/// Messages that are read before other requests have their turn.
const READ_AT_ONCE: usize = 50;

/// What became of one message.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BulkItem)]
pub(in crate::http) struct BulkItemView {
    /// Its place in the request, from 0.
    index: usize,
    /// The HTTP status that it would have had by itself: 202 if it was accepted, 200 if it was accepted before under
    /// the same key.
    #[schema(example = 202)]
    http_status: u16,
    /// Our id of the message; `null` if it was refused.
    #[schema(example = "msg_01kamt5c8x7v3b9q2w4e6r8t0y")]
    message_id: Option<String>,
    /// Its present status; `null` if it was refused.
    #[schema(schema_with = views::statuses_or_null)]
    status: Option<&'static str>,
    /// Whether it was accepted before under the same key; then nothing was sent now.
    duplicate: bool,
    /// The number in full, if `to` was one without a country code.
    #[schema(example = "+919111111111")]
    to: Option<String>,
    /// Why it was refused; `null` if it was not.
    problem: Option<BulkProblemView>,
}

/// Why one message of many was refused.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BulkProblem)]
pub(in crate::http) struct BulkProblemView {
    /// Where the code is explained.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every occurrence.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// Stable, for programs.
    code: &'static str,
    /// This occurrence, for people.
    detail: String,
    /// The fields that are wrong, the first four at most. Their pointers begin with the place of the message.
    errors: Vec<BulkFieldErrorView>,
}

/// One field that is wrong.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BulkFieldError)]
pub(in crate::http) struct BulkFieldErrorView {
    /// JSON pointer to the field, in the whole body.
    #[schema(example = "/17/to")]
    pointer: String,
    /// What is wrong with it.
    message: String,
}

/// What became of all messages, in the order given.
#[derive(ToSchema)]
#[schema(as = BulkResults)]
#[expect(dead_code, reason = "documents what answer() writes")]
pub(in crate::http) struct BulkResultsView {
    /// One for each message.
    data: Vec<BulkItemView>,
}

problems!(BulkProblems: BODY, STORE, SEND, &[ErrorCode::EmptyBatch, ErrorCode::BatchTooLarge]);

/// Send many messages
///
/// Up to 1,000 messages at once, each as `POST …/send` takes it: a JSON array, or a line for each as `application/x-ndjson`.
/// They are stored in one commit, and each has a result of its own in the order given, so one that is refused does not
/// keep the others back. Give each a key of its own: a repetition of the whole is then answered with the first results. The
/// answer is NDJSON, too, for a client that asks for it (`Accept`) or sends it. A client that hangs up changes nothing.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/send-bulk", operation_id = "sendMessages", tag = "Sending",
    params(
        ("traceparent" = Option<String>, Header, description = "The client's span, by the W3C's Trace Context."),
    ),
    request_body(content = Vec<SendMessage>, example = json!([
        {"to": "+919111111111", "text": "Your parcel is on its way", "idempotency_key": "parcel-1"},
        {"to": "+918888888888", "text": "Your parcel is on its way", "idempotency_key": "parcel-2"}])),
    responses(
        (status = 207, description = "Each message was accepted, or refused by itself.", body = BulkResultsView,
            example = json!({"data": [{"index": 0, "httpStatus": 202, "messageId": "msg_01kamt5c8x7v3b9q2w4e6r8t0y",
                "status": "queued", "duplicate": false, "to": null, "problem": null}]})),
        BulkProblems,
    ),
)]
pub(in crate::http) async fn send_bulk(
    State(state): State<HttpState>,
    scope: TenantScope,
    request: Request,
) -> ApiResult {
    let parent = || trace_parent(request.headers());
    let mut span = state.app().traces.within(SpanName::Accept, parent);
    span.say(Attribute::Tenant(*scope.id()));
    let (head, body) = request.into_parts();
    if !idempotency_keys(&head.headers).is_empty() {
        let detail = "One key cannot be that of many messages: give each its own, in its field idempotency_key.";
        return Err(Problem::new(ErrorCode::InvalidIdempotencyKey, detail).into());
    }
    let (body, is_lines) = body::read_many(&head.headers, body, &state, Some(*scope.id())).await?;
    let items = bulk::items(&body, is_lines, BULK_ITEMS_MAX)?;
    // The tenant may have changed while the body arrived.
    let tenant = state.app().tenants.find(scope.id()).await?;
    let mut results = Vec::with_capacity(items.len());
    let mut requests = Vec::with_capacity(items.len());
    let mut places = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        if index % READ_AT_ONCE == READ_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        match read(&state, &tenant, item) {
            Ok(mut request) => {
                request.trace = span.context();
                requests.push(request);
                places.push(index);
                results.push(None);
            }
            Err(problem) => results.push(Some(Err(problem))),
        }
    }
    if !requests.is_empty() {
        let accepted = state.app().bulks.accept(&tenant, requests).await?;
        note_failures(&tenant, &accepted);
        for (index, accepted) in places.into_iter().zip(accepted) {
            results[index] = Some(accepted.map_err(Problem::from));
        }
    }
    drop(body);
    let results = results.into_iter().flatten().collect();
    Ok(answer(results, is_lines || wants_export(&head.headers)))
}

fn read(state: &HttpState, tenant: &SharedTenant, item: &[u8]) -> Result<send_request::SendRequest, Problem> {
    send_request::parse(item, &[], state.app().wall(), &|from| tenant.home_of(from))
}

/// Says once what failed for another reason than the messages themselves.
fn note_failures(tenant: &SharedTenant, results: &BulkResult) {
    let failures = || results.iter().filter_map(|result| result.as_ref().err());
    let is_ours = |failure: &&Failure| failure.fault() != Fault::Caller;
    if let Some(failure) = failures().find(is_ours) {
        let count = failures().filter(is_ours).count();
        tracing::warn!(tenant_id = %tenant.id, %failure, count, "messages of a bulk were not accepted");
    }
}

/// Writes the results, some at a time as the connection has room for them.
fn answer(results: Vec<Result<AcceptedMessage, Problem>>, is_lines: bool) -> Response {
    let results = results.into_iter().enumerate();
    let begun = if is_lines { "" } else { r#"{"data":["# };
    let pieces = stream::unfold(Some((results, begun)), move |left| async move {
        let (mut results, separator) = left?;
        let mut text = String::new();
        let mut separator = separator;
        for (index, result) in results.by_ref().take(RESULTS_AT_ONCE) {
            text.push_str(separator);
            let item = BulkItemView::new(index, result);
            text.push_str(&serde_json::to_string(&item).expect("texts and numbers"));
            separator = if is_lines { "\n" } else { "," };
        }
        let left = if results.len() > 0 {
            Some((results, separator))
        } else {
            text.push_str(if is_lines { "\n" } else { "]}" });
            None
        };
        Some((Ok::<_, Infallible>(Bytes::from(text)), left))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    *response.status_mut() = StatusCode::MULTI_STATUS;
    let media_type = if is_lines { NDJSON } else { "application/json" };
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

impl BulkItemView {
    fn new(index: usize, result: Result<AcceptedMessage, Problem>) -> Self {
        match result {
            Ok(accepted) => Self {
                index,
                http_status: if accepted.duplicate { 200 } else { 202 },
                message_id: Some(accepted.message_id.to_string()),
                status: Some(accepted.status.as_str()),
                duplicate: accepted.duplicate,
                to: accepted.to.as_deref().map(str::to_owned),
                problem: None,
            },
            Err(problem) => Self {
                index,
                http_status: problem.code.http_status(),
                message_id: None,
                status: None,
                duplicate: false,
                to: None,
                problem: Some(BulkProblemView::new(bulk::placed(problem, index))),
            },
        }
    }
}

impl BulkProblemView {
    fn new(problem: Problem) -> Self {
        let errors = problem.errors.into_iter().map(|error| BulkFieldErrorView {
            pointer: error.pointer,
            message: error.message,
        });
        Self {
            kind: type_of(problem.code),
            title: problem.code.title(),
            status: problem.code.http_status(),
            code: problem.code.as_str(),
            detail: problem.detail,
            errors: errors.collect(),
        }
    }
}
