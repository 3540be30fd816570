//! Holds answers against the OpenAPI document: the operation documents this status, this problem code, and every
//! field of the body, with its type.

use std::sync::LazyLock;

use axum::http::Method;
use dakghar_server::http::openapi_json;
use serde_json::{Map, Value};

use crate::harness::Answer;

/// What any request may be answered with, whatever it is for.
const EVERYWHERE: [&str; 4] = ["not_found", "method_not_allowed", "uri_too_long", "headers_too_large"];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&openapi_json()).expect("JSON"));

/// One documented operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) value: &'static Value,
}

impl Operation {
    /// Who may call it, by the names of the security schemes.
    pub(crate) fn access(&self) -> Access {
        let schemes: Vec<&str> = self.value["security"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|requirement| requirement.as_object().expect("an object").keys())
            .map(String::as_str)
            .collect();
        match (schemes.contains(&"tenantKey"), schemes.contains(&"adminKey")) {
            (true, true) => Access::Tenant,
            (false, true) => Access::Admin,
            (false, false) => Access::Anybody,
            (true, false) => panic!("the operator may do what tenants may"),
        }
    }
}

impl Operation {
    /// The scope that a tenant's key needs for it, if one may call it at all.
    pub(crate) fn scope(&self) -> Option<&'static str> {
        let scopes = self.value.get("x-scopes")?.as_array().expect("a list");
        assert_eq!(scopes.len(), 1, "{}", self.path);
        scopes[0].as_str()
    }
}

impl Operation {
    /// The name of the operation.
    pub(crate) fn name(&self) -> &'static str {
        self.value["operationId"].as_str().expect("a name")
    }

    /// The roles by which an operator's key may call it.
    pub(crate) fn roles(&self) -> Vec<&'static str> {
        let roles = self.value.get("x-roles").and_then(Value::as_array);
        roles.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Anybody,
    Tenant,
    Admin,
}

/// Every documented operation.
pub(crate) fn operations() -> Vec<Operation> {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let mut all = Vec::new();
    for (path, item) in paths {
        for (method, value) in item.as_object().expect("an item") {
            if let Ok(method @ (Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE)) =
                method.to_uppercase().parse::<Method>()
            {
                all.push(Operation {
                    method,
                    path: path.clone(),
                    value,
                });
            }
        }
    }
    all
}

/// Panics when the answer is not one that the document promises.
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let id = answer.header("x-request-id").expect("every answer names the request");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let is_problem = answer.header("content-type") == Some("application/problem+json");
    // What a check finds out is no problem of the request.
    let is_check = answer.status.as_u16() == 503 && ["/readyz", "/healthz"].iter().any(|check| path.ends_with(check));
    assert_eq!(is_problem, answer.status.as_u16() >= 400 && !is_check, "{answer:?}");
    if is_problem {
        assert_eq!(answer.json["requestId"], id);
        assert_eq!(answer.json["status"], answer.status.as_u16());
        check_schema("Problem", &answer.json);
    }
    let code = answer.json["code"].as_str().filter(|_| is_problem);
    if code.is_some_and(|code| EVERYWHERE.contains(&code)) {
        return;
    }
    let Some(operation) = operation_of(method, path) else {
        return;
    };
    let what = format!("{method} {}: {} {}", operation.path, answer.status, answer.text);
    let response = &operation.value["responses"][answer.status.as_str()];
    assert!(response.is_object(), "this status is not documented: {what}");
    if let Some(code) = code {
        let documented = &response["content"]["application/problem+json"]["examples"][code];
        assert!(documented.is_object(), "this code is not documented: {what}");
    } else if answer.header("content-type") != Some("application/x-ndjson")
        && let Some(schema) = response["content"]["application/json"].get("schema")
    {
        conform(schema, &answer.json, "").unwrap_or_else(|problem| panic!("{problem}: {what}"));
    }
}

fn check_schema(name: &str, value: &Value) {
    let schema = &DOCUMENT["components"]["schemas"][name];
    conform(schema, value, "").unwrap_or_else(|problem| panic!("{problem}: {value}"));
}

fn operation_of(method: &Method, path: &str) -> Option<Operation> {
    let parts: Vec<&str> = path.split('/').collect();
    let matches = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        wanted.len() == parts.len()
            && wanted
                .iter()
                .zip(&parts)
                .all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
    };
    let mut found: Vec<Operation> = operations()
        .into_iter()
        .filter(|operation| operation.method == *method && matches(&operation.path))
        .collect();
    // A literal part wins over a parameter.
    found.sort_by_key(|operation| operation.path.matches('{').count());
    found.into_iter().next()
}

/// Says what of the value the schema does not allow. Knows as much of JSON Schema as the document uses.
fn conform(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolve(schema);
    if let Some(options) = schema["oneOf"].as_array() {
        let problems: Vec<String> = options
            .iter()
            .filter_map(|option| conform(option, value, at).err())
            .collect();
        return (problems.len() < options.len())
            .then_some(())
            .ok_or_else(|| problems.join("; or "));
    }
    if let Some(names) = schema["enum"].as_array()
        && !names.contains(value)
    {
        return Err(format!("{at} is {value}, which is not among {names:?}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| has_type(value, name)) {
        return Err(format!("{at} is {value}, not {types:?}"));
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (i, value) in values.iter().enumerate() {
            conform(items, value, &format!("{at}/{i}"))?;
        }
    }
    let (fields, required) = fields_of(schema);
    let Some(members) = value.as_object().filter(|_| !fields.is_empty()) else {
        return Ok(());
    };
    if let Some(missing) = required.iter().find(|name| !members.contains_key(**name)) {
        return Err(format!("{at}/{missing} is missing"));
    }
    for (name, value) in members {
        let field = fields
            .get(name)
            .ok_or_else(|| format!("{at}/{name} is not documented"))?;
        conform(field, value, &format!("{at}/{name}"))?;
    }
    Ok(())
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    }
}

fn resolve(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').expect("a local reference");
            DOCUMENT.pointer(pointer).expect("a known schema")
        }
        None => schema,
    }
}

/// All fields of an object, also those that it takes over, and the names of those it must have.
pub(crate) fn fields_of(schema: &Value) -> (Map<String, Value>, Vec<&str>) {
    let schema = resolve(schema);
    let mut fields = schema["properties"].as_object().cloned().unwrap_or_default();
    let mut required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        let (more, more_required) = fields_of(part);
        fields.extend(more);
        required.extend(more_required);
    }
    (fields, required)
}
