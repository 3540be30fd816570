//! Calls that are no sends: who may make them, the rules that name them, and their journal.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
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

/// A call about a node, as it comes: which node, who asks, and on which connection.
pub(crate) struct NodeCall {
    pub(super) state: Arc<State>,
    pub(super) version: String,
    /// The node's id.
    pub(super) id: String,
    pub(super) headers: HeaderMap,
    proof: Option<String>,
    connection: Connection,
}

#[derive(Deserialize)]
struct ProofQuery {
    appsecret_proof: Option<String>,
}

/// What a call is made of.
type Given = (
    Path<(String, String)>,
    Extension<Connection>,
    Query<ProofQuery>,
    HeaderMap,
);

impl FromRequestParts<Arc<State>> for NodeCall {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Response> {
        let given = Given::from_request_parts(parts, state).await?;
        let (Path((version, id)), Extension(connection), Query(query), headers) = given;
        Ok(Self {
            state: Arc::clone(state),
            version,
            id,
            headers,
            proof: query.appsecret_proof,
            connection,
        })
    }
}

impl NodeCall {
    /// The token of who asks.
    pub(super) fn token(&self) -> Option<&str> {
        bearer(&self.headers)
    }

    /// As [`serve`], about the node.
    pub(super) async fn serve(
        &self,
        call: &'static str,
        effect: impl FnOnce() -> Result<Value, GraphError> + Send,
    ) -> Response {
        self.serve_about(call, &self.id, effect).await
    }

    /// As [`serve`], about something else.
    pub(super) async fn serve_about(
        &self,
        call: &'static str,
        about: &str,
        effect: impl FnOnce() -> Result<Value, GraphError> + Send,
    ) -> Response {
        let ask = Ask {
            call,
            version: &self.version,
            about,
        };
        serve(&self.state, &self.connection, ask, effect).await
    }

    /// Checks version, token and id, in Meta's order, before the body is made, which may be refused.
    pub(super) fn answer(&self, body: impl FnOnce() -> Result<Value, GraphError>) -> Response {
        let Some(version) = Version::serving(&self.version) else {
            return GraphError::unknown_path(&self.version).into_response(Version::newest());
        };
        if let Err(error) = self.state.allow(self.token()) {
            return error.into_response(version);
        }
        if !is_object_id(&self.id) {
            return GraphError::no_such_object(&self.id).into_response(version);
        }
        match body() {
            Ok(body) => json_response(StatusCode::OK, version, body.to_string()),
            Err(error) => error.into_response(version),
        }
    }

    /// The token, and its proof.
    pub(super) fn check_token(&self) -> Result<(), GraphError> {
        let token = self.token();
        self.state.allow(token)?;
        self.state.check_proof(token, self.proof.as_deref())
    }

    /// Meta's order: the token, its proof, the id, and whether the token may see it as one of this account.
    pub(super) fn check(&self, account: Option<&str>) -> Result<(), GraphError> {
        self.check_token()?;
        if !is_object_id(&self.id) {
            return Err(GraphError::no_such_object(&self.id));
        }
        let known = self.token().map(|token| self.state.known_tokens.get(token));
        let shared = known.map(|known| known.waba_ids).unwrap_or_default();
        match account {
            Some(account) if !shared.is_empty() && !shared.iter().any(|id| id == account) => {
                Err(GraphError::no_such_object(&self.id))
            }
            _ => Ok(()),
        }
    }
}
