//! `GET /{version}/debug_token` and `GET /{version}/oauth/access_token`: what a token is, and a new one for an old.

use std::sync::Arc;

use axum::extract::{Extension, Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::{Ask, serve};
use super::auth::bearer;
use super::error::{GraphError, json_response};
use super::version::Version;
use crate::onboarding::CodeFlaw;
use crate::server::Connection;
use crate::state::{State, now_seconds};
use crate::token::Token;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct DebugQuery {
    input_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ExchangeQuery {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    fb_exchange_token: Option<String>,
    code: Option<String>,
}

/// An app that asks, by its id.
fn app_of<'a>(state: &State, id: &'a str, secret: &str) -> Result<&'a str, GraphError> {
    match state.webhooks.app_secret() {
        Some(known) if *known != *secret => {
            Err(GraphError::of(190).saying("Invalid OAuth access token signature.".to_owned()))
        }
        _ => Ok(id),
    }
}

pub(crate) async fn debug(
    Shared(state): Shared<Arc<State>>,
    Path(version): Path<String>,
    Query(query): Query<DebugQuery>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Response {
    let asked_about = query.input_token.as_deref().map(|token| state.known_tokens.get(token));
    let account = asked_about.and_then(|token| token.waba_ids.into_iter().next());
    let account = account.unwrap_or_default();
    let ask = Ask {
        call: "debug_token",
        version: &version,
        about: &account,
    };
    serve(&state, &connection, ask, || {
        let (id, secret) = bearer(&headers)
            .and_then(|token| token.split_once('|'))
            .ok_or_else(|| GraphError::of(190))?;
        let app = app_of(&state, id, secret)?;
        let asked = query
            .input_token
            .ok_or_else(|| GraphError::parameter_required("input_token"))?;
        let token = state.known_tokens.get(&asked);
        if token.app_id.as_ref().is_some_and(|of| of != app) {
            let text = "(#100) The App_id in the input_token did not match the Viewing App";
            return Err(GraphError::of(100).saying(text.to_owned()));
        }
        Ok(json!({ "data": described(&token, app, state.allow(Some(&asked)).is_ok()) }))
    })
    .await
}

fn described(token: &Token, app: &str, is_accepted: bool) -> Value {
    let works = is_accepted && token.works(now_seconds());
    let granular = ["whatsapp_business_management", "whatsapp_business_messaging"]
        .map(|scope| json!({ "scope": scope, "target_ids": token.waba_ids }));
    let mut data = json!({
        "app_id": app, "type": token.kind, "application": "Simulated App", "is_valid": works,
        "expires_at": token.expires_at, "data_access_expires_at": 0, "scopes": token.scopes,
    });
    if !token.waba_ids.is_empty() {
        data["granular_scopes"] = json!(granular);
    }
    if !works {
        let words = if token.works(now_seconds()) || !token.is_valid {
            "The session has been invalidated because the user changed their password or the app was removed"
        } else {
            "Error validating access token: Session has expired"
        };
        data["error"] = json!({ "code": 190, "message": words, "subcode": 463 });
    }
    data
}

pub(crate) async fn exchange(
    Shared(state): Shared<Arc<State>>,
    Path(version): Path<String>,
    Query(query): Query<ExchangeQuery>,
    Extension(connection): Extension<Connection>,
) -> Response {
    if let Some(code) = query.code.clone() {
        let ask = Ask {
            call: "exchange",
            version: &version,
            about: &code,
        };
        return serve(&state, &connection, ask, || exchange_code(&state, query, &code)).await;
    }
    answer(&version, || {
        let required =
            |name: &'static str, value: Option<String>| value.ok_or_else(|| GraphError::parameter_required(name));
        let id = required("client_id", query.client_id)?;
        app_of(&state, &id, &required("client_secret", query.client_secret)?)?;
        if query.grant_type.as_deref() != Some("fb_exchange_token") {
            return Err(GraphError::parameter_invalid("grant_type", "must be fb_exchange_token"));
        }
        let old = required("fb_exchange_token", query.fb_exchange_token)?;
        let known = state.known_tokens.get(&old);
        state.allow(Some(&old))?;
        if known.app_id.is_some_and(|of| of != id) {
            return Err(GraphError::of(190));
        }
        let renewed = state.known_tokens.renew(&old, &id, now_seconds());
        Ok(
            json!({ "access_token": renewed.token, "token_type": "bearer", "expires_in": renewed.expires_at - now_seconds() }),
        )
    })
}

/// A code is taken once, and for as long as it lives.
fn exchange_code(state: &State, query: ExchangeQuery, code: &str) -> Result<Value, GraphError> {
    let required =
        |name: &'static str, value: Option<String>| value.ok_or_else(|| GraphError::parameter_required(name));
    let id = required("client_id", query.client_id)?;
    app_of(state, &id, &required("client_secret", query.client_secret)?)?;
    let flawed = |subcode: u32, text: &str| {
        let mut error = GraphError::of(100).saying(text.to_owned());
        error.subcode = Some(subcode);
        error
    };
    let token = state.onboarding.exchange(code, &id).map_err(|flaw| match flaw {
        CodeFlaw::Unknown | CodeFlaw::OtherApp => {
            GraphError::of(100).saying("Invalid verification code format.".to_owned())
        }
        CodeFlaw::Over => flawed(36_007, "This authorization code has expired."),
        CodeFlaw::Used => flawed(36_009, "This authorization code has been used."),
    })?;
    let shown = token.token.clone();
    if !state.known_tokens.put(token) {
        return Err(GraphError::of(2));
    }
    Ok(json!({ "access_token": shown, "token_type": "bearer" }))
}

fn answer(version: &str, body: impl FnOnce() -> Result<Value, GraphError>) -> Response {
    let Some(version) = Version::serving(version) else {
        return GraphError::unknown_path(version).into_response(Version::newest());
    };
    match body() {
        Ok(body) => json_response(StatusCode::OK, version, body.to_string()),
        Err(error) => error.into_response(version),
    }
}
