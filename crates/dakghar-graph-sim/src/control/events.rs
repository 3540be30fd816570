//! Webhooks made from outside: inbound messages, single statuses, anything else.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Input, Problem};
use crate::state::State;
use crate::traffic::{Kind, Mixture};
use crate::webhook::{InboundMessage, StatusEvent, to_escaped_json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InboundBody {
    phone_number_id: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    from_user_id: Option<String>,
    #[serde(default)]
    profile_name: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    message: Option<Value>,
}

pub(crate) async fn inbound(
    Shared(state): Shared<Arc<State>>,
    Input(body): Input<InboundBody>,
) -> Result<Response, Problem> {
    let message = match (body.text, body.message) {
        (Some(text), None) => json!({"type": "text", "text": {"body": text}}),
        (None, Some(message)) => message,
        _ => return Err(Problem::invalid("give exactly one of text and message")),
    };
    if body.from.is_none() && body.from_user_id.is_none() {
        return Err(Problem::invalid("give from, from_user_id or both"));
    }
    let number = state.numbers.get(&body.phone_number_id);
    let inbound = InboundMessage {
        phone_number_id: body.phone_number_id,
        from: body.from,
        from_user_id: body.from_user_id,
        profile_name: body.profile_name,
        message,
    };
    state.limiter.came_in(&inbound.phone_number_id);
    let wamid = state.webhooks.receive(inbound, number, &state.wamids)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "wamid": wamid }))).into_response())
}

pub(crate) async fn status(
    Shared(state): Shared<Arc<State>>,
    Input(status): Input<StatusEvent>,
) -> Result<StatusCode, Problem> {
    let number = state.numbers.get(&status.phone_number_id);
    state.webhooks.report(status, number)?;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KindBody {
    phone_number_id: String,
    #[serde(default)]
    seed: Option<u64>,
}

/// The kinds of updates that can be sent by name.
pub(crate) async fn kinds() -> Json<Value> {
    let kinds: Vec<Value> = Kind::all()
        .iter()
        .map(|kind| json!({"name": kind.name, "field": kind.field}))
        .collect();
    Json(json!({ "data": kinds }))
}

/// Plans one update of this kind. Without a seed each call makes another one.
pub(crate) async fn send_kind(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    Input(body): Input<KindBody>,
) -> Result<Response, Problem> {
    let kind = Kind::named(&name).ok_or_else(|| Problem::not_found(format!("no kind is named {name}")))?;
    let seed = body.seed.unwrap_or_else(|| state.webhooks.next_seed());
    let bodies = state.send_kind(kind, &body.phone_number_id, seed)?;
    Ok((StatusCode::ACCEPTED, Json(json!({"bodies": bodies, "seed": seed}))).into_response())
}

/// Plans a random mixture.
pub(crate) async fn mixture(
    Shared(state): Shared<Arc<State>>,
    Input(mixture): Input<Mixture>,
) -> Result<Response, Problem> {
    let bodies = state.send_mixture(&mixture)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "bodies": bodies }))).into_response())
}

/// Posts the given JSON, escaped as Meta does, once, and tells how it was answered.
pub(crate) async fn raw_webhook(
    Shared(state): Shared<Arc<State>>,
    Input(body): Input<Value>,
) -> Result<Response, Problem> {
    let status = state.webhooks.post_raw(to_escaped_json(&body)).await?;
    Ok(Json(json!({ "status": status })).into_response())
}
