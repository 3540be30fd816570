//! The belongings of a number beside messages: its profile, and the people whom it blocks. Both are kept as long as the simulator
//! runs.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::JsonRejection;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::asked::NodeCall;
use super::error::GraphError;
use super::object_id::is_object_id;

/// Meta's limits of the profile's texts, in characters.
const PROFILE: [(&str, usize); 4] = [("about", 139), ("address", 256), ("description", 512), ("email", 128)];
/// Which page of a list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PageQuery {
    limit: Option<usize>,
    after: Option<String>,
}

type Given = Result<Json<Value>, JsonRejection>;

pub(crate) async fn profile(call: NodeCall) -> Response {
    call.serve("profile", || {
        call.state.allow(call.token())?;
        if !is_object_id(&call.id) {
            return Err(GraphError::no_such_object(&call.id));
        }
        let profile = call.state.businesses.of(&call.id, |business| business.profile.clone());
        Ok(json!({ "data": [with_product(profile)] }))
    })
    .await
}

pub(crate) async fn set_profile(call: NodeCall, given: Given) -> Response {
    call.answer(|| {
        let given = object_of(&given)?;
        for (name, chars_max) in PROFILE {
            let text = given.get(name).and_then(Value::as_str).unwrap_or_default();
            if text.chars().count() > chars_max {
                let must = format!("must be at most {chars_max} characters long.");
                return Err(GraphError::parameter_invalid(name, &must));
            }
        }
        let fields = given.iter().filter(|(name, _)| *name != "messaging_product");
        let fields: Vec<_> = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
        call.state
            .businesses
            .of(&call.id, |business| business.profile.extend(fields));
        Ok(json!({"success": true}))
    })
}

pub(crate) async fn blocked(call: NodeCall, Query(page): Query<PageQuery>) -> Response {
    call.answer(|| {
        let after = page.after.unwrap_or_default();
        let people: Vec<String> = call.state.businesses.of(&call.id, |business| {
            let behind = business.blocked.iter().filter(|person| **person > after);
            behind.take(page.limit.unwrap_or(50)).cloned().collect()
        });
        let last = people.last().cloned().unwrap_or_default();
        let data: Vec<Value> = people
            .iter()
            .map(|person| json!({"messaging_product": "whatsapp", "wa_id": person}))
            .collect();
        Ok(json!({"data": data, "paging": {"cursors": {"before": "", "after": last}}}))
    })
}

pub(crate) async fn block(call: NodeCall, given: Given) -> Response {
    call.answer(|| {
        let people = people_of(object_of(&given)?)?;
        call.state.businesses.of(&call.id, |business| {
            business.blocked.extend(people.iter().map(|person| digits(person)));
        });
        Ok(outcome("added_users", &people))
    })
}

pub(crate) async fn unblock(call: NodeCall, given: Given) -> Response {
    call.answer(|| {
        let people = people_of(object_of(&given)?)?;
        let gone: Vec<String> = people.iter().map(|person| digits(person)).collect();
        call.state.businesses.of(&call.id, |business| {
            business.blocked.retain(|person| !gone.contains(person));
        });
        Ok(outcome("removed_users", &people))
    })
}

fn object_of(given: &Given) -> Result<&Map<String, Value>, GraphError> {
    let value = given
        .as_ref()
        .map_err(|_| GraphError::of(100).details("The body is not JSON"))?;
    let object = value
        .0
        .as_object()
        .ok_or_else(|| GraphError::of(100).details("The body must be a JSON object"))?;
    match object.get("messaging_product").and_then(Value::as_str) {
        Some("whatsapp") => Ok(object),
        _ => Err(GraphError::parameter_required("messaging_product")),
    }
}

fn people_of(given: &Map<String, Value>) -> Result<Vec<String>, GraphError> {
    let people = given.get("block_users").and_then(Value::as_array);
    let people = people.ok_or_else(|| GraphError::parameter_required("block_users"))?;
    let person = |person: &Value| person.get("user").and_then(Value::as_str).map(str::to_owned);
    let people: Option<Vec<String>> = people.iter().map(person).collect();
    people.ok_or_else(|| GraphError::parameter_invalid("block_users", "must name a user each"))
}

fn outcome(name: &str, people: &[String]) -> Value {
    let people: Vec<Value> = people
        .iter()
        .map(|person| json!({"input": person, "wa_id": digits(person)}))
        .collect();
    json!({"messaging_product": "whatsapp", "block_users": {name: people}})
}

fn digits(person: &str) -> String {
    person.trim_start_matches('+').to_owned()
}

fn with_product(mut profile: Map<String, Value>) -> Value {
    profile.insert("messaging_product".to_owned(), json!("whatsapp"));
    Value::Object(profile)
}
