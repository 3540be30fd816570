//! Webhooks meet a store that is away, or a process that dies: F40 and F41. Meta posts again; nothing is lost or stored
//! twice.

use std::collections::BTreeSet;

use bson::{Document, doc};
use dakghar_graph_sim::{InboundMessage, StatusPlan};
use dakghar_testkit::fault_proxy::Hold;
use futures_util::TryStreamExt as _;

use super::audit::{Allowance, audit, now_ms};
use super::installation::{Installation, Setup};
use super::load::Load;
use super::report::Row;
use super::{INSERT, rate, seconds, sleep_s, until_caught_since};

/// Statuses that come after a while, and so much grace that they come within it.
pub fn setup() -> Setup {
    let statuses = StatusPlan {
        sent_ms: Some(2_000),
        delivered_ms: Some(2_100),
        read_ms: None,
        ..StatusPlan::default()
    };
    Setup::of(&["api", "worker"])
        .proxied()
        .env("UNKNOWN_OUTCOME_GRACE_MS", 40_000)
        .statuses(statuses)
}

/// Messages from people; answers their wamids.
fn receive(installation: &Installation, count: usize) -> Vec<String> {
    let of = |n: usize| {
        let inbound = InboundMessage::text("110", &format!("+1650555{n:04}"), "hello");
        installation.sim.send_inbound(inbound).expect("planned")
    };
    (0..count).map(of).collect()
}

/// Fails unless each of these was stored once.
async fn assert_received(installation: &Installation, wamids: &[String]) {
    let database = installation.database().await.expect("a database");
    let messages = database.collection::<Document>("messages");
    let found = messages.find(doc! { "direction": "inbound" }).await.expect("an answer");
    let found: Vec<Document> = found.try_collect().await.expect("all of it");
    let stored: Vec<&str> = found
        .iter()
        .filter_map(|message| message.get_str("wamid").ok())
        .collect();
    let distinct: BTreeSet<&str> = stored.iter().copied().collect();
    let wanted: BTreeSet<&str> = wamids.iter().map(String::as_str).collect();
    assert_eq!(distinct, wanted, "messages from people");
    assert_eq!(stored.len(), wanted.len(), "each is stored once");
}

#[tokio::test(flavor = "multi_thread")]
async fn f40_webhooks_come_while_mongod_is_away() {
    let mut installation = setup().start().await;
    let load = Load::start(&installation, rate());
    load.until_promised(300).await;
    sleep_s(1).await;
    installation.mongo().kill();
    let wamids = receive(&installation, 50);
    tokio::time::sleep(seconds(10)).await;
    let refused = installation.sim.stats().webhook_posts_failed;
    installation.mongo().restart().await;
    installation.mongo().writable().await;
    let healed = now_ms();
    sleep_s(3).await;
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, healed, Allowance::BY_EVIDENCE).await;
    assert_received(&installation, &wamids).await;
    assert!(refused > 0, "no webhook was refused");
    let figure = format!("{refused} posts refused, 50 inbound messages stored once");
    Row::new("F40", "webhooks while mongod is away").finish(&verdict, &figure);
}

/// Holds the API at an insert of inbound messages, and kills it there, a few times.
pub async fn kill_at_insert(setup: Setup, hold: Hold, kills: usize, row: Row) {
    let mut installation = setup.start().await;
    let load = Load::start(&installation, 50);
    load.until_promised(50).await;
    let loaded = load.stop().await;
    let mut wamids = Vec::new();
    for _ in 0..kills {
        let api = installation.node("api");
        let before = api.mongo().caught();
        api.mongo().trap(INSERT, hold);
        wamids.extend(receive(&installation, 20));
        let api = installation.node("api");
        until_caught_since(api.mongo(), before).await;
        api.kill();
        api.mongo().cut();
        api.mongo().release();
        api.start();
        installation.ready().await;
    }
    let healed = now_ms();
    let verdict = audit(&installation, &loaded, healed, Allowance::default()).await;
    assert_received(&installation, &wamids).await;
    row.finish(
        &verdict,
        &format!("{kills} kills, {} inbound messages stored once", wamids.len()),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn f41_api_is_killed_before_it_stores_a_webhook() {
    let row = Row::new("F41a", "API killed before it stores a webhook");
    kill_at_insert(setup(), Hold::Request, 5, row).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f41_api_is_killed_after_it_stored_a_webhook() {
    let row = Row::new("F41b", "API killed between webhook stored and 200");
    kill_at_insert(setup(), Hold::Reply, 5, row).await;
}
