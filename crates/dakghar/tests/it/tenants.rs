//! Tenants: registered, isolated from each other, and removed without a trace.

use dakghar_graph_sim::{Fault, FaultRule, StatusPlan};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, on_both_backends, text};

on_both_backends!(
    a_number_belongs_to_one_tenant,
    a_tenants_key_opens_only_its_own,
    a_removed_tenant_is_gone,
    what_was_made_under_the_previous_master_key_stays_valid
);

async fn a_number_belongs_to_one_tenant(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let again = json!({"name": "B", "phoneNumberId": "111", "accessToken": "mock_b"});
    let (status, problem) = product.call("POST", "/tenants/register", Some(again)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("phone_number_taken")));
    let shown = product.get(&format!("/tenants/{}", tenant.id)).await;
    assert_eq!(shown["phoneNumbers"][0]["phoneNumberId"], "111");
    assert!(!shown.to_string().contains("mock_a"));
}

async fn a_tenants_key_opens_only_its_own(backend: Backend) {
    let product = Product::start(backend).await;
    let (a, b) = (
        product.tenant("111", "mock_a").await,
        product.tenant("222", "mock_b").await,
    );
    let id = product.send(&b, "+919111111111").await;
    let ask = async |path: String, key: &str| {
        product
            .http
            .get(product.url(&path))
            .bearer_auth(key)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(ask(format!("/tenants/{}/messages", a.id), &a.api_key).await, 200);
    assert_eq!(ask(format!("/tenants/{}/messages", b.id), &a.api_key).await, 404);
    assert_eq!(ask(format!("/tenants/{}/messages/{id}", a.id), &a.api_key).await, 404);
    assert_eq!(ask("/dead-letters".to_owned(), &a.api_key).await, 403);
    assert_eq!(ask("/tenants".to_owned(), "wrong").await, 401);
}

async fn a_removed_tenant_is_gone(backend: Backend) {
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "mock_a").await;
    let path = format!("/tenants/{}", tenant.id);
    product.post(&format!("{path}/pause"), json!({})).await;
    product.send(&tenant, "+919111111111").await;
    let (status, problem) = product.call("DELETE", &path, None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("tenant_not_empty")));
    let (status, _) = product.call("DELETE", &format!("{path}?force=true"), None).await;
    assert_eq!(status, 204);
    assert_eq!(product.call("GET", &path, None).await.0, 404);
    assert_eq!(product.get("/tenants").await["data"], json!([]));
    // The number is free again.
    product.tenant("111", "mock_b").await;
}

async fn what_was_made_under_the_previous_master_key_stays_valid(backend: Backend) {
    // The status comes after the change, and nothing but the callback data of the call says what it is about.
    let statuses = StatusPlan {
        sent_ms: Some(4_000),
        delivered_ms: None,
        read_ms: None,
        ..StatusPlan::immediate()
    };
    let mut product = Setup::on(backend)
        .statuses(statuses)
        .env("UNKNOWN_OUTCOME_GRACE_MS", 60_000)
        .start()
        .await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product
        .sim
        .add_rule(FaultRule::first(1, Fault::ResetAfterBody { accept: true }));
    let in_doubt = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &in_doubt, "in_doubt").await;

    let previous = product.setting("MASTER_KEY").to_owned();
    product.set("MASTER_KEY_PREVIOUS", previous);
    product.set("MASTER_KEY", "another master key, of more than 32 bytes");
    product.restart().await;
    let request = product.http.post(product.url(&format!("/tenants/{}/send", tenant.id)));
    let body = json!({"to": "+919111111111", "text": "hello"});
    let answer = request.bearer_auth(&tenant.api_key).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let answer: Value = answer.json().await.unwrap();
    product.until_status(&tenant, &text(&answer["messageId"]), "sent").await;
    let message = product.until_status(&tenant, &in_doubt, "sent").await;
    assert_eq!(message["attempts"], 1, "it was not sent again");

    let (code, out, err) = product.run(&["doctor"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let warning = "1 of 1 tenants are still wrapped under MASTER_KEY_PREVIOUS";
    assert!(out.contains(warning), "{out}");
}
