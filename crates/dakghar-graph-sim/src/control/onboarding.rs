//! Connecting numbers: codes of the dialog, what accounts and numbers are like, and what was done to them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::input::{Input, Problem};
use crate::drift::Drift;
use crate::number::Number;
use crate::onboarding::{Account, NewCode};
use crate::registration::Registration;
use crate::state::State;

const FULL: &str = "too many codes, accounts or numbers were described";

/// What accounts and numbers are like from now on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Described {
    #[serde(default)]
    accounts: Vec<Account>,
    #[serde(default)]
    numbers: Vec<NumberOf>,
}

#[derive(Debug, Deserialize)]
struct NumberOf {
    /// The account of the number; that of before when absent.
    waba_id: Option<String>,
    #[serde(flatten)]
    number: Registration,
}

pub(crate) async fn add_code(
    Shared(state): Shared<Arc<State>>,
    Input(new): Input<NewCode>,
) -> Result<Response, Problem> {
    let code = state.onboarding.add_code(new).ok_or_else(|| Problem::invalid(FULL))?;
    Ok((StatusCode::CREATED, Json(json!({ "code": code }))).into_response())
}

pub(crate) async fn describe(
    Shared(state): Shared<Arc<State>>,
    Input(described): Input<Described>,
) -> Result<StatusCode, Problem> {
    for account in described.accounts {
        if !state.onboarding.put_account(account) {
            return Err(Problem::invalid(FULL));
        }
    }
    for NumberOf { waba_id, number } in described.numbers {
        if let Some(waba_id) = waba_id {
            let known = state.numbers.get(&number.phone_number_id);
            state.numbers.put(Number {
                waba_id,
                ..Number::clone(&known)
            });
        }
        if !state.describe_number(number) {
            return Err(Problem::invalid(FULL));
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Changes what numbers and accounts are like, as it happens at Meta.
pub(crate) async fn drift(
    Shared(state): Shared<Arc<State>>,
    Input(drift): Input<Drift>,
) -> Result<StatusCode, Problem> {
    if drift.phone_number_id.is_none() && drift.waba_id.is_none() {
        return Err(Problem::invalid("give phone_number_id, waba_id or both"));
    }
    if state.drift(drift) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::invalid(FULL))
    }
}

pub(crate) async fn journal(Shared(state): Shared<Arc<State>>) -> Response {
    Json(json!({ "data": state.onboarding.journal() })).into_response()
}

pub(crate) async fn clear_journal(Shared(state): Shared<Arc<State>>) -> StatusCode {
    state.onboarding.clear_journal();
    StatusCode::NO_CONTENT
}
