//! Signups over HTTP: begun, looked at, retried, and the refusals.

use axum::body::Body;
use axum::http::Request;
use dakghar_core::domain::AppId;
use dakghar_core::domain::access_token::{SEND_SCOPE, TokenFacts, TokenVerdict};
use dakghar_core::domain::ids::WabaId;
use dakghar_testkit::memory::{MemoryOnboarding, MemoryTokens};
use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, APP_SECRET, Service, Setup, TestTenant, known_app};
use crate::webhook::signature;

const TOKEN: &str = "EAA-canary-token";

struct Meta {
    onboarding: MemoryOnboarding,
    tokens: MemoryTokens,
}

/// A service, a tenant, and an account at Meta for which a customer got the code `canary-code`.
async fn service() -> (Service, TestTenant, Meta) {
    let meta = Meta {
        onboarding: MemoryOnboarding::default(),
        tokens: MemoryTokens::default(),
    };
    meta.onboarding.add_account("900", &["501"]);
    meta.onboarding.give_code("canary-code", TOKEN);
    let facts = TokenFacts {
        app_id: AppId::parse("222").expect("digits"),
        kind: Some("SYSTEM_USER".into()),
        scopes: vec!["whatsapp_business_management".into(), SEND_SCOPE.into()],
        accounts: vec![WabaId::parse("900").expect("digits")],
        expires_at: None,
    };
    meta.tokens.say(TOKEN, TokenVerdict::Valid(facts));
    let mut service = Service::start(Setup {
        default_app: known_app(),
        onboarding: meta.onboarding.clone(),
        tokens: meta.tokens.clone(),
        ..Setup::production()
    });
    service.key = Some(ADMIN_KEY.to_owned());
    let tenant = service.register("Tenant A", "111111111111111").await;
    (service, tenant, meta)
}

fn path(tenant: &TestTenant) -> String {
    format!("/tenants/{}/signups", tenant.id)
}

/// Works until the signup does not go on by itself, and returns it as it is shown.
async fn settled(service: &Service, path: &str) -> Value {
    for _ in 0..20 {
        service.app.onboarding.exchange_codes().await.expect("a round");
        service.app.onboarding.work().await.expect("a round");
    }
    let shown = service.get(path).await;
    for secret in ["canary-code", TOKEN] {
        assert!(!shown.text.contains(secret), "{}", shown.text);
    }
    shown.json
}

async fn begun(service: &Service, tenant: &TestTenant, body: &Value) -> String {
    let begun = service.post(&path(tenant), body).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    let id = begun.json["signupId"].as_str().expect("an id");
    format!("{}/{id}", path(tenant))
}

#[tokio::test]
async fn a_number_of_the_app_is_shown_as_one_with_its_requests_and_its_history() {
    let (service, tenant, meta) = service().await;
    meta.onboarding
        .change_number("501", |number| number.is_on_app = Some(true));
    let wrong = json!({"code": "canary-code", "event": "a b"});
    let refused = service.post(&path(&tenant), &wrong).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json["code"]),
        (422, &json!("invalid_field"))
    );
    let body = json!({"code": "canary-code", "wabaId": "900", "event": "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING"});
    let one = begun(&service, &tenant, &body).await;
    let done = settled(&service, &one).await;
    assert_eq!(
        (&done["state"], &done["history"]),
        (&json!("done"), &Value::Null),
        "{done}"
    );
    let steps = done["steps"].as_array().expect("a list");
    let requests: Vec<_> = steps.iter().filter(|step| !step["requestId"].is_null()).collect();
    let requests: Vec<_> = requests
        .iter()
        .map(|step| (&step["step"], &step["requestId"]))
        .collect();
    let expected = [("contacts", "request-of-contacts"), ("history", "request-of-history")];
    let expected = expected.map(|(step, id)| (json!(step), json!(id)));
    assert_eq!(requests, expected.each_ref().map(|(step, id)| (step, id)));
    let numbers = service.get(&format!("/tenants/{}/phone-numbers", tenant.id)).await.json;
    let number = &numbers["data"][1];
    assert_eq!(
        (&number["isOnBusinessApp"], &number["messagesPerSecond"]),
        (&json!(true), &json!(20))
    );

    let wave = json!([{"metadata": {"phase": 1, "chunk_order": 1, "progress": 40}, "threads": [{"id": "16505550001",
        "messages": [{"from": "16505550001", "id": "wamid.h", "timestamp": "1760000000", "type": "text", "text": {"body": "old"}}]}]}]);
    let value = json!({"metadata": {"display_phone_number": "1555", "phone_number_id": "501"}, "history": wave});
    let entry = json!({"id": "900", "changes": [{"field": "history", "value": value}]});
    let body = json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string();
    let signed = Request::post("/whatsapp/webhook")
        .header("x-hub-signature-256", signature(body.as_bytes(), APP_SECRET))
        .body(Body::from(body));
    let answer = service.call(signed.expect("a request")).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let shown = service.get(&one).await.json;
    let history = &shown["history"];
    assert_eq!(
        (&history["phase"], &history["progress"], &history["messages"]),
        (&json!(1), &json!(40), &json!(1))
    );
    let listed = service.get(&path(&tenant)).await.json;
    assert_eq!(listed["data"][0]["history"], *history);
}

#[tokio::test]
async fn a_number_is_connected_and_every_step_is_shown() {
    let (service, tenant, _) = service().await;
    let body = json!({"code": "canary-code", "wabaId": "900", "phoneNumberId": "501"});
    let one = begun(&service, &tenant, &body).await;
    let running = service.get(&one).await.json;
    assert_eq!(
        (&running["state"], &running["step"]),
        (&json!("running"), &json!("exchange"))
    );
    let done = settled(&service, &one).await;
    assert_eq!(done["state"], "done", "{done}");
    let steps = done["steps"].as_array().expect("a list");
    let outcomes: Vec<_> = steps
        .iter()
        .map(|step| (step["step"].as_str(), step["outcome"].as_str()))
        .collect();
    let names = [
        "exchange",
        "token",
        "account",
        "subscribe",
        "register",
        "facts",
        "credit",
        "tenant",
    ];
    let expected = names.map(|name| (Some(name), Some(if name == "credit" { "skipped" } else { "done" })));
    assert_eq!(outcomes, expected);
    assert_eq!(done["number"]["status"], "CONNECTED");
    assert_eq!(
        (&done["account"]["currency"], &done["askedBy"]),
        (&json!("BDT"), &json!("settings"))
    );
    assert_eq!(done["profile"], json!({"about": "Books"}));
    let numbers = service.get(&format!("/tenants/{}/phone-numbers", tenant.id)).await;
    assert_eq!(numbers.json["data"][1]["phoneNumberId"], "501");

    let again = service.post(&path(&tenant), &body).await;
    assert_eq!(
        (again.status.as_u16(), &again.json["signupId"]),
        (200, &done["signupId"])
    );
    let listed = service.get(&path(&tenant)).await.json;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn it_says_why_it_stopped_and_a_retry_goes_on() {
    let (service, tenant, meta) = service().await;
    meta.onboarding.set_pin("501", "123456");
    let one = begun(&service, &tenant, &json!({"code": "canary-code"})).await;
    let stopped = settled(&service, &one).await;
    assert_eq!(
        (&stopped["state"], &stopped["step"]),
        (&json!("stopped"), &json!("register"))
    );
    assert_eq!(stopped["reason"], "meta_refused");
    assert_eq!(stopped["error"]["code"], 133_005);
    assert_eq!(stopped["error"]["fbtraceId"], "trace-2");
    assert!(
        stopped["advice"]
            .as_str()
            .is_some_and(|advice| advice.contains("retry with pin"))
    );
    assert_eq!(stopped["needsCode"], false);

    let retry = format!("{one}/retry");
    let refused = service.post(&retry, &json!({"pin": "12"})).await;
    assert_eq!(refused.outcome(), (422, "invalid_field"));
    assert_eq!(refused.json["errors"][0]["pointer"], "/pin");
    let retried = service.post(&retry, &json!({"pin": "123456"})).await;
    assert_eq!(
        (retried.status.as_u16(), &retried.json["state"]),
        (200, &json!("running"))
    );
    let done = settled(&service, &one).await;
    assert_eq!(done["state"], "done", "{done}");
    assert!(!done.to_string().contains("123456"));
    assert_eq!(meta.onboarding.journal().len(), 3, "nothing was done twice");
}

#[tokio::test]
async fn what_cannot_begin_is_refused() {
    let (mut service, tenant, _) = service().await;
    for (body, outcome, pointer) in [
        (json!({}), (422, "invalid_field"), "/code"),
        (json!({"code": "a b"}), (422, "invalid_field"), "/code"),
        (json!({"code": "c", "pin": "1234567"}), (422, "invalid_field"), "/pin"),
        (json!({"code": "c", "wabaId": "x"}), (422, "invalid_field"), "/wabaId"),
        (json!({"code": "c", "why": 1}), (422, "unknown_field"), "/why"),
        (
            json!({"code": "c", "phoneNumberId": "x"}),
            (422, "invalid_phone_number_id"),
            "/phoneNumberId",
        ),
    ] {
        let refused = service.post(&path(&tenant), &body).await;
        assert_eq!(refused.outcome(), outcome, "{body}");
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{body}");
    }
    let refused = service.post(&path(&tenant), &json!({"code": "c", "appId": "9"})).await;
    assert_eq!(refused.outcome(), (404, "app_not_found"));
    let other = service.register("Tenant B", "222222222222222").await;
    let taken = json!({"code": "c", "phoneNumberId": "222222222222222"});
    assert_eq!(
        service.post(&path(&tenant), &taken).await.outcome(),
        (409, "phone_number_taken")
    );

    begun(&service, &other, &json!({"code": "their-code"})).await;
    service.key = Some(tenant.key.clone());
    let used = service.post(&path(&tenant), &json!({"code": "their-code"})).await;
    assert_eq!(used.outcome(), (409, "signup_code_used"));
    // A tenant is not told that somebody else has a number that it did not show to be its own.
    assert_eq!(service.post(&path(&tenant), &taken).await.status, 202);
    let missing = service.get(&format!("{}/sgn_x", path(&tenant))).await;
    assert_eq!(missing.outcome(), (404, "signup_not_found"));
}

#[tokio::test]
async fn a_retry_without_the_code_that_is_needed_is_refused() {
    let (service, tenant, meta) = service().await;
    let one = begun(&service, &tenant, &json!({"code": "made-up"})).await;
    let stopped = settled(&service, &one).await;
    assert_eq!(
        (&stopped["step"], &stopped["needsCode"]),
        (&json!("exchange"), &json!(true))
    );
    let retry = format!("{one}/retry");
    assert_eq!(
        service.post(&retry, &json!({})).await.outcome(),
        (409, "signup_needs_code")
    );
    assert_eq!(service.post(&retry, &json!({"code": "canary-code"})).await.status, 200);
    assert_eq!(settled(&service, &one).await["state"], "done");
    assert_eq!(meta.onboarding.journal()[0], "exchange canary-code");
}
