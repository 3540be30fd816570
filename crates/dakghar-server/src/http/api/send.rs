//! `POST /tenants/{tenantId}/send`: the hot path. The body is read and the answer written without an intermediate
//! form.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use dakghar_core::app::AcceptedMessage;
use dakghar_core::domain::send_request::{self, read_mark};
use dakghar_core::domain::trace::{Attribute, SpanName};
use dakghar_core::domain::{ErrorCode, PhoneNumberId};
use dakghar_core::ports::NumberAsk;
use dakghar_core::traces::Span;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiResult;
use super::number_calls::{DoneView, passed_on};
use crate::http::auth::TenantScope;
use crate::http::body;
use crate::http::idempotency::{IDEMPOTENCY_REPLAYED, idempotency_keys};
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::problem::ApiError;
use crate::http::state::HttpState;
use crate::http::trace_parent::trace_parent;
use crate::http::views;

/// A message to send: `to` and `text`, or any other message of Meta's Cloud API as `type` and its object. Unknown
/// types and fields pass through untouched; a field whose name is nearly one of these is refused.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what send_request::parse reads")]
pub(in crate::http) struct SendMessage {
    /// Whom it is for, with `+` and the country code. Spaces, dashes, dots and parentheses are ignored. A number that begins
    /// with `00`, or that no country has, is refused; one without a country code is read in the `defaultCountry` of
    /// the sending number. While its access token is a `mock_` one, `x` stands for a digit. Required, unless `recipient`
    /// is given.
    #[schema(example = "+919111111111")]
    to: Option<String>,
    /// In place of `to`: a person whose number Meta hides.
    recipient: Option<String>,
    /// `individual`, or `group` when `to` is the id of a group.
    #[schema(rename = "recipient_type")]
    recipient_type: Option<String>,
    /// The text, or Meta's text object.
    #[schema(value_type = Option<serde_json::Value>, example = json!("Hello from tenant A"))]
    text: Option<serde_json::Value>,
    /// Meta's name of the type, such as `template`; the object of that name must be there too. Without it, `text`.
    #[schema(rename = "type", example = "text")]
    kind: Option<String>,
    /// Meta's object, named by `type`. The same goes for `image`, `video`, `audio`, `document`, `sticker`, `location`,
    /// `contacts`, `interactive`, `reaction` and every type to come.
    #[schema(value_type = Option<Object>)]
    template: Option<serde_json::Value>,
    /// In place of all fields of the message: Meta's body as it is. Only whom it goes to is checked. Beside it stand
    /// only `from`, the idempotency key, `sendAt`, `expiresAt`, `priority`, `unknownOutcome`, `marketing`,
    /// `requireOpenWindow` and `metadata`.
    #[schema(value_type = Option<Object>, example = json!({"to": "+919111111111", "type": "text", "text": {"body": "Hello"}}))]
    raw: Option<serde_json::Value>,
    /// With a template: sends it through Meta's Marketing Messages endpoint, by this policy (`CLOUD_API_FALLBACK` or
    /// `STRICT`). So does `message_activity_sharing`.
    #[schema(rename = "product_policy", example = "CLOUD_API_FALLBACK")]
    product_policy: Option<String>,
    /// With a template that goes through the Marketing Messages endpoint: whether Meta may use what people do with it.
    #[schema(rename = "message_activity_sharing")]
    message_activity_sharing: Option<bool>,
    /// The message it answers.
    #[schema(value_type = Option<Object>, example = json!({"message_id": "wamid.HBgM"}))]
    context: Option<serde_json::Value>,
    /// Which of the tenant's numbers sends it; the default one when absent.
    from: Option<String>,
    /// The same key with the same content is answered with the first message and nothing is sent. Also as header
    /// `Idempotency-Key`, or as `idempotencyKey`. 1 to 255 printable ASCII characters, not only
    /// blanks.
    #[schema(rename = "idempotency_key", example = "order-1234")]
    idempotency_key: Option<String>,
    /// Not before this time, at most 30 days ahead.
    send_at: Option<String>,
    /// No call to Meta starts after this time.
    expires_at: Option<String>,
    /// `high` for one-time codes, `low` for broadcasts.
    #[schema(schema_with = views::priorities)]
    priority: Option<String>,
    /// What happens when nobody knows whether Meta took it; the tenant's policy when absent.
    #[schema(schema_with = views::unknown_outcomes)]
    unknown_outcome: Option<String>,
    /// `true`: it is marketing, and opt-outs of marketing count for it. So does whatever goes to Meta's endpoint for marketing.
    marketing: Option<bool>,
    /// `true`: only while the person's customer service window is open. It is refused otherwise, and one that waits until the
    /// window has closed ends as `dead` with `window_closed`.
    require_open_window: Option<bool>,
    /// Data of your own: a flat object of at most 2,048 bytes.
    #[schema(value_type = Option<Object>, example = json!({"order": "1234"}))]
    metadata: Option<serde_json::Value>,
    /// Callback data of your own, at most 512 characters. It is not sent to Meta, but shown with the message.
    biz_opaque_callback_data: Option<String>,
}

/// A message was accepted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AcceptedMessage)]
pub(in crate::http) struct AcceptedMessageView {
    /// Our id of the message; of the first one when the key was used before.
    #[schema(example = "msg_01kamt5c8x7v3b9q2w4e6r8t0y")]
    message_id: String,
    /// Its present status.
    #[schema(schema_with = views::statuses)]
    status: String,
    /// Whether it was accepted before under the same key; then nothing was sent now.
    duplicate: bool,
    /// The number in full, only if `to` was one without a country code, and so one of the sending number's
    /// `defaultCountry`.
    #[schema(example = "+919111111111")]
    to: Option<String>,
}

pub(super) const SEND: &[ErrorCode] = &[
    ErrorCode::InvalidIdempotencyKey,
    ErrorCode::PhoneNumberNotFound,
    ErrorCode::TenantLeaving,
    ErrorCode::IdempotencyKeyConflict,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidTo,
    ErrorCode::InvalidType,
    ErrorCode::TypeMismatch,
    ErrorCode::EmptyText,
    ErrorCode::TextTooLong,
    ErrorCode::InvalidText,
    ErrorCode::InvalidTemplate,
    ErrorCode::InvalidMedia,
    ErrorCode::InvalidUrl,
    ErrorCode::ForbiddenUrl,
    ErrorCode::InvalidInteractive,
    ErrorCode::InvalidContext,
    ErrorCode::InvalidExpiresAt,
    ErrorCode::InvalidSendAt,
    ErrorCode::InvalidPolicy,
    ErrorCode::MetadataTooLarge,
    ErrorCode::InvalidMetadata,
    ErrorCode::InvalidPhoneNumberId,
    ErrorCode::TooManyWaiting,
    ErrorCode::OptedOut,
    ErrorCode::WindowClosed,
];

/// What became of a request to send.
#[derive(Serialize, ToSchema)]
#[schema(as = SentMessage)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents what send() answers")]
pub(in crate::http) enum SentView {
    /// A message was accepted.
    Accepted(AcceptedMessageView),
    /// A read mark was passed on to Meta at once.
    Marked(DoneView),
}

problems!(SendProblems: BODY, SEND, STORE, &[ErrorCode::MetaRefused, ErrorCode::MetaUnavailable]);

/// Send a message
///
/// After the answer the message is durable and will reach exactly one final status, whatever happens to this service.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/send", operation_id = "sendMessage", tag = "Sending",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "The same as the field `idempotency_key`."),
        ("traceparent" = Option<String>, Header, description = "The client's span, by the W3C's Trace Context. \
            Where this installation exports traces, those of the message go on from it. A malformed one is ignored."),
    ),
    request_body(content = SendMessage, examples(
        ("Simple text" = (value = json!({"to": "+919111111111", "text": "Hello from tenant A", "idempotency_key": "order-1234"}))),
        ("Template" = (value = json!({"to": "+919111111111", "type": "template", "template": {
            "name": "order_update", "language": {"code": "en"},
            "components": [{"type": "body", "parameters": [{"type": "text", "text": "1234"}]}]}}))),
        ("Text with options" = (value = json!({"to": "+919111111111", "text": {"body": "https://example.com", "preview_url": true},
            "priority": "low", "metadata": {"campaign": "winter"}})))
    )),
    responses(
        (status = 202, description = "Accepted and durable; or a read mark in Meta's form (`status`, `message_id`), which \
            goes to Meta at once and is never queued.", body = SentView,
            example = json!({"messageId": "msg_01kamt5c8x7v3b9q2w4e6r8t0y", "status": "queued", "duplicate": false})),
        (status = 200, description = "The key was used before for the same message; nothing was sent now.",
            body = AcceptedMessageView,
            headers(("Idempotency-Replayed" = String, description = "`true`")),
            example = json!({"messageId": "msg_01kamt5c8x7v3b9q2w4e6r8t0y", "status": "delivered", "duplicate": true})),
        SendProblems,
    ),
)]
pub(in crate::http) async fn send(State(state): State<HttpState>, scope: TenantScope, request: Request) -> ApiResult {
    let parent = || trace_parent(request.headers());
    let mut span = state.app().traces.within(SpanName::Accept, parent);
    let accepted = accept(&state, &scope, request, &mut span).await;
    match &accepted {
        Ok(Sent::Accepted(accepted)) => span.say(Attribute::Message(accepted.message_id)),
        Ok(Sent::Marked(_)) => {}
        Err(error) if error.problem.code.http_status() >= 500 => span.fail(error.problem.code.as_str()),
        Err(error) => span.say(Attribute::Outcome(error.problem.code.as_str())),
    }
    Ok(match accepted? {
        Sent::Accepted(accepted) => answer(&accepted),
        Sent::Marked(answer) => passed_on(StatusCode::ACCEPTED, &answer),
    })
}

/// What became of the request.
enum Sent {
    /// A message was accepted.
    Accepted(AcceptedMessage),
    /// A read mark was passed on, and Meta answered.
    Marked(Arc<str>),
}

async fn accept(state: &HttpState, scope: &TenantScope, request: Request, span: &mut Span) -> Result<Sent, ApiError> {
    span.say(Attribute::Tenant(*scope.id()));
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, state, Some(*scope.id())).await?;
    let keys = idempotency_keys(&head.headers);
    let app = state.app();
    if let Some(mark) = read_mark::read(&body)? {
        let ask = NumberAsk::MarkRead {
            wamid: mark.wamid.as_str(),
            typing: mark.typing,
        };
        let from = mark.from.as_ref().map(PhoneNumberId::as_str);
        return Ok(Sent::Marked(app.number_calls.ask(scope.id(), from, ask).await?));
    }
    // The tenant may have changed while the body arrived.
    let tenant = app.tenants.find(scope.id()).await?;
    let mut request = send_request::parse(&body, &keys, app.wall(), &|from| tenant.home_of(from))?;
    request.trace = span.context();
    Ok(Sent::Accepted(app.accepting.accept(&tenant, request).await?))
}

/// Written by hand: neither the id, the status nor the digits hold a character that JSON escapes.
fn answer(accepted: &AcceptedMessage) -> Response {
    let AcceptedMessage {
        message_id,
        status,
        duplicate,
        to,
    } = accepted;
    let status = status.as_str();
    let to = to.as_ref().map(|to| format!(r#","to":"{to}""#)).unwrap_or_default();
    let body = format!(r#"{{"messageId":"{message_id}","status":"{status}","duplicate":{duplicate}{to}}}"#);
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if *duplicate {
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    } else {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    response
}
