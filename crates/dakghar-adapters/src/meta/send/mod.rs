//! Sending messages: the request is written, and its end is judged.

mod outcome;
mod request;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::ids::Wamid;
use dakghar_core::domain::message::{Content, Message, NotSentCause, Receipt, SendOutcome};
use dakghar_core::ports::{Clock, MessagesApi, SendCall};
use reqwest::Method;

use super::http::{CallFailure, GraphHttp};
use super::lenient_json::Fields;
use super::proof::{self, Unfit};
use super::usage;
use request::Unwritable;

/// Meta's messages endpoint.
pub struct MetaMessages {
    http: Arc<GraphHttp>,
    clock: Arc<dyn Clock>,
    unfit: Unfit,
}

impl MetaMessages {
    /// Sends through this client. `clock` tells how far off a date is that Meta asks to wait for.
    pub fn new(http: Arc<GraphHttp>, clock: Arc<dyn Clock>) -> Self {
        Self {
            http,
            clock,
            unfit: Unfit::default(),
        }
    }

    async fn post(&self, path: &str, call: &SendCall<'_>, body: String, timeout: Duration) -> SendOutcome {
        match self.http.send_json(Method::POST, path, call.token, body, timeout).await {
            Ok(answer) => {
                *call.used.lock() = usage::read(&answer.headers);
                outcome::judge(&answer, self.clock.wall())
            }
            Err(CallFailure::Unreachable(why)) => not_sent(NotSentCause::Host, why),
            Err(CallFailure::Unwritable(why)) => not_sent(NotSentCause::Request, why),
            Err(CallFailure::Unknown(why) | CallFailure::TooLarge(why)) => SendOutcome::Unknown { why },
        }
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
        let path = path(call.message);
        let began_at = self.clock.uptime();
        let Some(secret) = call.app_secret.filter(|secret| self.unfit.allows(secret, began_at)) else {
            return self.post(&path, &call, body, call.timeout).await;
        };
        let proven = format!("{path}?{}={}", proof::PARAMETER, proof::of(call.token, secret));
        let outcome = self.post(&proven, &call, body.clone(), call.timeout).await;
        if !proof::is_refused(&outcome) {
            return outcome;
        }
        let now = self.clock.uptime();
        if self.unfit.note(secret, now) {
            tracing::warn!("Meta refuses the proof by an app's secret; calls go without it for ten minutes");
        }
        let left = call.timeout.saturating_sub(now.saturating_sub(began_at));
        self.post(&path, &call, body, left).await
    }
}

const fn not_sent(cause: NotSentCause, why: Arc<str>) -> SendOutcome {
    SendOutcome::NotSent { cause, why }
}

/// A template with an option that only Meta's endpoint for marketing has goes there.
fn path(message: &Message) -> String {
    let number = &message.accepted.phone_number_id;
    let endpoint = if is_marketing(&message.accepted.content) {
        "marketing_messages"
    } else {
        "messages"
    };
    format!("{number}/{endpoint}")
}

fn is_marketing(content: &Content) -> bool {
    &*content.kind == "template"
        && content
            .envelope
            .as_deref()
            .and_then(Fields::parse)
            .is_some_and(|fields| {
                ["product_policy", "message_activity_sharing"]
                    .iter()
                    .any(|name| fields.get(name).is_some())
            })
}

/// The outcome of a send whose token starts with `mock_`.
fn simulated(message: &Message) -> SendOutcome {
    let id = message.accepted.id.to_string();
    let suffix = id.strip_prefix("msg_").unwrap_or(&id);
    let text = format!("{}{suffix}.{}", Wamid::MOCK_PREFIX, message.delivery.attempt);
    SendOutcome::Accepted {
        wamid: Wamid::parse(&text).expect("letters, digits and dots make a wamid"),
        known_as: Vec::new(),
        receipt: Receipt::default(),
    }
}
