//! A real OpenBao that is away for longer than keys are kept: `make test-kms`.

use std::time::{Duration, Instant};

use dakghar_testkit::fault_proxy::FaultProxy;
use dakghar_testkit::servers::OpenBao;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::away;
use crate::product::{Backend, Product, Setup, Tenant};

/// Longer than the five minutes for which a key is kept.
const OUTAGE: Duration = Duration::from_secs(330);
const TENANTS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs OpenBao, and takes six minutes: make test-kms"]
async fn openbao_away_for_five_minutes_fails_no_message_embedded() {
    Box::pin(openbao_away_for_five_minutes_fails_no_message(Backend::Embedded)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs OpenBao, and takes six minutes: make test-kms"]
async fn openbao_away_for_five_minutes_fails_no_message_distributed() {
    Box::pin(openbao_away_for_five_minutes_fails_no_message(Backend::Distributed)).await;
}

/// Sends to every tenant in turn, and waits until it is delivered by its first call.
async fn send_to_all(product: &Product, tenants: &[Tenant]) -> usize {
    for tenant in tenants {
        let id = product.send(tenant, "+919111111111").await;
        let message = product.until_status(tenant, &id, "delivered").await;
        assert_eq!(message["attempts"], 1, "{message:#}");
    }
    tenants.len()
}

async fn openbao_away_for_five_minutes_fails_no_message(backend: Backend) {
    let server = OpenBao::start().await;
    let port = server.url().rsplit(':').next().and_then(|port| port.parse().ok());
    let way = FaultProxy::start(port.expect("a port")).await;
    let product = Setup::on(backend)
        .env("KMS", format!("vault:http://127.0.0.1:{}/transit/dakghar", way.port()))
        .env("VAULT_TOKEN", server.token())
        .env("MASTER_KEY", "")
        .start()
        .await;
    let mut tenants = Vec::new();
    for number in 0..TENANTS {
        tenants.push(product.fast_tenant(&(300 + number).to_string()).await);
    }
    send_to_all(&product, &tenants).await;
    assert_eq!(away(&product).await, Value::Null);

    way.refuse().await;
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < OUTAGE {
        sent += send_to_all(&product, &tenants).await;
        sleep(Duration::from_secs(5)).await;
    }
    assert!(away(&product).await["since"].is_string(), "the outage was none");
    way.heal().await;
    sent += send_to_all(&product, &tenants).await;
    assert_eq!(product.get("/dead-letters").await["data"], json!([]));
    println!("{sent} messages during the outage and after it, each by its first call");
}
