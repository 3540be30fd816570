//! Meta's side in a browser: a script that behaves as Meta's SDK does for Embedded Signup, and the dialog that it opens, as a
//! plain page of this machine.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::input::{Input, Problem};
use crate::dialog::DialogPlan;
use crate::fault::{CallFacts, Fault};
use crate::onboarding::NewCode;
use crate::state::State;

const SDK: &str = include_str!("sdk.js");
const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// A customer's choice in the dialog.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finished {
    /// The app that the page ran the dialog with.
    #[serde(default)]
    app_id: Option<String>,
    /// The number to share.
    phone_number_id: String,
}

fn fault(state: &State, call: &'static str) -> Option<Fault> {
    state.rules.decide(&CallFacts {
        call: Some(call),
        ..CallFacts::default()
    })
}

/// The SDK. Any fault of a rule for the call `sdk` keeps it away.
pub(crate) async fn sdk(Shared(state): Shared<Arc<State>>) -> Response {
    match fault(&state, "sdk") {
        Some(_) => StatusCode::BAD_GATEWAY.into_response(),
        None => answer("text/javascript; charset=utf-8", SDK),
    }
}

pub(crate) async fn page() -> Response {
    answer("text/html; charset=utf-8", PAGE)
}

pub(crate) async fn script() -> Response {
    answer("text/javascript; charset=utf-8", SCRIPT)
}

fn answer(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, media_type),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

/// The numbers that the dialog shows, and its plan.
pub(crate) async fn shown(Shared(state): Shared<Arc<State>>) -> Response {
    let numbers = state.numbers.all();
    let numbers: Vec<_> = numbers.iter().map(|number| number.as_ref().clone()).collect();
    Json(json!({ "plan": state.dialog.plan(), "numbers": numbers })).into_response()
}

pub(crate) async fn set_plan(Shared(state): Shared<Arc<State>>, Input(plan): Input<DialogPlan>) -> StatusCode {
    state.dialog.set_plan(plan);
    StatusCode::NO_CONTENT
}

/// The customer finishes: a code, or the error of a rule for the call `dialog`.
pub(crate) async fn finish(
    Shared(state): Shared<Arc<State>>,
    Input(finished): Input<Finished>,
) -> Result<Response, Problem> {
    let number = state.numbers.get(&finished.phone_number_id);
    let about = &number.waba_id;
    if let Some(Fault::GraphError { code, details, .. }) = fault(&state, "dialog") {
        state.onboarding.note("dialog", about, Some(code), false);
        let message = details.unwrap_or_else(|| "Something went wrong".to_owned());
        return Ok(Json(json!({ "error_code": code, "error_message": message })).into_response());
    }
    let new = NewCode {
        app_id: finished.app_id,
        ..NewCode::for_accounts(&[about.as_str()])
    };
    let full = || Problem::invalid("too many codes were made");
    let code = state.onboarding.add_code(new).ok_or_else(full)?;
    state.onboarding.note("dialog", about, None, true);
    let is_on_biz_app = state.onboarding.number(&finished.phone_number_id).is_on_biz_app;
    Ok(Json(json!({ "code": code, "waba_id": about, "is_on_biz_app": is_on_biz_app })).into_response())
}
