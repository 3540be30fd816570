//! The servers fail under load: nothing is lost, no attempt is called twice. `make chaos` runs it at full length.

use std::time::Duration;

use serde_json::json;

use crate::kill::{Load, audit};
use crate::product::{Backend, Product, Setup, Tenant};

/// How long each fault goes on, unless `CHAOS_SECONDS` says otherwise.
const SECONDS: u64 = 60;

fn seconds() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch of the test run, not a setting of the product"
    )]
    let set = std::env::var("CHAOS_SECONDS");
    set.ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS)
}

async fn start() -> (Product, Vec<Tenant>) {
    let product = Setup::on(Backend::Fragile)
        .env("UNKNOWN_OUTCOME_GRACE_MS", 20_000)
        .env("SEND_TIMEOUT_MS", 2_000)
        .env("SEND_LEASE_MS", 4_500)
        .start()
        .await;
    let mut tenants = Vec::new();
    for number in 0..4 {
        let tenant = product.tenant(&format!("11{number}"), "EAAG-real").await;
        let path = format!("/tenants/{}/phone-numbers/11{number}", tenant.id);
        let (status, body) = product
            .call("PATCH", &path, Some(json!({"messagesPerSecond": 2_000})))
            .await;
        assert_eq!(status, 200, "{body}");
        tenants.push(tenant);
    }
    (product, tenants)
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_flushed_every_five_seconds() {
    let (mut product, tenants) = start().await;
    let load = Load::start(&product, &tenants);
    for _ in 0..(seconds() / 5).max(1) {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let port = product.servers().1.port().to_string();
        let flushed = std::process::Command::new("redis-cli")
            .args(["-p", &port, "FLUSHALL"])
            .output();
        assert!(flushed.expect("redis-cli runs").status.success());
    }
    audit(&product, &load.stop().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_down() {
    let (mut product, tenants) = start().await;
    product.servers().1.kill();
    let load = Load::start(&product, &tenants);
    tokio::time::sleep(Duration::from_secs(seconds())).await;
    let promised = load.stop().await;
    assert!(
        promised.len() > 100,
        "only {} messages were accepted without Redis",
        promised.len()
    );
    product.servers().1.restart().await;
    audit(&product, &promised).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_is_killed_again_and_again() {
    let (mut product, tenants) = start().await;
    let load = Load::start(&product, &tenants);
    for _ in 0..(seconds() / 10).max(1) {
        tokio::time::sleep(Duration::from_secs(4)).await;
        product.servers().0.kill();
        tokio::time::sleep(Duration::from_secs(1)).await;
        product.servers().0.restart().await;
    }
    audit(&product, &load.stop().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_and_servers_are_killed_at_random() {
    let (mut product, tenants) = start().await;
    product.spawn("worker");
    let load = Load::start(&product, &tenants);
    let mut dice: u64 = 0x2545_f491_4f6c_dd1d;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds());
    while tokio::time::Instant::now() < deadline {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(Duration::from_millis(500 + (dice >> 33) % 3_000)).await;
        match (dice >> 20) % 4 {
            0 => {
                // The worker was started last.
                product.kill_process(1);
                product.spawn("worker");
            }
            1 => {
                product.kill();
                product.spawn("serve");
                product.ready().await;
                product.spawn("worker");
            }
            2 => {
                product.servers().1.kill();
                product.servers().1.restart().await;
            }
            _ => {
                product.servers().0.kill();
                product.servers().0.restart().await;
            }
        }
    }
    audit(&product, &load.stop().await).await;
}
