//! `POST /{version}/{phone_number_id}/messages`, and the same for marketing: read, check, let a rule decide, answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::accept::Call;
use super::auth::bearer;
use super::error::{GraphError, json_response, typed_response};
use super::object_id::is_object_id;
use super::refusal::described;
use super::version::Version;
use crate::fault::{CallFacts, Fault};
use crate::journal::Endpoint;
use crate::number::Number;
use crate::server::Connection;
use crate::state::State;
use crate::validate::{Request, check, check_marketing, readable_text};
use crate::webhook::Followup;

/// Largest body read.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long an answer is withheld at most from a client that never gives up.
const HOLD_MAX: Duration = Duration::from_mins(10);

const BAD_GATEWAY_PAGE: &str = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>\
                                <body><h1>502 Bad Gateway</h1></body></html>\n";

/// Parameters of a send.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SendQuery {
    appsecret_proof: Option<String>,
}

/// The parts of a call.
type Came = (Extension<Connection>, Query<SendQuery>, HeaderMap, Body);

pub(crate) async fn send(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<(String, String)>,
    connection: Extension<Connection>,
    query: Query<SendQuery>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    serve(&state, Endpoint::Messages, path, (connection, query, headers, body)).await
}

pub(crate) async fn send_marketing(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<(String, String)>,
    connection: Extension<Connection>,
    query: Query<SendQuery>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    serve(&state, Endpoint::Marketing, path, (connection, query, headers, body)).await
}

async fn serve(
    state: &State,
    endpoint: Endpoint,
    (version, phone_number_id): (String, String),
    (Extension(connection), Query(query), headers, body): Came,
) -> Response {
    let mut call = Call::begin(state, &connection, phone_number_id, &headers);
    call.endpoint = endpoint;
    if state.rules.resets_before_read(call.phone_number_id()) {
        call.hit_by(&Fault::ResetBeforeRead);
        call.drop_unanswered();
        return reset(state, &connection).await;
    }
    let Some(version) = Version::serving(&version) else {
        return call.refuse(GraphError::unknown_path(&version), Version::newest());
    };
    if !is_object_id(call.phone_number_id()) {
        let error = GraphError::no_such_object(call.phone_number_id());
        return call.refuse(error, version);
    }
    let number = state.numbers.get(call.phone_number_id());
    let (request, body) = match read(state, (&headers, &query), body, &number, &mut call).await {
        Ok(read) => read,
        Err(error) => return call.refuse(error, version),
    };
    let fault = decide_fault(state, &call, &request, &body);
    call.keep_body(body);
    if fault.is_none()
        && let Err(error) = state.admit(call.phone_number_id())
    {
        return call.refuse(error, version);
    }
    if fault.is_none()
        && let Request::Send(send) = &request
        && let Err(error) = state.limiter.admit(call.phone_number_id(), send.recipient.input())
    {
        return call.refuse(error, version);
    }
    match answer(call, request, number, fault, version) {
        Answer::After(wait, response) => {
            let wait = state.latency + wait;
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            response
        }
        Answer::Withheld => {
            // This handler is dropped, and with it the sleep, as soon as the client hangs up.
            tokio::time::sleep(HOLD_MAX).await;
            reset(state, &connection).await
        }
        Answer::Reset => reset(state, &connection).await,
    }
}

async fn reset(state: &State, connection: &Connection) -> Response {
    state.stats.resets.add(1);
    match connection.reset().await {}
}

/// Checks token and body. The call learns what the body says even if it is not valid.
async fn read(
    state: &State,
    (headers, query): (&HeaderMap, &SendQuery),
    body: Body,
    number: &Number,
    call: &mut Call<'_>,
) -> Result<(Request, Value), GraphError> {
    let bytes = to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| GraphError::of(100).details("The body is incomplete or above 1 MiB"))?;
    let parsed = serde_json::from_slice::<Value>(&bytes);
    if let Ok(body) = &parsed {
        call.note(body);
    }
    let verdict = state
        .allow(bearer(headers))
        .and_then(|()| state.check_proof(bearer(headers), query.appsecret_proof.as_deref()))
        .and_then(|()| check_call(state, number, call.endpoint, parsed.as_ref()));
    match (verdict, parsed) {
        (Ok(request), Ok(body)) => Ok((request, body)),
        (Ok(_), Err(_)) => unreachable!("a body that is not JSON is refused"),
        (Err(error), parsed) => {
            let as_text = |_| Value::String(String::from_utf8_lossy(&bytes).into_owned());
            call.keep_body(parsed.unwrap_or_else(as_text));
            Err(error)
        }
    }
}

fn check_call(
    state: &State,
    number: &Number,
    endpoint: Endpoint,
    body: Result<&Value, &serde_json::Error>,
) -> Result<Request, GraphError> {
    let body = body.map_err(|error| GraphError::of(100).details(format!("The body is not JSON: {error}")))?;
    let request = check(body, number)?;
    if endpoint == Endpoint::Marketing {
        check_marketing(body, &request)?;
    }
    if matches!(request, Request::Send(_)) && state.webhooks.is_full() {
        return Err(GraphError::of(131_016).details("Too many webhooks are pending"));
    }
    Ok(request)
}

fn decide_fault(state: &State, call: &Call<'_>, request: &Request, body: &Value) -> Option<Fault> {
    let facts = match request {
        Request::MarkRead => CallFacts {
            phone_number_id: call.phone_number_id(),
            message_type: "read",
            ..CallFacts::default()
        },
        Request::Send(send) => CallFacts {
            phone_number_id: call.phone_number_id(),
            call: None,
            to: Some(send.recipient.input()),
            to_digits: send.recipient.wa_id(),
            text: readable_text(body, send.kind),
            biz_opaque: send.biz_opaque.as_deref(),
            message_type: send.kind,
        },
    };
    state.rules.decide(&facts)
}

/// How a decided call is answered.
enum Answer {
    /// With this, after the configured latency and this wait.
    After(Duration, Response),
    /// Not before the client gives up.
    Withheld,
    /// By a reset.
    Reset,
}

/// Decides the call, which writes its journal entry and plans its statuses.
fn answer(mut call: Call<'_>, request: Request, number: Arc<Number>, fault: Option<Fault>, version: Version) -> Answer {
    let ok = |body: Vec<u8>| json_response(StatusCode::OK, version, body);
    let planned = Followup::Planned;
    let Some(fault) = fault else {
        return Answer::After(Duration::ZERO, ok(call.accept(request, number, planned, false)));
    };
    call.hit_by(&fault);
    let mut wait = Duration::ZERO;
    let response = match fault {
        Fault::GraphError { .. } => call.refuse(described(fault), version),
        Fault::HtmlBadGateway => {
            call.refuse_with_page(502);
            typed_response(StatusCode::BAD_GATEWAY, version, "text/html", BAD_GATEWAY_PAGE)
        }
        Fault::EmptyBody => {
            call.accept(request, number, planned, false);
            ok(Vec::new())
        }
        Fault::BadJson => {
            let mut body = call.accept(request, number, planned, false);
            body.truncate(body.len() / 2);
            ok(body)
        }
        Fault::TimeoutAfterAccept => {
            call.accept(request, number, planned, false);
            return Answer::Withheld;
        }
        Fault::ResetAfterBody { accept: true } => {
            call.accept(request, number, planned, false);
            return Answer::Reset;
        }
        Fault::ResetAfterBody { accept: false } | Fault::ResetBeforeRead => {
            call.drop_unanswered();
            return Answer::Reset;
        }
        Fault::Slow { ms } | Fault::WebhookBeforeResponse { ms } => {
            wait = Duration::from_millis(ms);
            ok(call.accept(request, number, planned, false))
        }
        Fault::StatusFailed { code } => ok(call.accept(request, number, Followup::Failed(code), false)),
        Fault::NoWebhook => ok(call.accept(request, number, Followup::Silence, false)),
        Fault::HeldForQuality => ok(call.accept(request, number, Followup::Silence, true)),
    };
    Answer::After(wait, response)
}
