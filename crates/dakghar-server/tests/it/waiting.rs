//! The messages of a tenant that wait.

use axum::http::Method;
use dakghar_core::metrics::Limit;
use serde_json::{Value, json};

use crate::harness::{ADMIN_KEY, Answer, Service, Setup, TestTenant, request, with_key};

async fn limit(service: &Service, tenant: &TestTenant, limits: Value) -> Answer {
    let path = format!("/tenants/{}", tenant.id);
    let change = request(Method::PATCH, &path, Some(&json!({ "limits": limits })));
    service.call(with_key(change, Some(ADMIN_KEY))).await
}

async fn send(service: &Service, tenant: &TestTenant, key: &str) -> Answer {
    let path = format!("/tenants/{}/send", tenant.id);
    let message = json!({"to": "+919111111111", "text": "hello", "idempotencyKey": key});
    let message = request(Method::POST, &path, Some(&message));
    service.call(with_key(message, Some(&tenant.key))).await
}

#[tokio::test]
async fn a_tenant_with_as_many_messages_waiting_as_it_may_have_is_told_so_and_others_send() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let a = service.register("Tenant A", "111111111111111").await;
    let b = service.register("Tenant B", "222222222222222").await;
    let set = limit(&service, &a, json!({"messagesWaiting": 2})).await;
    assert_eq!(set.json["limits"]["messagesWaiting"], json!(2), "{}", set.text);

    let first = send(&service, &a, "1").await;
    assert_eq!(first.status.as_u16(), 202);
    assert_eq!(send(&service, &a, "2").await.status.as_u16(), 202);
    let full = send(&service, &a, "3").await;
    assert_eq!(full.outcome(), (429, "too_many_waiting"));
    assert_eq!(full.header("retry-after"), Some("1"));
    let detail = full.json["detail"].as_str().expect("a detail");
    assert!(detail.contains("messagesWaiting"), "{detail}");
    assert_eq!(service.app.metrics.refused.of(Limit::MessagesWaiting).get(), 1);

    let repeated = send(&service, &a, "1").await;
    assert_eq!(repeated.status.as_u16(), 200, "{}", repeated.text);
    assert_eq!(repeated.json["messageId"], first.json["messageId"]);
    assert_eq!(repeated.json["duplicate"], json!(true));
    assert_eq!(send(&service, &b, "1").await.status.as_u16(), 202);
}

#[tokio::test]
async fn limits_that_are_not_named_stay_and_wrong_ones_are_pointed_at() {
    let mut service = Service::start(Setup::production());
    service.key = Some(ADMIN_KEY.into());
    let a = service.register("Tenant A", "111111111111111").await;
    limit(&service, &a, json!({"requestsPerSecond": 7})).await;
    let both = limit(&service, &a, json!({"messagesWaiting": 9})).await;
    assert_eq!(both.json["limits"]["requestsPerSecond"], json!(7));
    assert_eq!(both.json["limits"]["messagesWaiting"], json!(9));
    let one = limit(&service, &a, json!({"requestsPerSecond": null})).await;
    assert_eq!(one.json["limits"]["requestsPerSecond"], json!(null));
    assert_eq!(one.json["limits"]["messagesWaiting"], json!(9));

    for (limits, code, pointer) in [
        (
            json!({"messagesWaiting": 1_000_001}),
            "invalid_field",
            "/limits/messagesWaiting",
        ),
        (
            json!({"messagesWaiting": -1}),
            "invalid_field",
            "/limits/messagesWaiting",
        ),
        (
            json!({"messagesWaiting": "9"}),
            "invalid_field",
            "/limits/messagesWaiting",
        ),
        (json!({"messages": 9}), "unknown_field", "/limits/messages"),
        (json!(9), "invalid_field", "/limits"),
    ] {
        let refused = limit(&service, &a, limits).await;
        assert_eq!(refused.outcome(), (422, code), "{}", refused.text);
        assert_eq!(refused.json["errors"][0]["pointer"], json!(pointer));
    }
    let path = format!("/tenants/{}", a.id);
    let twice = r#"{"limits": {"messagesWaiting": 1, "messagesWaiting": 2}}"#;
    let mut twice = request(Method::PATCH, &path, Some(&json!({}))).map(|_| axum::body::Body::from(twice));
    twice = with_key(twice, Some(ADMIN_KEY));
    let refused = service.call(twice).await;
    assert_eq!(refused.outcome(), (400, "duplicate_field"));
    assert_eq!(refused.json["errors"][0]["pointer"], json!("/limits/messagesWaiting"));
}
