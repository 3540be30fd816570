//! Secrets stay secret: a canary token is in no log, no answer, no error and no byte of the store.

use dakghar_graph_sim::{Fault, FaultRule, InboundMessage};
use serde_json::json;

use crate::product::{Backend, Product, on_both_backends};

on_both_backends!(a_canary_is_nowhere);

const CANARY: &str = "EAAGcanary7f3a9c51b2";
const CANARY_BODY: &str = "body-canary-55d0";
const CANARY_PHONE: &str = "919155501234";

async fn a_canary_is_nowhere(backend: Backend) {
    let mut product = Product::start(backend).await;
    let tenant = product.tenant("111", CANARY).await;
    product.sim.add_rule(FaultRule::first(1, Fault::graph_error(190)));
    product.sim.add_rule(FaultRule::first(1, Fault::HtmlBadGateway));
    let path = format!("/tenants/{}/send", tenant.id);
    let mut answers = String::new();
    for n in 0..3 {
        let body = json!({"to": format!("+{CANARY_PHONE}"), "text": format!("{CANARY_BODY} {n}")});
        answers += &product.post(&path, body).await.to_string();
    }
    product
        .sim
        .send_inbound(InboundMessage::text("111", CANARY_PHONE, CANARY_BODY))
        .expect("planned");
    product
        .until_count(&format!("/tenants/{}/messages?direction=inbound", tenant.id), 1)
        .await;
    let duplicate = json!({"name": "B", "phoneNumberId": "111", "accessToken": CANARY});
    answers += &product
        .call("POST", "/tenants/register", Some(duplicate))
        .await
        .1
        .to_string();
    let bad = json!({"name": "B", "phoneNumberId": "x", "accessToken": format!("{CANARY} with space")});
    answers += &product.call("POST", "/tenants/register", Some(bad)).await.1.to_string();
    for path in ["/tenants", "/dead-letters", "/unrouted"] {
        answers += &product.get(path).await.to_string();
    }
    answers += &product.get(&format!("/tenants/{}", tenant.id)).await.to_string();
    product.terminate().await;

    assert!(!answers.contains(CANARY), "in an answer");
    let (log, verify_token) = (product.log(), product.setting("VERIFY_TOKEN").to_owned());
    for secret in [CANARY, CANARY_BODY, CANARY_PHONE, &tenant.api_key, &verify_token] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let store = product.store_bytes();
    assert_eq!(store.is_empty(), product.is_distributed());
    for secret in [CANARY, &tenant.api_key] {
        assert!(
            !store.windows(secret.len()).any(|window| window == secret.as_bytes()),
            "{secret} is in the store"
        );
    }
}
