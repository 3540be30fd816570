//! One call from arrival to decision: the journal entry, the counters, and what follows an acceptance.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;

use super::auth::{bearer, fingerprint};
use super::error::GraphError;
use super::version::Version;
use crate::clock;
use crate::fault::Fault;
use crate::journal::{Endpoint, JournalEntry, Outcome};
use crate::number::Number;
use crate::server::Connection;
use crate::state::State;
use crate::validate::{Request, Send};
use crate::wamid::Direction;
use crate::webhook::{Followup, Outgoing};

/// A call of the messages endpoint that is not decided yet. Exactly one of the methods that take
/// `self` ends it and writes the journal entry.
pub(super) struct Call<'a> {
    state: &'a State,
    connection: &'a Connection,
    pub(super) endpoint: Endpoint,
    phone_number_id: String,
    token_fingerprint: Option<String>,
    to: Option<String>,
    message_type: Option<String>,
    biz_opaque: Option<String>,
    body: Value,
    fault: Option<&'static str>,
}

impl<'a> Call<'a> {
    pub(super) fn begin(
        state: &'a State,
        connection: &'a Connection,
        phone_number_id: String,
        headers: &HeaderMap,
    ) -> Self {
        state.stats.calls.add(1);
        let token = bearer(headers).filter(|_| state.journal.wants_details());
        Self {
            state,
            connection,
            endpoint: Endpoint::Messages,
            phone_number_id,
            token_fingerprint: token.map(fingerprint),
            to: None,
            message_type: None,
            biz_opaque: None,
            body: Value::Null,
            fault: None,
        }
    }

    pub(super) fn phone_number_id(&self) -> &str {
        &self.phone_number_id
    }

    /// Takes from the body, valid or not, what the journal shows.
    pub(super) fn note(&mut self, body: &Value) {
        if !self.state.journal.wants_calls() {
            return;
        }
        let field = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        self.biz_opaque = field("biz_opaque_callback_data");
        self.to = field("to").or_else(|| field("recipient"));
        self.message_type = field("type").or_else(|| field("status"));
    }

    /// Keeps the body for the journal.
    pub(super) fn keep_body(&mut self, body: Value) {
        if self.state.journal.wants_details() {
            self.body = body;
        }
    }

    /// Notes that a rule hit the call.
    pub(super) fn hit_by(&mut self, fault: &Fault) {
        self.fault = Some(fault.name());
        self.state.stats.faults.add(1);
    }

    /// Accepts the request, plans what follows, and gives the body of the answer.
    pub(super) fn accept(self, request: Request, number: Arc<Number>, followup: Followup, is_held: bool) -> Vec<u8> {
        let Request::Send(send) = request else {
            self.end(Outcome::Marked);
            return br#"{"success":true}"#.to_vec();
        };
        let (state, endpoint) = (self.state, self.endpoint);
        let wamid = state.wamids.next(Direction::Outbound, send.recipient.input());
        let answer = answer_to(&send, &wamid, is_held);
        state.stats.accepted.add(1);
        // The journal comes first: a status must never be seen before the call that caused it.
        self.end(Outcome::Accepted { wamid: wamid.clone() });
        if followup != Followup::Silence {
            let message = outgoing(send, endpoint, wamid, number);
            state.webhooks.follow(message, followup, state.latency);
        }
        answer
    }

    /// Refuses with Meta's envelope.
    pub(super) fn refuse(self, error: GraphError, version: Version) -> Response {
        self.state.stats.refused.add(1);
        self.end(Outcome::Refused {
            http: error.http,
            code: Some(error.code),
        });
        error.into_response(version)
    }

    /// Notes a refusal that is not from the Graph API itself.
    pub(super) fn refuse_with_page(self, http: u16) {
        self.state.stats.refused.add(1);
        self.end(Outcome::Refused { http, code: None });
    }

    /// Notes that the call is neither accepted nor answered.
    pub(super) fn drop_unanswered(self) {
        self.end(Outcome::Dropped);
    }

    fn end(self, outcome: Outcome) {
        let journal = &self.state.journal;
        if !journal.wants_calls() {
            return;
        }
        let entry = JournalEntry {
            seq: 0,
            at: clock::timestamp(),
            endpoint: self.endpoint,
            phone_number_id: self.phone_number_id,
            token_fingerprint: self.token_fingerprint,
            to: self.to,
            message_type: self.message_type,
            biz_opaque: self.biz_opaque,
            body: self.body,
            outcome,
            fault: self.fault.map(str::to_owned),
            connection: self.connection.id,
            peer: self.connection.peer,
        };
        if let Err(error) = journal.record(entry) {
            tracing::error!(%error, "cannot write the journal file");
        }
    }
}

fn outgoing(send: Send, endpoint: Endpoint, wamid: String, number: Arc<Number>) -> Outgoing {
    Outgoing {
        wamid,
        number,
        wa_id: send.recipient.wa_id().map(str::to_owned),
        user_id: send.recipient.user_id(),
        group_id: send.recipient.group_id().map(str::to_owned),
        biz_opaque: send.biz_opaque,
        category: match (endpoint, send.kind) {
            (Endpoint::Marketing, _) => "marketing",
            (Endpoint::Messages, "template") => "utility",
            (Endpoint::Messages, _) => "service",
        },
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    messaging_product: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    contacts: Option<[Contact<'a>; 1]>,
    messages: [Message<'a>; 1],
}

#[derive(Serialize)]
struct Contact<'a> {
    input: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wa_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
}

#[expect(clippy::struct_field_names, reason = "Meta's names")]
#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_status: Option<&'static str>,
}

fn answer_to(send: &Send, wamid: &str, is_held: bool) -> Vec<u8> {
    let recipient = &send.recipient;
    let group_id = recipient.group_id();
    let message_status = match (is_held, send.kind) {
        (true, _) => Some("held_for_quality_assessment"),
        (false, "template") => Some("accepted"),
        (false, _) => None,
    };
    let answer = Answer {
        messaging_product: "whatsapp",
        // Meta may leave contacts out for groups, and so do we.
        contacts: group_id.is_none().then(|| {
            [Contact {
                input: recipient.input(),
                wa_id: recipient.wa_id(),
                user_id: recipient.given_user_id(),
            }]
        }),
        messages: [Message {
            id: wamid,
            group_id,
            message_status,
        }],
    };
    serde_json::to_vec(&answer).expect("the answer has string keys and goes to memory")
}
