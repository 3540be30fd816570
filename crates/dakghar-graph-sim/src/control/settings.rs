//! Settings that can change while the simulator runs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::input::{Input, Problem};
use crate::limits::Limits;
use crate::number::Number;
use crate::state::State;
use crate::token::Token;
use crate::usage::Usage;
use crate::webhook::StatusPlan;

/// Fields left out stay as they are; null removes.
#[expect(clippy::option_option, reason = "absent and null mean different things")]
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookBody {
    #[serde(default, deserialize_with = "given")]
    url: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    app_secret: Option<Option<String>>,
}

/// Tells an explicit null (`Some(None)`) from an absent field (`None`).
#[expect(clippy::option_option, reason = "absent and null mean different things")]
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(crate) async fn set_webhook(
    Shared(state): Shared<Arc<State>>,
    Input(body): Input<WebhookBody>,
) -> Result<StatusCode, Problem> {
    if let Some(Some(url)) = &body.url
        && let Err(error) = reqwest::Url::parse(url)
    {
        return Err(Problem::invalid(format!("url: {error}")));
    }
    if let Some(url) = body.url {
        state.webhooks.set_url(url.as_deref());
    }
    if let Some(app_secret) = body.app_secret {
        state.webhooks.set_app_secret(app_secret.as_deref());
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn statuses(Shared(state): Shared<Arc<State>>) -> Json<StatusPlan> {
    Json(state.webhooks.plan().as_ref().clone())
}

pub(crate) async fn set_statuses(
    Shared(state): Shared<Arc<State>>,
    Input(plan): Input<StatusPlan>,
) -> Result<StatusCode, Problem> {
    if let Some(flaw) = plan.flaw() {
        return Err(Problem::invalid(flaw));
    }
    state.webhooks.set_plan(plan);
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn limits(Shared(state): Shared<Arc<State>>) -> Json<Limits> {
    Json(state.limiter.limits())
}

pub(crate) async fn set_limits(Shared(state): Shared<Arc<State>>, Input(limits): Input<Limits>) -> StatusCode {
    state.limiter.set(limits);
    StatusCode::NO_CONTENT
}

pub(crate) async fn usage(Shared(state): Shared<Arc<State>>) -> Json<Usage> {
    Json(state.allowances.usage())
}

pub(crate) async fn set_usage(Shared(state): Shared<Arc<State>>, Input(usage): Input<Usage>) -> StatusCode {
    state.allowances.set(usage);
    StatusCode::NO_CONTENT
}

pub(crate) async fn tokens(Shared(state): Shared<Arc<State>>) -> Response {
    Json(json!({ "data": state.known_tokens.all() })).into_response()
}

pub(crate) async fn set_tokens(
    Shared(state): Shared<Arc<State>>,
    Input(tokens): Input<Vec<Token>>,
) -> Result<StatusCode, Problem> {
    for token in tokens {
        if !state.known_tokens.put(token) {
            return Err(Problem::invalid("too many tokens were described".to_owned()));
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Whether calls need a proof of the app's secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofBody {
    required: bool,
}

pub(crate) async fn set_proof(Shared(state): Shared<Arc<State>>, Input(body): Input<ProofBody>) -> StatusCode {
    state.known_tokens.require_proof(body.required);
    StatusCode::NO_CONTENT
}

pub(crate) async fn numbers(Shared(state): Shared<Arc<State>>) -> Response {
    let numbers = state.numbers.all();
    let numbers: Vec<&Number> = numbers.iter().map(AsRef::as_ref).collect();
    Json(json!({ "data": numbers })).into_response()
}

pub(crate) async fn set_numbers(Shared(state): Shared<Arc<State>>, Input(numbers): Input<Vec<Number>>) -> StatusCode {
    for number in numbers {
        state.numbers.put(number);
    }
    StatusCode::NO_CONTENT
}
