//! The generated files are what is committed, and the document is true.

use std::collections::BTreeSet;
use std::path::PathBuf;

use axum::http::{Method, Request, StatusCode};
use dakghar_core::domain::ErrorCode;
use dakghar_core::domain::tenant::MESSAGES_PER_SECOND_MAX;
use dakghar_server::http::docs::error_codes_markdown;
use dakghar_server::http::{metrics_markdown, openapi_json};
use serde_json::{Map, Value, json};

use crate::contract::{fields_of, operations};
use crate::harness::{Service, Setup, onboarding_at, request};

/// Compares with the committed file, or with `UPDATE_GOLDEN=1` writes it.
fn golden(name: &str, generated: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../api").join(name);
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch of the test run, not a setting of the product"
    )]
    let is_updating = std::env::var_os("UPDATE_GOLDEN").is_some();
    if is_updating {
        std::fs::write(&path, generated).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "api/{name} is stale; run: UPDATE_GOLDEN=1 cargo test -p dakghar-server documents"
    );
}

#[test]
fn the_openapi_document_is_the_committed_one() {
    golden("openapi.json", &openapi_json());
}

#[test]
fn the_error_codes_are_the_committed_ones() {
    golden("error-codes.md", &error_codes_markdown());
}

#[test]
fn the_metrics_are_the_committed_ones() {
    golden("metrics.md", &metrics_markdown());
}

#[test]
fn every_code_is_documented_by_an_operation_or_for_all() {
    let of_all = ["not_found", "method_not_allowed", "uri_too_long", "headers_too_large"];
    // Meta describes the operations of its face, and the page of onboarding is for people.
    let of_the_graph = ["meta_outcome_unknown", "meta_answer_too_large"];
    let of_the_onboarding_page = ["foreign_browser", "link_not_found", "link_over"];
    let named = of_all.into_iter().chain(of_the_graph).chain(of_the_onboarding_page);
    let mut documented: BTreeSet<String> = named.map(str::to_owned).collect();
    for operation in operations() {
        for response in operation.value["responses"].as_object().expect("responses").values() {
            let examples = response["content"]["application/problem+json"]["examples"].as_object();
            documented.extend(examples.into_iter().flat_map(Map::keys).cloned());
        }
    }
    let known: BTreeSet<String> = ErrorCode::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(documented, known);
}

#[test]
fn the_pace_of_a_number_is_documented_with_its_bounds() {
    let document: Value = serde_json::from_str(&openapi_json()).expect("JSON");
    for schema in ["RegisterTenant", "AddPhoneNumber", "ChangePhoneNumber", "PhoneNumber"] {
        let pace = &document["components"]["schemas"][schema]["properties"]["messagesPerSecond"];
        assert_eq!(
            (&pace["minimum"], &pace["maximum"]),
            (&json!(1), &json!(MESSAGES_PER_SECOND_MAX)),
            "{schema}"
        );
    }
}

#[test]
fn operations_have_names_of_their_own_and_describe_their_paths() {
    let all = operations();
    let names: BTreeSet<&str> = all
        .iter()
        .map(|operation| operation.value["operationId"].as_str().expect("a name"))
        .collect();
    assert_eq!(names.len(), all.len());
    for operation in &all {
        assert!(operation.value["summary"].is_string(), "{operation:?}");
        let described: BTreeSet<&str> = operation.value["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().expect("a name"))
            .collect();
        let in_path = operation
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect::<BTreeSet<&str>>();
        assert_eq!(described, in_path, "{}", operation.path);
    }
}

/// A path in which a tenant and its number are filled in.
fn filled(path: &str, tenant: &crate::harness::TestTenant) -> String {
    path.replace("{tenantId}", &tenant.id)
        .replace("{phoneNumberId}", &tenant.phone_number_id)
        .replace("{endpointId}", "end_00000000000000000000000000")
        .replace("{messageId}", "msg_00000000000000000000000000")
        .replace("{conversationId}", "cnv_00000000000000000000000000")
        .replace("{keyId}", "key_00000000000000000000000000")
        .replace("{signupId}", "sgn_00000000000000000000000000")
        .replace("{departureId}", "dep_00000000000000000000000000")
        .replace("{personId}", "per_00000000000000000000000000")
}

#[tokio::test]
async fn readers_know_every_documented_field_and_no_other() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let mut checked = 0;
    for operation in operations() {
        let Some(schema) = operation.value["requestBody"]["content"]["application/json"].get("schema") else {
            continue;
        };
        if operation.path.starts_with("/whatsapp/webhook") || schema["type"] == "array" {
            continue;
        }
        // What Meta may know of these passes on to it.
        let passes_on = ["sendMessage", "changeProfile"].contains(&operation.name());
        let schema = schema["oneOf"]
            .as_array()
            .and_then(|options| options.iter().find(|option| option["$ref"].is_string()))
            .unwrap_or(schema);
        let (fields, _) = fields_of(schema);
        assert!(!fields.is_empty(), "{}", operation.path);
        let path = filled(&operation.path, &tenant);
        let unknown = (!passes_on).then_some("notAField");
        for name in fields.keys().map(String::as_str).chain(unknown) {
            let body = json!({name: [[0]]});
            let answer = service
                .call(request(operation.method.clone(), &path, Some(&body)))
                .await;
            let complaints = answer.json["errors"].as_array().cloned().unwrap_or_default();
            let pointer = format!("/{name}");
            let is_unknown = complaints
                .iter()
                .any(|error| error["pointer"] == pointer && error["message"].as_str().expect("text").contains("known"));
            assert_eq!(
                is_unknown,
                name == "notAField",
                "{} {name}: {}",
                operation.path,
                answer.text
            );
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}

#[tokio::test]
async fn documented_examples_are_accepted() {
    let service = Service::start(Setup {
        signups: onboarding_at("https://gateway.example.com"),
        ..Setup::default()
    });
    for operation in operations() {
        // The URL of one app takes nothing that is not signed.
        if operation.name() == "receiveAppWebhook" {
            continue;
        }
        let content = &operation.value["requestBody"]["content"]["application/json"];
        let named = content["examples"].as_object().into_iter().flat_map(Map::values);
        let examples: Vec<&Value> = named
            .map(|example| &example["value"])
            .chain(content.get("example"))
            .collect();
        assert!(
            content.is_null() || !examples.is_empty(),
            "{} has no example",
            operation.path
        );
        let number = format!("9{:014}", operation.path.len());
        let tenant = service.register("Tenant", &number).await;
        for example in examples {
            let path = filled(&operation.path, &tenant);
            let answer = service
                .call(request(operation.method.clone(), &path, Some(example)))
                .await;
            let is_of_nothing = [
                "message_not_found",
                "app_not_found",
                "endpoint_not_found",
                "key_not_found",
                "signup_not_found",
                "departure_not_found",
            ]
            .contains(&answer.json["code"].as_str().unwrap_or("-"));
            let is_fine = answer.status.is_success() || is_of_nothing;
            assert!(is_fine, "{path} {example}: {}", answer.text);
        }
        service.delete(&format!("/tenants/{}?force=true", tenant.id)).await;
        // With an app, webhooks must be signed.
        service.delete("/apps/670843887433847").await;
    }
}

#[tokio::test]
async fn the_pages_carry_what_they_need_and_a_strict_policy() {
    let service = Service::open();
    let page = service.get("/docs").await;
    assert_eq!(page.status, StatusCode::OK);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(!page.text.contains("://") && !page.text.contains(" style=") && !page.text.contains("<style"));
    for line in page.text.lines().filter(|line| line.contains("=\"/docs/")) {
        let path = line
            .split("=\"")
            .find_map(|part| part.strip_prefix("/docs/"))
            .expect("a path");
        let path = format!("/docs/{}", path.split('"').next().expect("a quote"));
        assert_eq!(service.get(&path).await.status, StatusCode::OK, "{path}");
    }
    let errors = service.get("/docs/errors").await;
    assert!(
        ErrorCode::ALL
            .iter()
            .all(|code| errors.text.contains(&format!("id=\"{}\"", code.as_str())))
    );
    let document = service.get("/openapi.json").await;
    assert_eq!(document.text, openapi_json());
    assert_eq!(document.json["openapi"], "3.1.0");
    assert_eq!(service.get("/").await.json["docs"], "/docs");
}

#[tokio::test]
async fn what_is_not_there_is_told_as_a_problem() {
    let service = Service::open();
    for path in [
        "/nothing",
        "/tenants/",
        "//",
        "/%2e%2e",
        "/%00",
        "/tenants/x/nothing",
        "/docs/",
    ] {
        assert_eq!(service.get(path).await.outcome(), (404, "not_found"), "{path}");
    }
    for path in ["/tenants/%00/send", "/tenants/%ff/send", "/tenants/%2e%2e/send"] {
        let answer = service.post(path, &json!({"to": "+919111111111", "text": "x"})).await;
        assert_eq!(answer.outcome(), (404, "tenant_not_found"), "{path}");
    }
    let answer = service.get("/tenants/ten_x/send").await;
    assert_eq!(answer.outcome(), (405, "method_not_allowed"));
    assert_eq!(answer.header("allow"), Some("POST"));
    let answer = service.call(request(Method::PUT, "/docs", None)).await;
    assert_eq!(answer.outcome(), (405, "method_not_allowed"));
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));

    let long = format!("/tenants?cursor={}", "x".repeat(8 * 1024));
    assert_eq!(service.get(&long).await.outcome(), (414, "uri_too_long"));
    let big = Request::get("/healthz").header("x-big", "x".repeat(33 * 1024));
    let answer = service
        .call(big.body(axum::body::Body::empty()).expect("a request"))
        .await;
    assert_eq!(answer.outcome(), (431, "headers_too_large"));
}
