//! A key service elsewhere: what it is asked, and what goes on without it.

#[cfg(feature = "kms")]
mod clouds;
mod openbao;
mod transit;

use dakghar_testkit::fault_proxy::FaultProxy;
use serde_json::Value;

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends};
pub use transit::Transit;

on_both_backends!(what_is_kept_is_used_while_the_key_service_is_away_and_the_rest_waits);

async fn away(product: &Product) -> Value {
    let (status, body) = product.call("GET", "/readyz", None).await;
    assert_eq!(status, 200, "messages are accepted all the same: {body}");
    body["keyServiceAway"].clone()
}

async fn delivered(product: &Product, tenant: &Tenant, count: usize) {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(product.send(tenant, "+919111111111").await);
    }
    for id in ids {
        let message = product.until_status(tenant, &id, "delivered").await;
        assert_eq!(message["attempts"], 1, "{message:#}");
    }
}

async fn what_is_kept_is_used_while_the_key_service_is_away_and_the_rest_waits(backend: Backend) {
    let service = Transit::start().await;
    let way = FaultProxy::start(service.port).await;
    let mut setup = Setup::on(backend);
    for (name, value) in Transit::settings(way.port()) {
        setup = setup.env(name, value);
    }
    let mut product = setup.start().await;
    let (other, kept) = (product.fast_tenant("111").await, product.fast_tenant("222").await);
    product.restart().await;
    let asked = service.asked("decrypt");
    delivered(&product, &kept, 20).await;
    let asked = service.asked("decrypt") - asked;
    assert!(asked <= 1, "{asked} calls for the messages of one tenant");
    assert_eq!(away(&product).await, Value::Null);

    way.refuse().await;
    let waiting = product.send(&other, "+919111111111").await;
    let says_so = eventually(async || {
        let message = product.message(&other, &waiting).await;
        let last = message["timeline"].as_array().and_then(|events| events.last().cloned());
        last.is_some_and(|last| last["reason"] == "key_service_unavailable")
    });
    assert!(says_so.await, "{:#}", product.message(&other, &waiting).await);
    assert!(eventually(async || away(&product).await["since"].is_string()).await);
    delivered(&product, &kept, 20).await;
    let asked_in_outage = service.asked("decrypt");
    let message = product.message(&other, &waiting).await;
    assert_eq!(
        (&message["status"], &message["attempts"]),
        (&"queued".into(), &0.into())
    );
    assert_eq!(product.log().matches("the key service cannot be used").count(), 1);

    way.heal().await;
    let message = product.until_status(&other, &waiting, "delivered").await;
    assert_eq!(message["attempts"], 1, "{message:#}");
    assert_eq!(away(&product).await, Value::Null);
    delivered(&product, &other, 20).await;
    assert_eq!(
        service.asked("decrypt"),
        asked_in_outage + 1,
        "one call for the other tenant"
    );
}
