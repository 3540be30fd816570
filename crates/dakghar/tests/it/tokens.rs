//! Access tokens through the whole product: a bad one is refused when it is given, one that stops working holds its number,
//! and another one in its place lets what waits go out.

use dakghar_graph_sim::Token;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, on_both_backends, text};

on_both_backends!(
    a_token_that_does_not_work_is_refused_when_it_is_given,
    a_revoked_token_holds_its_number_until_another_one_is_given,
);

async fn product(backend: Backend) -> Product {
    Setup::on(backend).env("APP_ID", "4242").start().await
}

fn revoked(token: &str) -> Token {
    Token {
        is_valid: false,
        ..Token::plain(token)
    }
}

async fn a_token_that_does_not_work_is_refused_when_it_is_given(backend: Backend) {
    let product = product(backend).await;
    product.sim.set_token(revoked("EAAG-revoked"));
    product.sim.set_token(Token {
        scopes: vec!["business_management".to_owned()],
        ..Token::plain("EAAG-without-scope")
    });
    for token in ["EAAG-revoked", "EAAG-without-scope"] {
        let body = json!({"name": "Tenant", "phoneNumberId": "111", "accessToken": token});
        let (status, answer) = product.call("POST", "/tenants/register", Some(body)).await;
        assert_eq!(
            (status, &answer["code"]),
            (422, &json!("access_token_refused")),
            "{answer}"
        );
        assert!(!answer.to_string().contains(token), "{answer}");
    }
    let listed = product.get("/tenants").await;
    assert_eq!(listed["data"], json!([]), "nothing was registered");
    // The number is still free.
    let tenant = product.tenant("111", "EAAG-good").await;
    let shown = product.get(&format!("/tenants/{}", tenant.id)).await;
    assert_eq!(shown["phoneNumbers"][0]["token"]["appId"], "4242", "{shown}");
    assert!(!product.log().contains("EAAG-"), "a token is in the log");
}

async fn replace_token(product: &Product, tenant: &Tenant, token: &str) -> (u16, Value) {
    let path = format!("/tenants/{}/access-token", tenant.id);
    product.call("PUT", &path, Some(json!({"accessToken": token}))).await
}

async fn a_revoked_token_holds_its_number_until_another_one_is_given(backend: Backend) {
    let mut product = product(backend).await;
    let tenant = product.tenant("111", "EAAG-old").await;
    let other = product.tenant("222", "EAAG-other").await;
    let before = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &before, "delivered").await;

    product.sim.set_token(revoked("EAAG-old"));
    let mut waiting = Vec::new();
    for n in 0..5 {
        waiting.push(product.send(&tenant, &format!("+91911111112{n}")).await);
    }
    for id in &waiting {
        let message = product.until_status(&tenant, id, "held").await;
        assert_eq!(message["holdReason"], "credentials_invalid", "{message}");
    }
    let (status, answer) = replace_token(&product, &tenant, "EAAG-old").await;
    assert_eq!(
        (status, &answer["code"]),
        (422, &json!("access_token_refused")),
        "{answer}"
    );
    // Neither a restart nor the neighbour changes it.
    product.restart().await;
    let others = product.send(&other, "+919111111113").await;
    product.until_status(&other, &others, "delivered").await;
    assert_eq!(product.message(&tenant, &waiting[0]).await["status"], "held");

    let (status, answer) = replace_token(&product, &tenant, "EAAG-new").await;
    assert_eq!(status, 200, "{answer}");
    for id in &waiting {
        product.until_status(&tenant, id, "delivered").await;
    }
    let feed = product
        .get(&format!("/tenants/{}/feed?after=0&limit=200", tenant.id))
        .await;
    let kinds: Vec<String> = feed["data"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| text(&entry["kind"]))
        .collect();
    for kind in ["sending.held", "sending.released"] {
        assert!(kinds.iter().any(|told| told == kind), "{kind} is not in {kinds:?}");
    }
    let sent = product.sim.accepted_counts();
    assert_eq!(sent.values().sum::<u64>(), 7, "each went out once: {sent:?}");
}
