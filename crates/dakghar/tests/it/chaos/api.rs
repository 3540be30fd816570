//! The API process fails: F01 to F05.

use std::time::{Duration, Instant};

use dakghar_testkit::fault_proxy::{FaultProxy, Hold};
use rand::rngs::StdRng;

use super::audit::{Allowance, audit, now_ms};
use super::installation::{Installation, Setup};
use super::load::{Load, LoadSetup};
use super::report::Row;
use super::{AFTERWARDS, dice, rate, seconds, sleep_ms, sleep_s, until_caught_since};

#[tokio::test(flavor = "multi_thread")]
async fn f01_api_is_killed() {
    let installation = Setup::of(&["api", "worker"]).start().await;
    let row = Row::new("F01", "API killed again and again");
    kill_under_load(installation, rate(), seconds(20), dice().0, row).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_embedded_process_is_killed() {
    let installation = Setup::embedded().start().await;
    let row = Row::new("F01e", "embedded process killed again and again");
    kill_under_load(installation, rate(), seconds(20), dice().0, row).await;
}

/// Kills the first process half a second after it became ready, at most, again and again.
pub async fn kill_under_load(
    mut installation: Installation,
    per_second: u32,
    length: Duration,
    mut dice: StdRng,
    row: Row,
) {
    let load = Load::start(&installation, per_second);
    let end = Instant::now() + length;
    let mut kills = 0;
    while Instant::now() < end {
        sleep_ms(&mut dice, 1..=500).await;
        installation.nodes[0].kill();
        installation.nodes[0].start();
        installation.ready().await;
        kills += 1;
    }
    let healed = now_ms();
    tokio::time::sleep(AFTERWARDS).await;
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, healed, Allowance::BY_EVIDENCE).await;
    let figure = format!("{kills} kills, {} replays", loaded.counts.replays);
    row.finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f02_api_is_killed_between_insert_and_queue() {
    let mut installation = Setup::of(&["api", "worker"]).proxied().start().await;
    let load = Load::start(&installation, rate());
    load.until_promised(100).await;
    for _ in 0..3 {
        let api = installation.node("api");
        // Jobs carry the ids of messages; nothing else that goes to Redis does.
        let before = api.redis().caught();
        api.redis().trap(b"msg_", Hold::Request);
        until_caught_since(api.redis(), before).await;
        api.kill();
        api.redis().cut();
        api.redis().release();
        api.start();
        installation.ready().await;
    }
    let healed = now_ms();
    tokio::time::sleep(AFTERWARDS).await;
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, healed, Allowance::default()).await;
    let figure = format!("3 kills, {} messages had no job", verdict.healing_ms.len());
    Row::new("F02", "API killed between insert and queue").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f03_api_is_killed_between_queue_and_answer() {
    let mut installation = Setup::of(&["api", "worker"]).start().await;
    let front = FaultProxy::start(installation.node("api").port.number()).await;
    let load = LoadSetup::on(&installation, rate()).port(front.port()).start();
    load.until_promised(100).await;
    for _ in 0..5 {
        let before = front.caught();
        front.trap(b"/send", Hold::Reply);
        until_caught_since(&front, before).await;
        // Long enough for the messages to be stored, queued and called.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let api = installation.node("api");
        api.kill();
        front.cut();
        front.release();
        api.start();
        installation.ready().await;
    }
    let healed = now_ms();
    tokio::time::sleep(AFTERWARDS).await;
    let loaded = load.stop().await;
    assert!(
        loaded.counts.replays > 0,
        "no client asked for a message that was there"
    );
    let verdict = audit(&installation, &loaded, healed, Allowance::default()).await;
    let figure = format!("5 kills, {} replays with the first id", loaded.counts.replays);
    Row::new("F03", "API killed between queue and answer").finish(&verdict, &figure);
}

/// As at an update of everything: each process, and then each server, ends in good order and is started again.
#[tokio::test(flavor = "multi_thread")]
async fn f62_everything_is_restarted_in_turn() {
    let setup = Setup::of(&["api", "api", "worker", "worker"]);
    let mut installation = setup.env("UNKNOWN_OUTCOME_GRACE_MS", 30_000).start().await;
    let load = Load::start(&installation, rate().min(200));
    load.until_promised(100).await;
    let end = Instant::now() + seconds(120);
    let mut rounds = 0;
    while Instant::now() < end {
        for node in 0..installation.nodes.len() {
            let (code, _) = installation.nodes[node].terminate().await;
            assert_eq!(code, Some(0), "{}", installation.nodes[node].log());
            installation.nodes[node].start();
            installation.ready().await;
        }
        installation.redis().kill();
        installation.redis().restart().await;
        installation.mongo().kill();
        installation.mongo().restart().await;
        installation.ready().await;
        rounds += 1;
    }
    let healed = now_ms();
    tokio::time::sleep(AFTERWARDS).await;
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, healed, Allowance::BY_EVIDENCE).await;
    let figure = format!("{rounds} rounds, {} replays", loaded.counts.replays);
    Row::new("F62", "everything restarted in turn").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f04_api_is_stopped() {
    let mut installation = Setup::of(&["api", "worker"]).start().await;
    let load = Load::start(&installation, rate());
    load.until_promised(100).await;
    let length = seconds(20);
    installation.node("api").stop();
    tokio::time::sleep(length).await;
    installation.node("api").cont();
    let healed = now_ms();
    tokio::time::sleep(AFTERWARDS).await;
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, healed, Allowance::default()).await;
    let figure = format!(
        "{} timeouts, {} replays, {} not sent for want of clients",
        loaded.counts.timeouts, loaded.counts.replays, loaded.counts.shed
    );
    Row::new("F04", "API stopped for a while").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_api_is_told_to_end() {
    let mut installation = Setup::of(&["api", "worker"]).start().await;
    // A connection for each request, so that every one that breaks is one that was not answered.
    let http = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(15))
        .build()
        .expect("a client");
    let load = LoadSetup::on(&installation, rate()).http(http).start();
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        sleep_s(2).await;
        let (code, took) = installation.node("api").terminate().await;
        assert_eq!(code, Some(0), "{}", installation.node("api").log());
        slowest = slowest.max(took);
        installation.node("api").start();
        installation.ready().await;
    }
    let healed = now_ms();
    tokio::time::sleep(AFTERWARDS).await;
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, healed, Allowance::default()).await;
    let broken = loaded.counts.broken;
    let figure = format!("5 ends, the slowest took {slowest:.1?}; {broken} connections broken");
    Row::new("F05", "API told to end under load").finish(&verdict, &figure);
    assert_eq!(broken, 0, "requests under way are answered before the end");
}
