//! The few other Graph endpoints that a gateway calls: number, WABA, numbers of a WABA, subscription.

use std::sync::Arc;

use axum::extract::{Extension, Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::asked::{Ask, check, serve};
use super::auth::bearer;
use super::described;
use super::error::{GraphError, json_response};
use super::object_id::is_object_id;
use super::version::Version;
use crate::number::Number;
use crate::registration::Registration;
use crate::server::Connection;
use crate::state::State;

/// What a number shows when no `fields` are asked for.
const DEFAULT_FIELDS: &str = "id,display_phone_number,verified_name,quality_rating,code_verification_status";

/// Numbers on a page when no `limit` is asked for.
const PAGE: usize = 25;
/// Numbers on a page, whatever `limit` is asked for.
const PAGE_MAX: usize = 100;

/// Parameters of a read; the ones not simulated (filters) are tolerated.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ReadQuery {
    fields: Option<String>,
    /// Of a list: the most entries of this page.
    limit: Option<usize>,
    /// Of a list: the cursor of the page before.
    after: Option<String>,
    appsecret_proof: Option<String>,
    /// Of media: the number that it is of.
    phone_number_id: Option<String>,
}

pub(crate) async fn get_node(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): Path<(String, String)>,
    Query(query): Query<ReadQuery>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Response {
    let is_account = state.onboarding.is_account(&id) || !state.numbers.of_waba(&id).is_empty();
    let ask = Ask {
        call: if is_account { "account" } else { "number" },
        version: &version,
        about: &id,
    };
    serve(&state, &connection, ask, || {
        let account = if is_account {
            id.clone()
        } else {
            state.numbers.get(&id).waba_id.clone()
        };
        let proof = query.appsecret_proof.as_deref();
        check(&state, &headers, proof, (&id, None))?;
        if let Some(media) = described::describe(&state, &id, query.phone_number_id.as_deref()) {
            return media;
        }
        check(&state, &headers, proof, (&id, Some(&account)))?;
        let fields = query.fields.as_deref().unwrap_or(DEFAULT_FIELDS);
        if !is_account {
            let number = number_node(&state.numbers.get(&id), &state.onboarding.number(&id));
            return Ok(select(&state.drifted.over(&id, number), fields));
        }
        let account = state.onboarding.account(&id);
        let mut shown = json!({"id": id, "name": "Simulated Business", "currency": account.currency,
            "timezone_id": "1", "account_review_status": "APPROVED"});
        if account.is_paid_for {
            shown["primary_funding_id"] = json!("1");
        }
        Ok(select(
            &state.drifted.over(&id, shown),
            query.fields.as_deref().unwrap_or("id,name,currency,timezone_id"),
        ))
    })
    .await
}

pub(crate) async fn list_numbers(
    Shared(state): Shared<Arc<State>>,
    Path((version, id)): Path<(String, String)>,
    Query(query): Query<ReadQuery>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Response {
    let ask = Ask {
        call: "numbers",
        version: &version,
        about: &id,
    };
    serve(&state, &connection, ask, || {
        check(&state, &headers, query.appsecret_proof.as_deref(), (&id, Some(&id)))?;
        let fields = query.fields.as_deref().unwrap_or(DEFAULT_FIELDS);
        let (numbers, has_more) = page_of(state.numbers.of_waba(&id), &query);
        let data: Vec<Value> = numbers
            .iter()
            .map(|number| {
                let registration = state.onboarding.number(&number.phone_number_id);
                let node = number_node(number, &registration);
                select(&state.drifted.over(&number.phone_number_id, node), fields)
            })
            .collect();
        let cursor =
            |number: Option<&Arc<Number>>| number.map_or("", |number| number.phone_number_id.as_str()).to_owned();
        let (before, after) = (cursor(numbers.first()), cursor(numbers.last()));
        let mut paging = json!({"cursors": {"before": before, "after": after}});
        if has_more {
            let limit = numbers.len();
            paging["next"] = json!(format!(
                "https://graph.facebook.com/{version}/{id}/phone_numbers?fields={fields}&limit={limit}&after={after}"
            ));
        }
        Ok(json!({"data": data, "paging": paging}))
    })
    .await
}

/// The page that is asked for, and whether there is another one behind it. A cursor is the id of a page's last number.
fn page_of(mut numbers: Vec<Arc<Number>>, query: &ReadQuery) -> (Vec<Arc<Number>>, bool) {
    let after = query.after.as_deref().unwrap_or_default();
    numbers.retain(|number| number.phone_number_id.as_str() > after);
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let has_more = numbers.len() > limit;
    numbers.truncate(limit);
    (numbers, has_more)
}

/// Checks version, token and id, in Meta's order, before the body is made, which may be refused.
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
    match state.admit(id).and_then(|()| body()) {
        Ok(body) => json_response(StatusCode::OK, version, body.to_string()),
        Err(error) => error.into_response(version),
    }
}

fn number_node(number: &Number, registration: &Registration) -> Value {
    let is_registered = registration.is_registered || registration.is_on_biz_app;
    let (platform, status) = if is_registered {
        ("CLOUD_API", "CONNECTED")
    } else {
        ("NOT_APPLICABLE", "PENDING")
    };
    let can_send = if is_registered { "AVAILABLE" } else { "BLOCKED" };
    let verified = if registration.is_verified {
        "VERIFIED"
    } else {
        "NOT_VERIFIED"
    };
    json!({
        "id": number.phone_number_id,
        "display_phone_number": format!("+{}", number.display_phone_number),
        "verified_name": "Simulated Business",
        "quality_rating": registration.quality,
        "code_verification_status": verified,
        "name_status": "APPROVED",
        "platform_type": platform,
        "status": status,
        "account_mode": "LIVE",
        "is_on_biz_app": registration.is_on_biz_app,
        "is_pin_enabled": true,
        "throughput": {"level": registration.throughput},
        "whatsapp_business_manager_messaging_limit": registration.messaging_limit,
        "health_status": {"can_send_message": can_send, "entities": [
            {"entity_type": "PHONE_NUMBER", "id": number.phone_number_id, "can_send_message": can_send},
            {"entity_type": "WABA", "id": number.waba_id, "can_send_message": "AVAILABLE"},
        ]},
        "webhook_configuration": {},
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
