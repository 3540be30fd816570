//! Fault rules from outside.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::input::{Input, Problem};
use crate::fault::{FaultRule, RuleId};
use crate::state::State;

pub(crate) async fn list(Shared(state): Shared<Arc<State>>) -> Response {
    Json(json!({ "data": state.rules.list() })).into_response()
}

/// Takes one rule or a list. Either all are added or none.
pub(crate) async fn add(Shared(state): Shared<Arc<State>>, Input(body): Input<Value>) -> Result<Response, Problem> {
    let items = match body {
        Value::Array(items) => items,
        one => vec![one],
    };
    let rules = items.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<RuleId> = rules.into_iter().map(|rule| state.rules.add(rule)).collect();
    Ok((StatusCode::CREATED, Json(json!({ "ids": ids }))).into_response())
}

fn parse(item: Value) -> Result<FaultRule, Problem> {
    let rule: FaultRule =
        serde_json::from_value(item).map_err(|error| Problem::invalid(format!("invalid rule: {error}")))?;
    match rule.flaw() {
        Some(flaw) => Err(Problem::invalid(format!("invalid rule: {flaw}"))),
        None => Ok(rule),
    }
}

pub(crate) async fn clear(Shared(state): Shared<Arc<State>>) -> StatusCode {
    state.rules.clear();
    StatusCode::NO_CONTENT
}

pub(crate) async fn remove(Shared(state): Shared<Arc<State>>, Path(id): Path<u64>) -> Result<StatusCode, Problem> {
    if state.rules.remove(RuleId(id)) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found(format!("there is no rule {id}")))
    }
}
