//! Owners of partitions fail at every step of giving places: killed, suspended until others own what they owned, or cut off
//! from a server. The auditor reads all feeds, and what reached the endpoints.

use std::time::{Duration, Instant};

use bson::{Document, doc};
use dakghar_testkit::fault_proxy::{FaultProxy, Flow, Hold, Toward};
use futures_util::future::select;
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::audit::{Allowance, audit, now_ms};
use super::installation::{Installation, Setup};
use super::load::Load;
use super::report::Row;
use super::{AFTERWARDS, dice, rate, seconds};
use crate::product::eventually;

/// Webhooks find nobody for a while, again and again; that is not silence of Meta.
const GRACE_MS: u64 = 30_000;
/// Longer than it takes until the others own what a silent owner owned.
const AWAY: Duration = Duration::from_secs(7);
/// The owners among the processes.
const WORKERS: [usize; 2] = [1, 2];

/// The steps of an owner, by what it sends to MongoDB, and whether that or its reply is held back.
const STEPS: [(&str, &[u8], Hold); 7] = [
    (
        "says that it is there",
        b"\x02update\0\x10\0\0\0feed_attendants\0",
        Hold::Reply,
    ),
    ("reads arrivals", b"\x02find\0\x0e\0\0\0feed_arrivals\0", Hold::Reply),
    ("inserts chunks", b"\x02insert\0\x05\0\0\0feed\0", Hold::Request),
    ("has inserted chunks", b"\x02insert\0\x05\0\0\0feed\0", Hold::Reply),
    (
        "has taken arrivals away",
        b"\x02delete\0\x0e\0\0\0feed_arrivals\0",
        Hold::Reply,
    ),
    ("commits", b"commitTransaction\0", Hold::Request),
    ("has committed", b"commitTransaction\0", Hold::Reply),
];

/// The fault of an owner.
#[derive(Clone, Copy)]
enum Fault {
    Killed,
    Suspended,
    WithoutMongo,
    WithoutRedis,
}

/// Waits until one of the workers comes to this step, and holds it there.
async fn caught(installation: &Installation, bytes: &[u8], hold: Hold) -> usize {
    let [one, other] = WORKERS.map(|worker| installation.nodes[worker].mongo());
    let arm = |proxy: &FaultProxy| {
        let before = proxy.caught();
        proxy.trap(bytes, hold);
        before + 1
    };
    let (first, second) = (arm(one), arm(other));
    let race = async {
        let wait = select(Box::pin(one.until_caught(first)), Box::pin(other.until_caught(second)));
        matches!(wait.await, futures_util::future::Either::Left(_))
    };
    let is_one = tokio::time::timeout(Duration::from_secs(30), race).await;
    let is_one = is_one.expect("an owner comes to this step");
    let [one, other] = WORKERS;
    let (owner, rest) = if is_one { (one, other) } else { (other, one) };
    // It may have come there too.
    installation.nodes[rest].mongo().release();
    owner
}

/// Has both directions lead nowhere until the other worker owns everything, and puts it right again.
async fn cut_off(proxy: &FaultProxy) {
    proxy.blackhole();
    tokio::time::sleep(AWAY).await;
    proxy.set_flow(Toward::Server, Flow::Pass);
    proxy.set_flow(Toward::Client, Flow::Pass);
    proxy.cut();
}

async fn strike(installation: &mut Installation, owner: usize, fault: Fault) {
    let node = &mut installation.nodes[owner];
    match fault {
        Fault::Killed => {
            node.kill();
            node.mongo().cut();
            node.mongo().release();
            all_placed(installation).await;
            installation.nodes[owner].start();
        }
        Fault::Suspended => {
            node.stop();
            // All that it waited for is there when it goes on.
            node.mongo().release();
            tokio::time::sleep(AWAY).await;
            all_placed(installation).await;
            installation.nodes[owner].cont();
        }
        Fault::WithoutMongo => {
            node.mongo().disarm();
            cut_off(node.mongo()).await;
            node.mongo().release();
        }
        Fault::WithoutRedis => {
            node.mongo().release();
            cut_off(node.redis()).await;
        }
    }
    installation.ready().await;
}

/// Waits until everything has its place that waits for one now.
async fn all_placed(installation: &Installation) {
    let database = installation.database().await.expect("it is on MongoDB");
    let arrivals = database.collection::<Document>("feed_arrivals");
    // The ids sort by time.
    let newest = arrivals.find_one(doc! {}).sort(doc! { "_id": -1 }).await;
    let Some(newest) = newest.expect("MongoDB answers") else {
        return;
    };
    let older = doc! { "_id": { "$lte": newest.get_str("_id").expect("a text") } };
    let is_placed = async || {
        arrivals
            .count_documents(older.clone())
            .await
            .is_ok_and(|left| left == 0)
    };
    assert!(
        eventually(is_placed).await,
        "nobody gives places for the owner that is away"
    );
}

async fn owners(fault: Fault, row: Row) {
    let (mut dice, seed) = dice();
    let setup = Setup::of(&["api", "worker", "worker"]).proxied();
    let mut installation = setup.env("UNKNOWN_OUTCOME_GRACE_MS", GRACE_MS).start().await;
    let load = Load::start(&installation, rate() / 3);
    load.until_promised(100).await;
    let (begun, mut faults) = (Instant::now(), 0);
    // Each step at least once.
    while faults < STEPS.len() || begun.elapsed() < seconds(60) {
        let (step, bytes, hold) = STEPS[faults % STEPS.len()];
        let owner = caught(&installation, bytes, hold).await;
        println!("{:5.1} s worker {owner} {step}", begun.elapsed().as_secs_f64());
        pause(&mut dice).await;
        strike(&mut installation, owner, fault).await;
        faults += 1;
    }
    let healed = now_ms();
    tokio::time::sleep(AFTERWARDS).await;
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, healed, Allowance::BY_EVIDENCE).await;
    row.finish(
        &verdict,
        &format!("{faults} faults at {} steps; seed {seed}", STEPS.len()),
    );
}

/// So that the fault meets what goes on beside the step at another moment each time.
async fn pause(dice: &mut StdRng) {
    tokio::time::sleep(Duration::from_millis(dice.random_range(0..50))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p01_owners_are_killed_at_every_step() {
    owners(Fault::Killed, Row::new("P01", "owner of partitions killed")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p02_owners_are_suspended_at_every_step() {
    owners(Fault::Suspended, Row::new("P02", "owner of partitions suspended")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p03_owners_lose_mongodb_at_every_step() {
    owners(
        Fault::WithoutMongo,
        Row::new("P03", "owner of partitions without MongoDB"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p04_owners_lose_redis_at_every_step() {
    owners(
        Fault::WithoutRedis,
        Row::new("P04", "owner of partitions without Redis"),
    )
    .await;
}
