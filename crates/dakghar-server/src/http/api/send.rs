//! `POST /tenants/{tenantId}/send`: the hot path. The body is read and the answer written without an intermediate
//! form.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use dakghar_core::app::AcceptedMessage;
use dakghar_core::domain::trace::{Attribute, SpanName};
use dakghar_core::domain::{ErrorCode, send_request};
use dakghar_core::traces::Span;
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::TenantScope;
use crate::http::body;
use crate::http::idempotency::{IDEMPOTENCY_REPLAYED, idempotency_keys};
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::problem::ApiError;
use crate::http::state::HttpState;
use crate::http::trace_parent::trace_parent;
use crate::http::views;

/// A message to send: `to` and `text`, or any other message of Meta's Cloud API as `type` and its object. Unknown
/// fields inside Meta's objects pass through untouched.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what send_request::parse reads")]
pub(in crate::http) struct SendMessage {
    /// Whom it is for, with the country code. Spaces, dashes, dots and parentheses are ignored. While the number's
    /// access token is a `mock_` one, `x` stands for a digit. Required, unless `recipient` is given.
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
    /// Data of your own: a flat object of at most 2,048 bytes.
    #[schema(value_type = Option<Object>, example = json!({"order": "1234"}))]
    metadata: Option<serde_json::Value>,
    /// Callback data of your own, at most 512 characters. It is not sent to Meta, but shown with the message.
    biz_opaque_callback_data: Option<String>,
}

/// A message was accepted.
#[derive(ToSchema)]
#[schema(as = AcceptedMessage, rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what answer() writes")]
pub(in crate::http) struct AcceptedMessageView {
    /// Our id of the message; of the first one when the key was used before.
    #[schema(example = "msg_01kamt5c8x7v3b9q2w4e6r8t0y")]
    message_id: String,
    /// Its present status.
    #[schema(schema_with = views::statuses)]
    status: String,
    /// Whether it was accepted before under the same key; then nothing was sent now.
    duplicate: bool,
}

const SEND: &[ErrorCode] = &[
    ErrorCode::InvalidIdempotencyKey,
    ErrorCode::PhoneNumberNotFound,
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
];

problems!(SendProblems: BODY, SEND, STORE);

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
        (status = 202, description = "Accepted and durable.", body = AcceptedMessageView,
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
        Ok(accepted) => span.say(Attribute::Message(accepted.message_id)),
        Err(error) if error.problem.code.http_status() >= 500 => span.fail(error.problem.code.as_str()),
        Err(error) => span.say(Attribute::Outcome(error.problem.code.as_str())),
    }
    Ok(answer(&accepted?))
}

async fn accept(
    state: &HttpState,
    scope: &TenantScope,
    request: Request,
    span: &mut Span,
) -> Result<AcceptedMessage, ApiError> {
    span.say(Attribute::Tenant(*scope.id()));
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, state, Some(*scope.id())).await?;
    let keys = idempotency_keys(&head.headers);
    let app = state.app();
    let mut request = send_request::parse(&body, &keys, app.wall())?;
    request.trace = span.context();
    // The tenant may have changed while the body arrived.
    let tenant = app.tenants.find(scope.id()).await?;
    Ok(app.accepting.accept(&tenant, request).await?)
}

/// Written by hand: neither the id nor the status holds a character that JSON escapes.
fn answer(accepted: &AcceptedMessage) -> Response {
    let AcceptedMessage {
        message_id,
        status,
        duplicate,
    } = accepted;
    let status = status.as_str();
    let body = format!(r#"{{"messageId":"{message_id}","status":"{status}","duplicate":{duplicate}}}"#);
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
