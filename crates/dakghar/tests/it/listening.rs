//! Meta's silence counts only for time in which its webhooks were received.

use dakghar_graph_sim::{Fault, FaultRule, StatusPlan};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends! {
    calls_under_way_at_a_kill_are_not_sent_again_though_a_later_message_is_reported_on,
    a_call_before_a_stop_in_good_order_is_not_sent_again,
}

const DEAF: &str = "webhooks_were_not_received";
const GRACE_MS: u64 = 2_000;
/// Longer than it takes until the lease of a dead process ran out and the grace after it is over.
const DOUBT_MAX_MS: u64 = 20_000;

fn setup(backend: Backend) -> Setup {
    // Late enough that no status comes before the process is gone.
    let statuses = StatusPlan {
        sent_ms: Some(3_000),
        delivered_ms: Some(3_100),
        read_ms: None,
        // One status in a post, so that they can be counted.
        batch_max: 1,
        ..StatusPlan::default()
    };
    Setup::on(backend)
        .env("SEND_TIMEOUT_MS", 2_000)
        .env("SEND_LEASE_MS", 4_500)
        .env("UNKNOWN_OUTCOME_GRACE_MS", GRACE_MS)
        .env("UNKNOWN_OUTCOME_MAX_MS", DOUBT_MAX_MS)
        .statuses(statuses)
        // Only after everything was decided: Meta's own repetitions go on for days.
        .repeats_after_ms(DOUBT_MAX_MS + 8_000)
}

/// A message that is sent and reported on.
async fn reported(product: &Product, tenant: &Tenant) {
    let id = product.send(tenant, "+919111111110").await;
    product.until_status(tenant, &id, "delivered").await;
}

/// Waits until this many statuses have been refused.
async fn until_refused(product: &Product, count: u64) {
    let are_refused = async || product.sim.stats().webhook_posts_failed >= count;
    assert!(
        eventually(are_refused).await,
        "{} posts failed",
        product.sim.stats().webhook_posts_failed
    );
}

/// It waits, ends as unknown, and the status that comes late settles it.
async fn ends_as_unknown_and_is_settled_late(product: &Product, tenant: &Tenant, id: &str) {
    let message = product.until_status(tenant, id, "delivered").await;
    let timeline = message["timeline"].as_array().expect("a timeline");
    let place = |event: &str, reason: &str| {
        let is_it = |entry: &Value| entry["event"] == event && entry["reason"] == reason;
        let found = timeline.iter().position(is_it);
        found.unwrap_or_else(|| panic!("{event} {reason}: {message:#}"))
    };
    assert!(place("waiting", DEAF) < place("dead", "outcome_unknown"), "{message:#}");
    assert_eq!(message["attempts"], json!(1), "{message:#}");
    assert!(text(&message["wamid"]).starts_with("wamid."));
}

async fn calls_under_way_at_a_kill_are_not_sent_again_though_a_later_message_is_reported_on(backend: Backend) {
    let mut product = setup(backend).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    reported(&product, &tenant).await;
    product.sim.add_rule(FaultRule::first(5, Fault::TimeoutAfterAccept));
    let people: Vec<String> = (1..=5).map(|n| format!("+91911111111{n}")).collect();
    let five = join_all(people.iter().map(|person| product.send(&tenant, person))).await;
    assert!(eventually(async || product.sim.journal().len() == 6).await);
    product.kill();
    until_refused(&product, 10).await;
    product.restart().await;
    reported(&product, &tenant).await;
    for id in &five {
        ends_as_unknown_and_is_settled_late(&product, &tenant, id).await;
    }
    assert_eq!(product.sim.journal().len(), 7, "none was sent again");
}

async fn a_call_before_a_stop_in_good_order_is_not_sent_again(backend: Backend) {
    let mut product = setup(backend).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    reported(&product, &tenant).await;
    product.sim.add_rule(FaultRule::first(1, Fault::TimeoutAfterAccept));
    let silent = product.send(&tenant, "+919111111111").await;
    assert!(eventually(async || product.sim.journal().len() == 2).await);
    product.terminate().await;
    until_refused(&product, 2).await;
    product.restart().await;
    reported(&product, &tenant).await;
    ends_as_unknown_and_is_settled_late(&product, &tenant, &silent).await;
    assert_eq!(product.sim.journal().len(), 3, "it was not sent again");
}
