//! The few other Graph endpoints that a gateway calls: number, WABA, numbers of a WABA, subscription.

use std::sync::Arc;

use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::auth::bearer;
use super::described;
use super::error::{GraphError, json_response};
use super::version::Version;
use crate::number::Number;
use crate::state::State;

/// What a number shows when no `fields` are asked for.
const DEFAULT_FIELDS: &str = "id,display_phone_number,verified_name,quality_rating,code_verification_status";

/// Parameters of a read; the ones not simulated (paging, filters) are tolerated.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ReadQuery {
    fields: Option<String>,
    /// Of media: the number that it is of.
    phone_number_id: Option<String>,
}

pub(crate) async fn get_node(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): Path<(String, String)>,
    Query(query): Query<ReadQuery>,
    headers: HeaderMap,
) -> Response {
    answer_with(&state, (&version, &id), &headers, || {
        if let Some(media) = described::describe(&state, &id, query.phone_number_id.as_deref()) {
            return media;
        }
        let fields = query.fields.as_deref().unwrap_or(DEFAULT_FIELDS);
        Ok(if state.numbers.of_waba(&id).is_empty() {
            select(&number_node(&state.numbers.get(&id)), fields)
        } else {
            let waba = json!({"id": id, "name": "Simulated Business", "currency": "USD",
                "timezone_id": "1", "primary_funding_id": "1", "account_review_status": "APPROVED"});
            select(&waba, query.fields.as_deref().unwrap_or("id,name,currency,timezone_id"))
        })
    })
}

pub(crate) async fn list_numbers(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): Path<(String, String)>,
    Query(query): Query<ReadQuery>,
    headers: HeaderMap,
) -> Response {
    answer(&state, &version, &id, &headers, || {
        let fields = query.fields.as_deref().unwrap_or(DEFAULT_FIELDS);
        let numbers = state.numbers.of_waba(&id);
        let data: Vec<Value> = numbers
            .iter()
            .map(|number| select(&number_node(number), fields))
            .collect();
        json!({"data": data, "paging": {"cursors": {"before": "", "after": ""}}})
    })
}

/// Subscribing and unsubscribing both succeed and change nothing: webhooks go to the configured URL.
pub(crate) async fn subscribe(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    answer(&state, &version, &id, &headers, || json!({"success": true}))
}

/// Checks version, token and id, in Meta's order, before the body is made.
fn answer(state: &State, version: &str, id: &str, headers: &HeaderMap, body: impl FnOnce() -> Value) -> Response {
    answer_with(state, (version, id), headers, || Ok(body()))
}

/// The same for a body that may be refused.
pub(super) fn answer_with(
    state: &State,
    (version, id): (&str, &str),
    headers: &HeaderMap,
    body: impl FnOnce() -> Result<Value, GraphError>,
) -> Response {
    let Some(version) = Version::serving(version) else {
        return GraphError::unknown_path(version).into_response(Version::newest());
    };
    if let Err(error) = state.allow(bearer(headers)) {
        return error.into_response(version);
    }
    if !is_object_id(id) {
        return GraphError::no_such_object(id).into_response(version);
    }
    match body() {
        Ok(body) => json_response(StatusCode::OK, version, body.to_string()),
        Err(error) => error.into_response(version),
    }
}

/// Meta's object ids are digits.
pub(super) fn is_object_id(id: &str) -> bool {
    (1..=21).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())
}

fn number_node(number: &Number) -> Value {
    json!({
        "id": number.phone_number_id,
        "display_phone_number": format!("+{}", number.display_phone_number),
        "verified_name": "Simulated Business",
        "quality_rating": "GREEN",
        "code_verification_status": "VERIFIED",
        "name_status": "APPROVED",
        "platform_type": "CLOUD_API",
        "status": "CONNECTED",
        "account_mode": "LIVE",
        "is_on_biz_app": false,
        "is_pin_enabled": true,
        "throughput": {"level": "STANDARD"},
    })
}

/// The named fields of a node, and always its id. Sub-fields such as `throughput{level}` are not cut.
fn select(node: &Value, fields: &str) -> Value {
    let names = fields.split(',').map(str::trim);
    let names = names.map(|name| name.split('{').next().unwrap_or(name));
    let mut selected = Map::new();
    for name in names.chain(["id"]) {
        if let Some(value) = node.get(name) {
            selected.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(selected)
}
