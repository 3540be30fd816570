//! Messages that wait.

use std::time::Duration;

use dakghar_testkit::Port;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Tenants, ports};
use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends};

on_both_backends!(a_tenant_with_too_many_messages_waiting_is_held_to_its_limit_also_after_a_crash_and_nine_others_send);

const MAX: usize = 100;

/// Sends a message under this key with the tenant's own key. Answers the status and the body.
async fn send(product: &Product, port: u16, tenant: &Tenant, key: &str) -> (u16, Value) {
    let url = format!("http://127.0.0.1:{port}/tenants/{}/send", tenant.id);
    let body = json!({"to": "+919111111111", "text": "hello", "idempotencyKey": key});
    let request = product.http.post(url).bearer_auth(&tenant.api_key).json(&body);
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    assert_eq!(answer.headers().contains_key("retry-after"), status == 429);
    (status, answer.json().await.expect("JSON"))
}

/// Sends so many messages from eight clients, in turn to all processes. Answers the keys of those that were accepted.
async fn abuse(product: &Product, ports: &[u16], abuser: &Tenant, count: usize, round: &str) -> Vec<String> {
    let clients = join_all((0..8).map(|client| async move {
        let mut accepted = Vec::new();
        for n in 0..count / 8 {
            let key = format!("{round}-{client}-{n}");
            let (status, body) = send(product, ports[(client + n) % ports.len()], abuser, &key).await;
            match status {
                202 => accepted.push(key),
                429 => assert_eq!(body["code"], "too_many_waiting"),
                other => panic!("the abuser was answered {other}: {body}"),
            }
        }
        accepted
    }));
    clients.await.concat()
}

async fn a_tenant_with_too_many_messages_waiting_is_held_to_its_limit_also_after_a_crash_and_nine_others_send(
    backend: Backend,
) {
    let mut product = Setup::on(backend).env("MESSAGES_WAITING", MAX).start().await;
    let second = Port::claim();
    let ports = ports(&mut product, &second).await;
    let Tenants { abuser, others } = Tenants::register(&product).await;
    let path = format!("/tenants/{}/pause", abuser.id);
    product.post(&path, json!({})).await;

    let neighbours = join_all(others.iter().map(|tenant| {
        let (product, ports) = (&product, &ports);
        async move {
            for n in 0..30 {
                let (status, body) = send(product, ports[n % ports.len()], tenant, &n.to_string()).await;
                assert_eq!(status, 202, "{body}");
            }
        }
    }));
    let (accepted, _) = tokio::join!(abuse(&product, &ports, &abuser, 800, "first"), neighbours);
    let is_within = |count: usize| (MAX..=MAX + MAX / 10).contains(&count);
    println!("{} of 800 were accepted", accepted.len());
    assert!(is_within(accepted.len()), "{}", accepted.len());
    for tenant in &others {
        let path = format!("/tenants/{}/messages?status=delivered&limit=200", tenant.id);
        let all = async || {
            product.get(&path).await["data"]
                .as_array()
                .is_some_and(|sent| sent.len() == 30)
        };
        assert!(eventually(all).await, "a neighbour's messages are sent");
    }

    product.kill();
    product.restart().await;
    let second = Port::claim();
    let ports = super::ports(&mut product, &second).await;
    for round in ["second", "third"] {
        let more = abuse(&product, &ports, &abuser, 80, round).await;
        assert!(more.is_empty(), "{} more after the crash", more.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for port in ports {
        let (status, body) = send(&product, port, &abuser, &accepted[0]).await;
        assert_eq!((status, &body["duplicate"]), (200, &json!(true)), "{body}");
        let (status, body) = send(&product, port, &others[0], &format!("again-{port}")).await;
        assert_eq!(status, 202, "{body}");
    }
}
