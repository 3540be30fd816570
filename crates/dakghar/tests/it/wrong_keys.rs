//! Wrong keys against the real program: counted, told once, slowed down, and told nothing.

use serde_json::{Value, json};

use crate::metrics::Measured;
use crate::product::{Backend, Product, Setup, eventually, on_both_backends};
use crate::unreadable::break_it;

on_both_backends!(
    wrong_keys_are_counted_and_told_once_and_slowed_down,
    a_broken_tenant_looks_like_none_to_a_foreign_key,
);

/// What this key is told; of a problem, without what differs in each.
async fn ask(product: &Product, tenant_id: &str, key: &str) -> (u16, Value) {
    let path = format!("/tenants/{tenant_id}/messages");
    let answer = product.http.get(product.url(&path)).bearer_auth(key).send().await;
    let answer = answer.expect("an answer");
    let status = answer.status().as_u16();
    assert_eq!(answer.headers().contains_key("retry-after"), status == 429);
    let mut body: Value = answer.json().await.expect("JSON");
    body["requestId"] = json!(null);
    (status, body)
}

async fn wrong_keys_are_counted_and_told_once_and_slowed_down(backend: Backend) {
    let measured = Measured::start(Setup::on(backend).env("WRONG_KEYS_PER_MINUTE_MAX", 2)).await;
    let product = &measured.product;
    let (a, b) = (
        product.tenant("111", "mock_a").await,
        product.tenant("222", "mock_b").await,
    );
    assert_eq!(ask(product, &a.id, &a.api_key).await.0, 200);
    let mut told = Vec::new();
    for _ in 0..6 {
        told.push(ask(product, &a.id, &b.api_key).await.0);
    }
    assert_eq!(told, [404, 404, 429, 429, 429, 429]);
    assert_eq!(
        ask(product, &a.id, &a.api_key).await.0,
        200,
        "its neighbour at the same address"
    );
    let seen = measured.scrape().await;
    assert_eq!(seen.value("dakghar_wrong_keys_total"), 2);
    assert_eq!(
        seen.by_label("dakghar_refused_total"),
        [("wrong_keys".to_owned(), 4)].into()
    );
    let log = product.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("a wrong API key was presented"))
        .collect();
    assert!(lines.len() == 1 && lines[0].contains("127.0.0.1"), "{lines:?}");
    assert!(!log.contains(&b.api_key), "a key is in the log");
}

async fn a_broken_tenant_looks_like_none_to_a_foreign_key(backend: Backend) {
    let product = Product::start(backend).await;
    let (broken, other) = (
        product.tenant("111", "mock_a").await,
        product.tenant("222", "mock_b").await,
    );
    assert_eq!(ask(&product, &broken.id, &broken.api_key).await.0, 200);
    break_it(&product, "tenants", &broken.id).await;
    let as_operator = format!("/tenants/{}/messages", broken.id);
    let is_noticed = async || product.call("GET", &as_operator, None).await.0 == 500;
    assert!(eventually(is_noticed).await, "it is remembered for ever");
    let none = ask(&product, "ten_00000000000000000000000000", &other.api_key).await;
    assert_eq!(none.0, 404);
    assert_eq!(ask(&product, &broken.id, &other.api_key).await, none);
    assert_eq!(
        ask(&product, &broken.id, &broken.api_key).await.0,
        500,
        "who had its key is told what is wrong"
    );
}
