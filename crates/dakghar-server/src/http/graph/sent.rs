//! Answers about messages, as Meta writes them.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use dakghar_core::app::{AcceptedMessage, Outcome};
use dakghar_core::domain::message::Receipt;
use dakghar_core::domain::send_request::{Recipient, SendRequest};
use dakghar_core::domain::{ConversationKind, Wamid};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::errors::{GraphError, MESSAGE_ID, id_value};
use crate::http::idempotency::IDEMPOTENCY_REPLAYED;

/// Meta's word for a message that it has taken.
const ACCEPTED: &str = "accepted";
/// By it a client says what is to answer it, and an answer which one it is: Meta's, or the id that stands for the message.
pub(super) const ANSWER: HeaderName = HeaderName::from_static("x-dakghar-answer");

/// The parts of a request that its answer repeats.
pub(super) struct Asked {
    /// Whom it is for, as the client wrote it.
    input: String,
    to: Recipient,
    is_template: bool,
}

/// The members that name whom a message is for.
#[derive(Deserialize)]
struct Input<'a> {
    #[serde(borrow, default)]
    to: Option<Cow<'a, str>>,
}

impl Asked {
    /// Keeps what the answer needs of a request and of its body.
    pub(super) fn of(request: &SendRequest, body: &[u8]) -> Self {
        let input = serde_json::from_slice::<Input<'_>>(body)
            .ok()
            .and_then(|input| input.to);
        Self {
            input: input.map_or_else(|| request.to.text.to_string(), Cow::into_owned),
            to: request.to.clone(),
            is_template: &*request.content.kind == "template",
        }
    }

    /// Answers with what became of the message. What is not known is a success under the gateway id: the message will
    /// be sent or told of as failed, and whoever repeated it would send it twice.
    pub(super) fn answer(&self, accepted: &AcceptedMessage, outcome: Outcome) -> Result<Response, GraphError> {
        let (id, receipt, answer) = match outcome {
            Outcome::Refused(error) => return Err(GraphError::Metas(Box::new(error), Some(accepted.message_id))),
            Outcome::Taken { wamid, receipt } => (wamid, receipt.unwrap_or_default(), "wait"),
            Outcome::Open => (Wamid::of_gateway(accepted.message_id), Receipt::default(), "queue"),
        };
        let mut message = Map::new();
        message.insert("id".into(), id.as_str().into());
        if let Some(status) = receipt.status.as_deref().or(self.is_template.then_some(ACCEPTED)) {
            message.insert("message_status".into(), status.into());
        }
        let body = json!({
            "messaging_product": "whatsapp",
            "contacts": [self.contact(&receipt)],
            "messages": [message],
        });
        let mut response = Response::new(Body::from(body.to_string()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(MESSAGE_ID, id_value(accepted.message_id));
        headers.insert(ANSWER, HeaderValue::from_static(answer));
        if accepted.duplicate {
            headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        Ok(response)
    }

    fn contact(&self, receipt: &Receipt) -> Value {
        let id = self.to.id.as_str();
        let is_number = self.to.kind == ConversationKind::Person && id.bytes().all(|byte| byte.is_ascii_digit());
        let is_user = self.to.kind == ConversationKind::Person && !is_number && !self.to.has_placeholders;
        let mut contact = Map::new();
        contact.insert("input".into(), self.input.as_str().into());
        if let Some(wa_id) = receipt.wa_id.as_deref().or(is_number.then_some(id)) {
            contact.insert("wa_id".into(), wa_id.into());
        }
        if let Some(user_id) = receipt.user_id.as_deref().or(is_user.then_some(id)) {
            contact.insert("user_id".into(), user_id.into());
        }
        contact.into()
    }
}
