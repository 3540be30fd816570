//! A replica set of three loses its primary while messages go out.

use std::time::Duration;

use dakghar_testkit::servers::Mongo;

use crate::product::{Backend, Setup};
use crate::promises::{Load, audit};

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_steps_down_and_one_that_is_killed_lose_and_double_nothing() {
    let mut set = Mongo::start_replica_set(3).await;
    let product = Setup::on(Backend::Distributed)
        .env("MONGO_URI", set.uri().replace("/?", "/dakghar?"))
        .env("UNKNOWN_OUTCOME_GRACE_MS", 20_000)
        .env("SEND_TIMEOUT_MS", 2_000)
        .env("SEND_LEASE_MS", 4_500)
        .start()
        .await;
    let mut tenants = Vec::new();
    for number in ["111", "112"] {
        tenants.push(product.fast_tenant(number).await);
    }
    let load = Load::start(&product, &tenants);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let first = set.primary().await;
    set.step_down(20).await;
    let second = set.primary().await;
    assert_ne!(first, second);
    tokio::time::sleep(Duration::from_secs(2)).await;

    set.members[second].kill();
    let third = set.primary().await;
    assert_ne!(second, third);
    tokio::time::sleep(Duration::from_secs(2)).await;
    set.members[second].restart().await;
    let promised = load.stop().await;
    assert!(promised.len() > 200, "only {} messages were accepted", promised.len());
    audit(&product, &promised).await;
}
