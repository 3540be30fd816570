//! Calls that are no sends: who may make them, the rules that name them, and their journal.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::auth::bearer;
use super::error::{GraphError, json_response, typed_response};
use super::object_id::is_object_id;
use super::refusal::described;
use super::version::Version;
use crate::fault::{CallFacts, Fault};
use crate::server::Connection;
use crate::state::State;

/// How long an answer is withheld at most from a client that never gives up.
const HOLD_MAX: Duration = Duration::from_mins(10);

/// A call of this kind: its name for rules and the journal, what it is about, and who asks.
pub(super) struct Ask<'a> {
    pub(super) call: &'static str,
    pub(super) version: &'a str,
    pub(super) about: &'a str,
}

/// Checks who asks, lets a rule decide, has it done and answers.
pub(super) async fn serve(
    state: &State,
    connection: &Connection,
    ask: Ask<'_>,
    effect: impl FnOnce() -> Result<Value, GraphError> + Send,
) -> Response {
    let Some(version) = Version::serving(ask.version) else {
        return GraphError::unknown_path(ask.version).into_response(Version::newest());
    };
    let fault = state.rules.decide(&CallFacts {
        phone_number_id: ask.about,
        call: Some(ask.call),
        ..CallFacts::default()
    });
    if let Some(refused @ Fault::GraphError { .. }) = fault {
        let error = described(refused);
        state.onboarding.note(ask.call, ask.about, Some(error.code), false);
        return error.into_response(version);
    }
    if fault == Some(Fault::HtmlBadGateway) {
        state.onboarding.note(ask.call, ask.about, None, false);
        let page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
        return typed_response(StatusCode::BAD_GATEWAY, version, "text/html", page);
    }
    if fault == Some(Fault::ResetAfterBody { accept: false }) {
        state.onboarding.note(ask.call, ask.about, None, false);
        match connection.reset().await {}
    }
    let done = effect();
    let code = done.as_ref().err().map(|error| error.code);
    state.onboarding.note(ask.call, ask.about, code, done.is_ok());
    match fault {
        Some(Fault::Slow { ms }) => tokio::time::sleep(Duration::from_millis(ms)).await,
        Some(Fault::TimeoutAfterAccept) => tokio::time::sleep(HOLD_MAX).await,
        Some(Fault::ResetAfterBody { .. }) => match connection.reset().await {},
        Some(Fault::EmptyBody) => return json_response(StatusCode::OK, version, ""),
        Some(Fault::BadJson) => return json_response(StatusCode::OK, version, "{\"succ"),
        _ => {}
    }
    match done {
        Ok(body) => json_response(StatusCode::OK, version, body.to_string()),
        Err(error) => error.into_response(version),
    }
}

/// Meta's order: the token, its proof, the id, and whether the token may see it.
pub(super) fn check(
    state: &State,
    headers: &HeaderMap,
    proof: Option<&str>,
    (id, account): (&str, Option<&str>),
) -> Result<(), GraphError> {
    let token = bearer(headers);
    state.allow(token)?;
    state.check_proof(token, proof)?;
    if !is_object_id(id) {
        return Err(GraphError::no_such_object(id));
    }
    let shared = token
        .map(|token| state.known_tokens.get(token).waba_ids)
        .unwrap_or_default();
    match account {
        Some(account) if !shared.is_empty() && !shared.iter().any(|id| id == account) => {
            Err(GraphError::no_such_object(id))
        }
        _ => Ok(()),
    }
}
