//! Sending messages: the request is written, and its end is judged.

mod outcome;
mod request;

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::ids::{PhoneNumberId, Wamid};
use dakghar_core::domain::message::{Message, NotSentCause, SendOutcome};
use dakghar_core::ports::{Clock, MessagesApi, SendCall};

use super::http::{CallFailure, GraphHttp};
use request::Unwritable;

/// Meta's messages endpoint.
pub struct MetaMessages {
    http: Arc<GraphHttp>,
    clock: Arc<dyn Clock>,
}

impl MetaMessages {
    /// Sends through this client. `clock` tells how far off a date is that Meta asks to wait for.
    pub const fn new(http: Arc<GraphHttp>, clock: Arc<dyn Clock>) -> Self {
        Self { http, clock }
    }
}

#[async_trait]
impl MessagesApi for MetaMessages {
    async fn send(&self, call: SendCall<'_>) -> SendOutcome {
        if call.token.is_mock_token() {
            return simulated(call.message);
        }
        let body = match request::write(call.message, call.opaque) {
            Ok(body) => body,
            Err(Unwritable(why)) => return not_sent(NotSentCause::Request, why.into()),
        };
        let path = path(&call.message.accepted.phone_number_id);
        match self.http.post_json(&path, call.token, body, call.timeout).await {
            Ok(answer) => outcome::judge(&answer, self.clock.wall()),
            Err(CallFailure::Unreachable(why)) => not_sent(NotSentCause::Host, why),
            Err(CallFailure::Unwritable(why)) => not_sent(NotSentCause::Request, why),
            Err(CallFailure::Unknown(why)) => SendOutcome::Unknown { why },
        }
    }
}

const fn not_sent(cause: NotSentCause, why: Arc<str>) -> SendOutcome {
    SendOutcome::NotSent { cause, why }
}

fn path(phone_number_id: &PhoneNumberId) -> String {
    format!("{phone_number_id}/messages")
}

/// The outcome of a send whose token starts with `mock_`.
fn simulated(message: &Message) -> SendOutcome {
    let id = message.accepted.id.to_string();
    let suffix = id.strip_prefix("msg_").unwrap_or(&id);
    let text = format!("{}{suffix}.{}", Wamid::MOCK_PREFIX, message.delivery.attempt);
    SendOutcome::Accepted {
        wamid: Wamid::parse(&text).expect("letters, digits and dots make a wamid"),
        known_as: Vec::new(),
    }
}
