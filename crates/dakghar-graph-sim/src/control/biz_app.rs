//! The WhatsApp Business apps of numbers: what they have, what is typed in them, and their end.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::input::{Input, Problem};
use crate::biz_app::AppPlan;
use crate::state::State;

/// The events by which Meta tells that an app is disconnected, or connected again.
const EVENTS: [&str; 3] = ["PARTNER_REMOVED", "ACCOUNT_OFFBOARDED", "ACCOUNT_RECONNECTED"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Typed {
    phone_number_id: String,
    to: String,
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changed {
    phone_number_id: String,
    event: String,
}

pub(crate) async fn plan(Shared(state): Shared<Arc<State>>) -> Json<AppPlan> {
    Json(state.biz_apps.plan())
}

pub(crate) async fn set_plan(
    Shared(state): Shared<Arc<State>>,
    Input(plan): Input<AppPlan>,
) -> Result<StatusCode, Problem> {
    if let Some(flaw) = plan.flaw() {
        return Err(Problem::invalid(flaw));
    }
    state.biz_apps.set_plan(plan);
    Ok(StatusCode::NO_CONTENT)
}

/// The business types a message in its app.
pub(crate) async fn echo(Shared(state): Shared<Arc<State>>, Input(typed): Input<Typed>) -> Result<Response, Problem> {
    let wamid = state.type_in_app(&typed.phone_number_id, &typed.to, &typed.text)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "wamid": wamid }))).into_response())
}

/// The business disconnects its app, or connects it again.
pub(crate) async fn change(
    Shared(state): Shared<Arc<State>>,
    Input(changed): Input<Changed>,
) -> Result<StatusCode, Problem> {
    if !EVENTS.contains(&changed.event.as_str()) {
        return Err(Problem::invalid(format!("event must be one of {}", EVENTS.join(", "))));
    }
    state.change_app(&changed.phone_number_id, &changed.event)?;
    Ok(StatusCode::ACCEPTED)
}
