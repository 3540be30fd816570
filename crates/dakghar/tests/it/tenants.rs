//! Tenants: registered, isolated from each other, and removed without a trace.

use dakghar_graph_sim::{Fault, FaultRule, StatusPlan};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, on_both_backends, text};

on_both_backends!(
    a_number_belongs_to_one_tenant,
    a_tenants_key_opens_only_its_own,
    a_removed_tenant_is_gone,
    nothing_of_a_removed_tenant_can_be_read,
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

    let app = json!({"appId": "424242", "name": "Partner", "secret": "0123456789abcdef0123456789abcdef"});
    product.post("/apps", app.clone()).await;

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
    let warning = "1 of 1 apps are still wrapped under MASTER_KEY_PREVIOUS";
    assert!(out.contains(warning), "{out}");
    // One that is made now is wrapped under the new key.
    let mut next = app;
    next["appId"] = json!("434343");
    product.post("/apps", next).await;
    let (_, out, err) = product.run(&["doctor"]);
    assert!(
        out.contains("1 of 2 apps are still wrapped under MASTER_KEY_PREVIOUS"),
        "{out}{err}"
    );
}

/// Its name, its people, what they wrote and its sealed tokens: in no document, and in no byte of the files.
async fn nothing_of_a_removed_tenant_can_be_read(backend: Backend) {
    const NAME: &str = "name-canary-4e02";
    const TEXT: &str = "text-canary-9b31";
    const PERSON: &str = "919155507788";
    let product = Product::start(backend).await;
    let register = |name: &str, number: &str| json!({"name": name, "phoneNumberId": number, "accessToken": "mock_a"});
    product.post("/tenants/register", register("stays", "222")).await;
    let registered = product.post("/tenants/register", register(NAME, "111")).await;
    let own = format!("/tenants/{}", text(&registered["tenantId"]));
    for n in 0..30 {
        let body = json!({"to": format!("+{PERSON}"), "text": format!("{TEXT} {n}"), "metadata": {"order": NAME}});
        product.post(&format!("{own}/send"), body).await;
        let inbound = dakghar_graph_sim::InboundMessage::text("111", PERSON, TEXT);
        product.sim.send_inbound(inbound).expect("planned");
    }
    product
        .until_count(&format!("{own}/messages?direction=inbound&limit=200"), 30)
        .await;
    let event = json!({"entry": [{"id": "9001", "changes": [{"field": "message_template_status_update",
        "value": {"metadata": {"phone_number_id": "111"}, "reason": TEXT}}]}]});
    product
        .sim
        .post_webhook_raw(event.to_string().into_bytes())
        .await
        .expect("an answer");
    let is_in = |bytes: &[u8], words: &str| bytes.windows(words.len()).any(|window| window == words.as_bytes());
    let before = product.stored_bytes().await;
    for words in [NAME, TEXT, PERSON] {
        assert!(is_in(&before, words), "{words} was never there");
    }
    assert_eq!(product.call("DELETE", &format!("{own}?force=true"), None).await.0, 204);
    let after = product.stored_bytes().await;
    assert!(is_in(&after, "stays"), "what was read is not the store");
    for words in [NAME, TEXT, PERSON] {
        let at = after.windows(words.len()).position(|window| window == words.as_bytes());
        let around = at.map(|at| String::from_utf8_lossy(&after[at.saturating_sub(300)..at + 100]).into_owned());
        assert_eq!(around, None, "{words} is still there");
    }
}
