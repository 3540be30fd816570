//! MongoDB fails: F06 to F18. What was acknowledged is kept; what cannot be kept is refused in time.
//!
//! Here are the servers themselves and the connections to them; [`replies`], [`disk`] and [`data`] have the rest.

mod data;
mod disk;
pub mod replies;

use std::time::{Duration, Instant};

use dakghar_testkit::servers::Mongo;

use super::audit::{Allowance, Verdict, audit, now_ms};
use super::installation::{Installation, Setup, Store};
use super::load::{Load, Loaded};
use super::report::Row;
use super::{AFTERWARDS, rate, seconds, sleep_s};

/// Longer than any of the store's failures here, so that the time without webhooks is not taken for silence of Meta.
const GRACE_MS: u64 = 30_000;

async fn begin(setup: Setup) -> (Installation, Load) {
    let installation = setup.env("UNKNOWN_OUTCOME_GRACE_MS", GRACE_MS).start().await;
    let load = Load::start(&installation, rate());
    load.until_promised(100).await;
    (installation, load)
}

async fn start() -> (Installation, Load) {
    begin(Setup::of(&["api", "worker"])).await
}

/// The load goes on for a moment; then everything is counted.
async fn count(installation: &Installation, load: Load) -> (Verdict, Loaded) {
    let healed = now_ms();
    tokio::time::sleep(AFTERWARDS).await;
    let loaded = load.stop().await;
    let verdict = audit(installation, &loaded, healed, Allowance::BY_EVIDENCE).await;
    (verdict, loaded)
}

fn refusals(loaded: &Loaded) -> String {
    format!(
        "{} 5xx, the slowest after {:.1?}; {} timeouts",
        loaded.counts.server_errors(),
        loaded.counts.slowest_refusal,
        loaded.counts.timeouts
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn f06_mongod_is_killed_again_and_again() {
    let (mut installation, load) = start().await;
    let mut slowest = Duration::ZERO;
    let end = Instant::now() + seconds(60);
    let mut kills = 0;
    while Instant::now() < end {
        sleep_s(2).await;
        installation.mongo().kill();
        let begun = Instant::now();
        installation.mongo().restart().await;
        installation.mongo().writable().await;
        slowest = slowest.max(begun.elapsed());
        kills += 1;
    }
    let (verdict, loaded) = count(&installation, load).await;
    let figure = format!(
        "{kills} kills, writable after {slowest:.1?} at most; {}",
        refusals(&loaded)
    );
    Row::new("F06", "mongod killed again and again").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f07_mongod_is_stopped() {
    let (mut installation, load) = start().await;
    let length = seconds(15);
    installation.mongo().stop();
    tokio::time::sleep(length).await;
    installation.mongo().cont();
    let (verdict, loaded) = count(&installation, load).await;
    assert!(
        loaded.counts.server_errors() > 0,
        "nobody was told: {:?}",
        loaded.counts
    );
    Row::new("F07", "mongod stopped for a while").finish(&verdict, &refusals(&loaded));
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_the_primary_changes() {
    let set = Mongo::start_replica_set(3).await;
    let (mut installation, load) = begin(Setup::of(&["api", "worker"]).store(Store::Set(Box::new(set)))).await;
    load.forget_gap();
    installation.set().step_down(20).await;
    sleep_s(10).await;
    let after_step_down = load.counts().longest_gap;
    load.forget_gap();
    let primary = installation.set().primary().await;
    installation.set().members[primary].kill();
    sleep_s(10).await;
    let after_kill = load.counts().longest_gap;
    installation.set().members[primary].restart().await;
    let (verdict, loaded) = count(&installation, load).await;
    let figure = format!(
        "nothing accepted for {after_step_down:.1?} (step down), {after_kill:.1?} (kill); {}",
        refusals(&loaded)
    );
    Row::new("F08", "primary steps down, primary killed").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f09_the_primary_loses_the_majority() {
    let set = Mongo::start_replica_set_behind_proxies(3).await;
    let (mut installation, load) = begin(Setup::of(&["api", "worker"]).store(Store::Set(Box::new(set)))).await;
    load.forget_gap();
    let primary = installation.set().primary().await;
    installation.set().isolate(primary);
    let new = installation.set().primary_beside(primary).await;
    assert_ne!(new, primary);
    sleep_s(10).await;
    let gap = load.counts().longest_gap;
    installation.set().reunite();
    let (verdict, loaded) = count(&installation, load).await;
    let figure = format!("nothing accepted for {gap:.1?}; {}", refusals(&loaded));
    Row::new("F09", "primary cut off from the majority").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_connections_are_reset() {
    let (installation, load) = begin(Setup::of(&["api", "worker"]).proxied()).await;
    let end = Instant::now() + seconds(20);
    let mut resets = 0;
    while Instant::now() < end {
        for _ in 0..50 {
            for node in &installation.nodes {
                node.mongo().cut();
            }
            resets += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        sleep_s(5).await;
    }
    let (verdict, loaded) = count(&installation, load).await;
    let figure = format!("{resets} resets of all connections; {}", refusals(&loaded));
    Row::new("F16", "connections to MongoDB reset").finish(&verdict, &figure);
}
