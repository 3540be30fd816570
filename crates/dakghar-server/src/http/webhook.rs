//! Meta's webhook. Raw bytes come in, and a short answer goes out once everything in them is durable. Nothing is
//! decoded here.

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse as _, Response};
use dakghar_core::domain::ErrorCode;
use dakghar_core::domain::meta_app::Addressed;
use serde::Serialize;
use utoipa::ToSchema;

use super::api::ApiResult;
use super::auth::ResourceId;
use super::body;
use super::client_addr::ClientAddr;
use super::openapi::{STORE, problems};
use super::state::HttpState;

const X_HUB_SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");

problems!(VerifyProblems: STORE, &[ErrorCode::VerificationFailed]);

/// Verify the webhook
///
/// Meta asks this once, when the webhook is set up. This is the URL of the app of the settings; the token of every other app
/// is taken too, but such an app has a URL of its own.
#[utoipa::path(
    get, path = "/whatsapp/webhook", operation_id = "verifyWebhook", tag = "Webhook",
    params(
        ("hub.mode" = String, Query, description = "`subscribe`"),
        ("hub.verify_token" = String, Query, description = "The configured `VERIFY_TOKEN`, or that of any app."),
        ("hub.challenge" = String, Query, description = "What is sent back, at most 256 bytes."),
    ),
    responses((status = 200, description = "The challenge.", body = String, content_type = "text/plain"),
        VerifyProblems),
)]
pub(super) async fn verify(State(state): State<HttpState>, uri: Uri) -> ApiResult {
    verified(&state, Addressed::AnyApp, &uri).await
}

/// Verify the webhook of an app
///
/// Meta asks this once, when the webhook of this app is set up. Only the app's own token is taken. An app that is not known
/// is answered like one whose token is wrong.
#[utoipa::path(
    get, path = "/whatsapp/webhook/{appId}", operation_id = "verifyAppWebhook", tag = "Webhook",
    params(
        ("hub.mode" = String, Query, description = "`subscribe`"),
        ("hub.verify_token" = String, Query, description = "The verify token of this app."),
        ("hub.challenge" = String, Query, description = "What is sent back, at most 256 bytes."),
    ),
    responses((status = 200, description = "The challenge.", body = String, content_type = "text/plain"),
        VerifyProblems),
)]
pub(super) async fn verify_for_app(State(state): State<HttpState>, ResourceId(id): ResourceId, uri: Uri) -> ApiResult {
    verified(&state, Addressed::OneApp(&id), &uri).await
}

async fn verified(state: &HttpState, addressed: Addressed<'_>, uri: &Uri) -> ApiResult {
    let parameters = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map(|Query(parameters)| parameters)
        .unwrap_or_default();
    let get = |wanted: &str| {
        let found = parameters.iter().find(|(name, _)| name == wanted);
        found.map_or("", |(_, value)| value.as_str())
    };
    let receiving = &state.app().receiving;
    let (mode, token) = (get("hub.mode"), get("hub.verify_token"));
    let challenge = receiving.verify(addressed, mode, token, get("hub.challenge")).await?;
    let mut response = Response::new(challenge.to_owned().into());
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

/// What a webhook came to. Every part of it is durable.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookReceipt)]
pub(super) struct ReceiptView {
    /// Parts received: messages, statuses and events.
    received: usize,
    /// Messages among them that were received before. Statuses and events that Meta repeats are absorbed too, but not
    /// counted here.
    duplicates: usize,
    /// Those among them for which no number, account or message was found, or that could not be understood. They are
    /// kept as they came.
    unrouted: usize,
}

problems!(ReceiveProblems: STORE, &[
    ErrorCode::BadRequest,
    ErrorCode::InvalidSignature,
    ErrorCode::BodyTooLarge,
]);

/// Receive a webhook
///
/// Meta posts here, whichever app it is for; an app beside the one of the settings has a URL of its own. A body that is
/// signed but cannot be understood is kept and answered with 200, because refusing it would only make Meta send it again.
#[utoipa::path(
    post, path = "/whatsapp/webhook", operation_id = "receiveWebhook", tag = "Webhook",
    params(("X-Hub-Signature-256" = Option<String>, Header,
        description = "`sha256=` and the HMAC of the raw body; required once the app secret is configured.")),
    request_body(content = serde_json::Value, content_type = "application/json",
        description = "Meta's webhook, as bytes: it is verified before it is read.",
        example = json!({"entry": [{"changes": [{"value": {"metadata": {"phone_number_id": "111111111111111"},
            "messages": [{"from": "+919111111111", "id": "wamid.123", "type": "text", "text": {"body": "hi"}}]}}]}]})),
    responses((status = 200, description = "Everything in it is durable.", body = ReceiptView), ReceiveProblems),
)]
pub(super) async fn receive(State(state): State<HttpState>, request: Request) -> ApiResult {
    received(&state, Addressed::AnyApp, request).await
}

/// Receive a webhook of an app
///
/// Meta posts here what is for this app. Only what is signed with a secret of the app is taken, and never what is not
/// signed. An app that is not known is answered like one whose signature is wrong.
#[utoipa::path(
    post, path = "/whatsapp/webhook/{appId}", operation_id = "receiveAppWebhook", tag = "Webhook",
    params(("X-Hub-Signature-256" = String, Header,
        description = "`sha256=` and the HMAC of the raw body, with a secret of this app.")),
    request_body(content = serde_json::Value, content_type = "application/json",
        description = "Meta's webhook, as bytes: it is verified before it is read.",
        example = json!({"entry": [{"changes": [{"value": {"metadata": {"phone_number_id": "111111111111111"},
            "messages": [{"from": "+919111111111", "id": "wamid.123", "type": "text", "text": {"body": "hi"}}]}}]}]})),
    responses((status = 200, description = "Everything in it is durable.", body = ReceiptView), ReceiveProblems),
)]
pub(super) async fn receive_for_app(
    State(state): State<HttpState>,
    ResourceId(id): ResourceId,
    request: Request,
) -> ApiResult {
    received(&state, Addressed::OneApp(&id), request).await
}

async fn received(state: &HttpState, addressed: Addressed<'_>, request: Request) -> ApiResult {
    let (head, body) = request.into_parts();
    let config = state.config();
    let signatures: Vec<&[u8]> = head
        .headers
        .get_all(X_HUB_SIGNATURE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    // A client without a signature must not make us hold its body.
    state.app().receiving.expect_signature(addressed, &signatures)?;
    let senders = &state.budgets().webhooks;
    let addr = ClientAddr::of(&head.extensions);
    // Dropped unless the body was read: a webhook that could not be read is posted again like a refused one. A stranger
    // must not be able to say that Meta was not heard.
    let attending = senders.is_known(addr).then(|| state.app().listening.attend());
    let lease = senders.lease(addr);
    let body = body::read(body, config.webhook_body_bytes_max, config.body_read_timeout, lease).await;
    let is_answered = match &body {
        Ok(_) => true,
        Err(problem) => problem.code == ErrorCode::BodyTooLarge,
    };
    if let Some(attending) = attending.filter(|_| is_answered) {
        attending.answered();
    }
    let body = body?;
    let receipt = state.app().receiving.receive(addressed, &body, &signatures).await?;
    senders.verified(addr);
    let view = ReceiptView {
        received: receipt.messages
            + receipt.echoes
            + receipt.statuses
            + receipt.events
            + receipt.unrouted
            + receipt.duplicates,
        duplicates: receipt.duplicates,
        unrouted: receipt.unrouted,
    };
    Ok(Json(view).into_response())
}
