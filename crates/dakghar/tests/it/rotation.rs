//! Moving to another master key while everything runs, with a command that is killed again and again.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};

use crate::product::{Backend, MASTER_KEY, Product, Tenant, eventually, on_both_backends};

on_both_backends!(a_rotation_that_is_killed_ten_times_moves_everything_and_fails_no_message);

const NEW_KEY: &str = "it-another-master-key-0123456789-0123";
const KILLS: usize = 10;
/// Tenants in one step, and one more step than kills.
const TENANTS: usize = 20 * (KILLS + 2);
/// As many as an installation of the largest kind that we promise.
const MANY: usize = 10_000;
/// The pace of moving so many, which leaves the time to count them between two kills.
const MANY_PER_SECOND: u32 = 100;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "10,000 tenants take minutes: make test-rotation"]
async fn ten_thousand_tenants_move_under_load_embedded() {
    Box::pin(rotate_and_kill(Backend::Embedded, MANY, MANY_PER_SECOND)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "10,000 tenants take minutes: make test-rotation"]
async fn ten_thousand_tenants_move_under_load_distributed() {
    Box::pin(rotate_and_kill(Backend::Distributed, MANY, MANY_PER_SECOND)).await;
}

/// The tenants under the present key, and those that are left.
async fn counts(product: &Product) -> (u64, u64) {
    let keys = product.get("/operators/secrets").await;
    let present = keys["keys"][0]["tenants"].as_u64().expect("a count");
    (present, keys["left"].as_u64().expect("a count"))
}

async fn a_rotation_that_is_killed_ten_times_moves_everything_and_fails_no_message(backend: Backend) {
    rotate_and_kill(backend, TENANTS, 1).await;
}

/// Moves so many tenants while messages are sent to them in turn, and kills the command on the way. Each kill comes after a
/// tenth of what is to be moved, or a little later.
async fn rotate_and_kill(backend: Backend, tenant_count: usize, per_second: u32) {
    let per_kill = tenant_count / (KILLS + 2);
    let mut product = Product::start(backend).await;
    let registering = (0..tenant_count).map(|number| {
        let (product, number) = (&product, 104_000 + number);
        async move { product.tenant(&number.to_string(), "EAAG-real").await }
    });
    let tenants: Vec<Tenant> = stream::iter(registering).buffered(8).collect().await;
    let app = json!({"appId": "77", "name": "app", "secret": "0123456789abcdef0123456789abcdef"});
    product.post("/apps", app).await;
    assert_eq!(counts(&product).await, (tenant_count as u64, 0));

    product.set("MASTER_KEY", NEW_KEY);
    product.set("MASTER_KEY_PREVIOUS", MASTER_KEY);
    product.restart().await;
    // The app's, and that of the installation.
    let all = tenant_count as u64 + 2;
    assert_eq!(counts(&product).await, (0, all));
    let (code, out, err) = product.run(&["secrets", "rotate", "--dry-run"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains(&format!("{all} would be moved")), "{out}");
    assert_eq!(counts(&product).await, (0, all), "a dry run moves nothing");

    let is_over = AtomicBool::new(false);
    let sending = async {
        let mut sent = Vec::new();
        for tenant in tenants.iter().cycle() {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            sent.push((tenant, product.send(tenant, "+919111111111").await));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sent
    };
    let rotating = async {
        for kill in 0..KILLS {
            let before = counts(&product).await.0;
            let mut command = product.command();
            command.args(["secrets", "rotate", "--per-second", &per_second.to_string()]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut running = command.spawn().expect("the program starts");
            let enough = before + per_kill as u64 - 19;
            let has_moved = eventually(async || counts(&product).await.0 >= enough).await;
            running.kill().expect("killed");
            running.wait().expect("ended");
            assert!(has_moved, "rotation {kill} moves nothing: {:?}", counts(&product).await);
        }
        assert!(counts(&product).await.1 > 0, "the kills came too late to be any");
        let (code, out, err) = product.run(&["secrets", "rotate"]);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(code, Some(0), "{out}{err}");
        assert!(out.contains("wraps now") && !out.contains("still needed"), "{out}");
    };
    let (sent, ()) = futures_util::join!(sending, rotating);
    assert_eq!(counts(&product).await, (tenant_count as u64, 0));

    for (tenant, id) in &sent {
        let message = product.until_status(tenant, id, "delivered").await;
        assert_eq!(message["attempts"], 1, "{message:#}");
    }
    assert_eq!(product.get("/dead-letters").await["data"], json!([]));
    let again = product.post("/operators/secrets/rotate", json!({})).await;
    assert_eq!(again["moved"], 0, "{again}");
    let (status, refused) = product
        .call("POST", "/operators/secrets/rotate", Some(json!({"after": "ten_x"})))
        .await;
    let pointers: Vec<&Value> = refused["errors"].as_array().into_iter().flatten().collect();
    assert_eq!(status, 422, "{refused}");
    assert_eq!(pointers[0]["pointer"], "/after", "{refused}");
}
