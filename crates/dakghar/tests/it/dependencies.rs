//! What the distributed product does without one of the servers it needs, and what none of them may take away.

use std::time::Duration;

use mongodb::bson::{Document, doc};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, eventually, text};

/// Which dependencies are down, as the operator is told, with the reason.
async fn down(product: &Product) -> Vec<(String, String)> {
    let (_, body) = product.call("GET", "/readyz", None).await;
    let dependencies = body["dependencies"].as_array().cloned().unwrap_or_default();
    dependencies
        .iter()
        .filter(|dependency| dependency["status"] == "down")
        .map(|dependency| (text(&dependency["name"]), text(&dependency["problem"])))
        .collect()
}

async fn until_only_down(product: &Product, name: &str) {
    let is_so = async || {
        let down = down(product).await;
        down.len() == 1 && down[0].0 == name && !down[0].1.is_empty()
    };
    assert!(eventually(is_so).await, "{:?}", down(product).await);
    assert_eq!(product.call("GET", "/readyz", None).await.0, 503);
    assert_eq!(product.call("GET", "/healthz", None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_messages_are_accepted_and_sent_when_it_is_back() {
    let mut product = Product::start(Backend::Fragile).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product.servers().1.kill();
    until_only_down(&product, "queue").await;
    let body = json!({"to": "+919111111111", "text": "hello"});
    let (status, answer) = product
        .call("POST", &format!("/tenants/{}/send", tenant.id), Some(body))
        .await;
    assert_eq!((status, &answer["status"]), (202, &json!("queued")), "{answer}");
    product.servers().1.restart().await;
    product.ready().await;
    let message = product
        .until_status(&tenant, &text(&answer["messageId"]), "delivered")
        .await;
    assert_eq!(message["attempts"], 1);
}

/// Without the index a repeated request would be a second message.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_unique_index_nothing_is_accepted_or_sent_until_it_is_built_again() {
    let product = Product::start(Backend::Distributed).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let of_tenant = |path: &str| format!("/tenants/{}/{path}", tenant.id);
    assert_eq!(product.call("POST", &of_tenant("pause"), None).await.0, 200);
    let id = product.send(&tenant, "+919111111111").await;
    let messages = product.database().await.collection::<Document>("messages");
    let dropped = messages.drop_index("tenant_idempotency_key").await;
    dropped.expect("it was there");
    let twin = |id: &str| doc! { "_id": id, "tenantId": "ten_1", "idempotencyKey": "order-1" };
    let twins = messages
        .insert_many([twin("a"), twin("b")])
        .bypass_document_validation(true);
    twins.await.expect("nothing is unique any more");

    until_only_down(&product, "store").await;
    let body = json!({"to": "+919111111111", "text": "hello", "idempotency_key": "order-2"});
    let request = product.http.post(product.url(&of_tenant("send"))).json(&body);
    let answer = request.bearer_auth(&tenant.api_key).send().await.expect("an answer");
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers().get("retry-after").expect("a time"), "2");
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["code"], "store_unavailable");
    assert_eq!(product.call("POST", &of_tenant("resume"), None).await.0, 200);
    product.until_status(&tenant, &id, "queued").await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(product.message(&tenant, &id).await["status"], "queued");
    assert!(product.sim.journal().is_empty(), "it was sent");

    let deleted = messages.delete_many(doc! { "tenantId": "ten_1" }).await;
    deleted.expect("the server answers");
    product.ready().await;
    // The one that was due meanwhile comes by its timer, within a minute.
    let (status, answer) = product.call("POST", &of_tenant("send"), Some(body)).await;
    assert_eq!(status, 202, "{answer}");
    product
        .until_status(&tenant, &text(&answer["messageId"]), "delivered")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_mongodb_answers_health_checks_and_goes_on_when_it_is_there() {
    let mut product = Product::start(Backend::Fragile).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product.kill();
    product.servers().0.kill();
    product.spawn("serve");
    let patience = std::time::Duration::from_secs(5);
    let is_alive = async || {
        let asked = product.http.get(product.url("/healthz")).timeout(patience).send().await;
        asked.is_ok_and(|answer| answer.status() == 200)
    };
    assert!(eventually(is_alive).await, "the health check is not answered");
    let (status, body) = product.call("GET", "/readyz", None).await;
    assert_eq!((status, &body["status"]), (503, &json!("not_ready")));
    assert_eq!(down(&product).await[0], ("store".into(), "it is not open yet".into()));
    let path = format!("/tenants/{}/send", tenant.id);
    let (status, problem) = product
        .call("POST", &path, Some(json!({"to": "+919111111111", "text": "hello"})))
        .await;
    assert_eq!((status, &problem["code"]), (503, &json!("store_unavailable")));
    product.servers().0.restart().await;
    product.ready().await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_start_that_waits_for_mongodb() {
    let mut product = Product::start(Backend::Fragile).await;
    product.kill();
    product.servers().0.kill();
    product.spawn("serve");
    let is_alive = async || product.http.get(product.url("/healthz")).send().await.is_ok();
    assert!(eventually(is_alive).await, "the health check is not answered");
    assert_eq!(product.terminate().await, Some(0), "{}", product.log());
    assert!(
        product.log().contains("stopped before the store was open"),
        "{}",
        product.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_mongodb_nothing_is_accepted_and_everybody_is_told_when_to_retry() {
    let mut product = Product::start(Backend::Fragile).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product.servers().0.kill();
    until_only_down(&product, "store").await;
    let path = format!("/tenants/{}/send", tenant.id);
    let body = json!({"to": "+919111111111", "text": "hello", "idempotency_key": "order-1"});
    let requests = [
        product.http.post(product.url(&path)).json(&body),
        product
            .http
            .get(product.url(&format!("/tenants/{}/messages", tenant.id))),
    ];
    for request in requests {
        let answer = request.bearer_auth(&tenant.api_key).send().await.expect("an answer");
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers().get("retry-after").expect("a time"), "2");
        let problem: Value = answer.json().await.expect("JSON");
        assert_eq!(problem["code"], "store_unavailable");
    }
    // Meta posts again what it was not answered 200 for.
    let webhook = json!({"object": "whatsapp_business_account", "entry": [{"id": "9001", "changes": [
        {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "111"},
            "messages": [{"from": "16505551234", "id": "wamid.A", "timestamp": "1760000000", "type": "text",
                "text": {"body": "hi"}}]}}]}]});
    let posted = product.sim.post_webhook_raw(webhook.to_string().into_bytes()).await;
    assert_eq!(posted.expect("an answer"), 503);

    product.servers().0.restart().await;
    product.ready().await;
    let id = text(&product.post(&path, body).await["messageId"]);
    product.until_status(&tenant, &id, "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_before_mongodb_waits_and_says_so_at_each_try() {
    let mut product = Product::start(Backend::Fragile).await;
    product.kill();
    product.servers().0.kill();
    let before = product.log().len();
    product.spawn("serve");
    let tries = |product: &Product| {
        let log = product.log();
        let lines = log[before..].lines();
        lines
            .filter(|line| line.contains("MongoDB cannot be reached, trying again"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert!(
        eventually(async || tries(&product).len() >= 2).await,
        "{}",
        product.log()
    );
    let address = format!("127.0.0.1:{}", product.servers().0.port());
    for (line, number) in tries(&product).iter().zip(1..) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(line["tries"], json!(number), "{line}");
        assert_eq!(line["hosts"], json!(address), "{line}");
        assert!(line["why"].as_str().is_some_and(|why| !why.is_empty()), "{line}");
        assert!(line["retry_ms"].as_u64().is_some_and(|ms| ms > 0), "{line}");
    }
    product.servers().0.restart().await;
    product.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_unique_index_the_service_is_not_ready_until_it_is_built_again() {
    let mut product = Product::start(Backend::Distributed).await;
    let messages = product.database().await.collection::<Document>("messages");
    messages
        .drop_index("tenant_idempotency_key")
        .await
        .expect("the index is there");
    until_only_down(&product, "store").await;
    let (_, problem) = down(&product).await.remove(0);
    assert!(problem.contains("tenant_idempotency_key"), "{problem}");
    product.restart().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_takes_no_message_no_pause_no_limit_and_no_hold() {
    let product = Setup::on(Backend::Fragile).tokens(&["EAAG-good"]).start().await;
    let paused = product.tenant("111", "EAAG-good").await;
    let limited = product.tenant("222", "EAAG-good").await;
    let refused = product.tenant("333", "EAAG-bad").await;
    product.post(&format!("/tenants/{}/pause", paused.id), json!({})).await;
    let number = format!("/tenants/{}/phone-numbers/222", limited.id);
    let (status, body) = product
        .call("PATCH", &number, Some(json!({"messagesPerSecond": 7})))
        .await;
    assert_eq!(status, 200, "{body}");
    // Meta refuses the token again and again, until the number waits.
    for n in 0..4 {
        let id = product.send(&refused, &format!("+91911111111{n}")).await;
        product.until_status(&refused, &id, "held").await;
    }
    let number_of = async |tenant: &str| product.get(&format!("/tenants/{tenant}")).await["phoneNumbers"][0].clone();
    let is_on_hold = async || number_of(&refused.id).await["hold"]["reason"] == "credentials_invalid";
    assert!(eventually(is_on_hold).await);

    let held = product.send(&paused, "+919111111111").await;
    product.until_status(&paused, &held, "held").await;
    let at = (jiff::Timestamp::now() + std::time::Duration::from_secs(5)).to_string();
    let body = json!({"to": "+919111111111", "text": "in the queue", "sendAt": at});
    let queued = text(&product.post(&format!("/tenants/{}/send", limited.id), body).await["messageId"]);

    product.redis(&["FLUSHALL"]);
    let message = product.until_status(&limited, &queued, "delivered").await;
    assert_eq!(message["attempts"], 1);
    assert!(
        product.log().contains("the queue was filled again from the store"),
        "{}",
        product.log()
    );

    assert_eq!(number_of(&limited.id).await["messagesPerSecond"], 7);
    let held_back = [
        product.send(&paused, "+919111111112").await,
        product.send(&refused, "+919111111112").await,
    ];
    product.until_status(&paused, &held_back[0], "held").await;
    product.until_status(&refused, &held_back[1], "held").await;
    assert_eq!(product.message(&paused, &held).await["status"], "held");
    let calls = product.sim.call_counts();
    let was_called = |id: &str| calls.keys().any(|opaque| opaque.contains(id));
    assert!(was_called(&queued));
    assert!(
        !was_called(&held) && !held_back.iter().any(|id| was_called(id)),
        "{calls:?}"
    );
}

/// A server that does nothing until this is dropped.
struct Hanging(u32);

impl Hanging {
    fn hang(pid: u32) -> Self {
        signal(pid, "-STOP");
        Self(pid)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        signal(self.0, "-CONT");
    }
}

fn signal(pid: u32, signal: &str) {
    let sent = std::process::Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

/// Whoever asks gives up after a second, and the limits of the servers' drivers are several seconds.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_told_in_time_whatever_hangs() {
    let mut product = Product::start(Backend::Fragile).await;
    let (mongo, redis) = product.servers();
    let pids = [("store", mongo.pid()), ("queue", redis.pid())];
    for (name, pid) in pids {
        let hanging = Hanging::hang(pid);
        let is_told = async || {
            let asked = tokio::time::timeout(Duration::from_secs(2), down(&product)).await;
            let down = asked.expect("an answer in time");
            down.len() == 1 && down[0].0 == name && !down[0].1.is_empty()
        };
        assert!(eventually(is_told).await, "{name}");
        drop(hanging);
        product.ready().await;
    }
}
