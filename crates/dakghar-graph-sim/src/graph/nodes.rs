//! The few other Graph endpoints that a gateway calls: number, WABA, numbers of a WABA, subscription.

use std::sync::Arc;

use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::asked::NodeCall;
use super::described;
use crate::number::Number;
use crate::registration::Registration;

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
    /// Of media: the number that it is of.
    phone_number_id: Option<String>,
}

pub(crate) async fn get_node(call: NodeCall, Query(query): Query<ReadQuery>) -> Response {
    let is_account = call.state.onboarding.is_account(&call.id) || !call.state.numbers.of_waba(&call.id).is_empty();
    call.serve(if is_account { "account" } else { "number" }, || {
        let account = if is_account {
            call.id.clone()
        } else {
            call.state.numbers.get(&call.id).waba_id.clone()
        };
        call.check(None)?;
        if let Some(media) = described::describe(&call.state, &call.id, query.phone_number_id.as_deref()) {
            return media;
        }
        call.check(Some(&account))?;
        let fields = query.fields.as_deref().unwrap_or(DEFAULT_FIELDS);
        if !is_account {
            let number = number_node(
                &call.state.numbers.get(&call.id),
                &call.state.onboarding.number(&call.id),
            );
            return Ok(select(&call.state.drifted.over(&call.id, number), fields));
        }
        let account = call.state.onboarding.account(&call.id);
        let mut shown = json!({"id": call.id, "name": "Simulated Business", "currency": account.currency,
            "timezone_id": "1", "account_review_status": "APPROVED"});
        if account.is_paid_for {
            shown["primary_funding_id"] = json!("1");
        }
        Ok(select(
            &call.state.drifted.over(&call.id, shown),
            query.fields.as_deref().unwrap_or("id,name,currency,timezone_id"),
        ))
    })
    .await
}

pub(crate) async fn list_numbers(call: NodeCall, Query(query): Query<ReadQuery>) -> Response {
    call.serve("numbers", || {
        call.check(Some(&call.id))?;
        let fields = query.fields.as_deref().unwrap_or(DEFAULT_FIELDS);
        let (numbers, has_more) = page_of(call.state.numbers.of_waba(&call.id), &query);
        let data: Vec<Value> = numbers
            .iter()
            .map(|number| {
                let registration = call.state.onboarding.number(&number.phone_number_id);
                let node = number_node(number, &registration);
                select(&call.state.drifted.over(&number.phone_number_id, node), fields)
            })
            .collect();
        let cursor =
            |number: Option<&Arc<Number>>| number.map_or("", |number| number.phone_number_id.as_str()).to_owned();
        let (before, after) = (cursor(numbers.first()), cursor(numbers.last()));
        let mut paging = json!({"cursors": {"before": before, "after": after}});
        if has_more {
            let (version, id, limit) = (&call.version, &call.id, numbers.len());
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
