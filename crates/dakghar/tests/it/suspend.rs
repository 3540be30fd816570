//! The machine of a worker is suspended: the worker stands still, and so does its monotonic clock.

use std::time::Instant;

use dakghar_testkit::Port;
use dakghar_testkit::fault_proxy::{FaultProxy, Hold};
use dakghar_testkit::servers::direct_uri;
use dakghar_testkit::suspension::Suspension;
use serde_json::json;

use crate::product::{Backend, Product, Setup, text};

/// What a claim has on its way to MongoDB, and no other command of a worker.
const CLAIM: &[u8] = b"\x02status\0\x08\0\0\0sending\0";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_suspended_after_its_claim_does_not_call() {
    let folder = tempfile::tempdir().unwrap();
    let suspension = Suspension::prepare(folder.path());
    let mut product = Setup::on(Backend::Fragile)
        .role("api")
        .env("UNKNOWN_OUTCOME_GRACE_MS", 500)
        .env("SEND_TIMEOUT_MS", 2_000)
        .env("SEND_LEASE_MS", 3_000)
        .start()
        .await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let straight = product.setting("MONGO_URI").to_owned();
    let proxy = FaultProxy::start(product.servers().0.port()).await;
    product.set("MONGO_URI", direct_uri(proxy.port()).replace("/?", "/dakghar?"));
    for (name, value) in suspension.environment() {
        product.set(name, value);
    }
    spawn_worker(&mut product).await;

    proxy.trap(CLAIM, Hold::Reply);
    let path = format!("/tenants/{}/send", tenant.id);
    let body = json!({"to": "+919111111111", "text": "hello", "unknownOutcome": "resend"});
    let id = text(&product.post(&path, body).await["messageId"]);
    proxy.until_caught(1).await;
    // Processes, by position: the API, the one that is suspended, the other one.
    product.signal_process(1, "STOP");
    let begun = Instant::now();

    product.set("MONGO_URI", straight);
    product.set("LD_PRELOAD", "");
    spawn_worker(&mut product).await;
    product.until_status(&tenant, &id, "delivered").await;
    assert_eq!(product.sim.journal().len(), 1, "the other one took it over");
    assert_eq!(product.terminate_process(2).await, Some(0), "{}", product.log());

    suspension.set(begun.elapsed());
    proxy.release();
    product.signal_process(1, "CONT");
    // It goes on where it was; what it does next comes after.
    let next = product.send(&tenant, "+919111111112").await;
    product.until_status(&tenant, &next, "delivered").await;
    let calls = product.sim.journal();
    assert_eq!(calls.len(), 2, "it called although its lease was over: {calls:#?}");
    assert_eq!(product.message(&tenant, &id).await["status"], "delivered");
}

async fn spawn_worker(product: &mut Product) {
    let port = Port::claim();
    product.spawn_on("worker", port.number());
    product.ready_on(port.number()).await;
}
