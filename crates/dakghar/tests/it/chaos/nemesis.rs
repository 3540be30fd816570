//! Everything at once, chosen by dice: kill -9 of every process and server, one to three faults at a time, and several
//! processes of each kind.

use std::time::{Duration, Instant};

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::audit::{Allowance, audit, now_ms};
use super::installation::{Installation, Setup};
use super::load::Load;
use super::report::Row;
use super::{AFTERWARDS, dice, rate, seconds, sleep_ms};

/// Webhooks find nobody for a while, again and again; that is not silence of Meta.
const GRACE_MS: u64 = 30_000;

async fn start(roles: &[&'static str]) -> (Installation, Load) {
    let setup = Setup::of(roles).proxied().env("UNKNOWN_OUTCOME_GRACE_MS", GRACE_MS);
    let installation = setup.start().await;
    let load = Load::start(&installation, rate());
    load.until_promised(100).await;
    (installation, load)
}

async fn count(installation: &Installation, load: Load, row: Row, figure: &str) {
    installation.ready().await;
    let healed = now_ms();
    tokio::time::sleep(AFTERWARDS).await;
    let loaded = load.stop().await;
    let verdict = audit(installation, &loaded, healed, Allowance::BY_EVIDENCE).await;
    row.finish(&verdict, figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn n01_everything_is_killed_at_random() {
    let (mut dice, seed) = dice();
    let (mut installation, load) = start(&["api", "worker"]).await;
    let end = Instant::now() + seconds(60);
    let mut kills = [0; 4];
    while Instant::now() < end {
        sleep_ms(&mut dice, 500..=3_500).await;
        let victim = dice.random_range(0..4);
        kills[victim] += 1;
        match victim {
            0 => revive(&mut installation, "api").await,
            1 => revive(&mut installation, "worker").await,
            2 => {
                installation.redis().kill();
                installation.redis().restart().await;
            }
            _ => {
                installation.mongo().kill();
                installation.mongo().restart().await;
            }
        }
    }
    let [api, worker, redis, mongod] = kills;
    let figure = format!("kills: API {api}, worker {worker}, Redis {redis}, mongod {mongod}; seed {seed}");
    count(
        &installation,
        load,
        Row::new("N01", "everything killed at random"),
        &figure,
    )
    .await;
}

async fn revive(installation: &mut Installation, role: &str) {
    installation.node(role).kill();
    tokio::time::sleep(Duration::from_millis(200)).await;
    installation.node(role).start();
}

#[tokio::test(flavor = "multi_thread")]
async fn n02_faults_of_every_kind_at_random() {
    let (mut dice, seed) = dice();
    let (mut installation, load) = start(&["api", "api", "worker", "worker"]).await;
    let begun = Instant::now();
    let mut made = Vec::new();
    while begun.elapsed() < seconds(60) {
        let faults: Vec<Kind> = (0..dice.random_range(1..=3)).map(|_| Kind::choose(&mut dice)).collect();
        for fault in &faults {
            println!("{:5.1} s {fault:?}", begun.elapsed().as_secs_f64());
            begin(*fault, &mut installation, &mut dice);
        }
        sleep_ms(&mut dice, 500..=3_000).await;
        for fault in &faults {
            end_of(*fault, &mut installation).await;
        }
        made.extend(faults);
        sleep_ms(&mut dice, 500..=3_000).await;
    }
    let figure = format!("{} faults; seed {seed}", made.len());
    count(
        &installation,
        load,
        Row::new("N02", "faults of every kind at random"),
        &figure,
    )
    .await;
}

/// A fault that begins, lasts for a while and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NodeKilled(usize),
    NodeStopped(usize),
    MongoCut(usize),
    MongoSilent(usize),
    MongoSlow(usize),
    MongodKilled,
    MongodStopped,
    RedisCut(usize),
    RedisSilent(usize),
    RedisFlushed,
    RedisKilled,
    RedisStopped,
}

impl Kind {
    fn choose(dice: &mut StdRng) -> Self {
        let node = dice.random_range(0..4);
        match dice.random_range(0..12) {
            0 => Self::NodeKilled(node),
            1 => Self::NodeStopped(node),
            2 => Self::MongoCut(node),
            3 => Self::MongoSilent(node),
            4 => Self::MongoSlow(node),
            5 => Self::MongodKilled,
            6 => Self::MongodStopped,
            7 => Self::RedisCut(node),
            8 => Self::RedisSilent(node),
            9 => Self::RedisFlushed,
            10 => Self::RedisKilled,
            _ => Self::RedisStopped,
        }
    }
}

fn begin(fault: Kind, installation: &mut Installation, dice: &mut StdRng) {
    match fault {
        Kind::NodeKilled(node) => installation.nodes[node].kill(),
        Kind::NodeStopped(node) => {
            if installation.nodes[node].is_running() {
                installation.nodes[node].stop();
            }
        }
        Kind::MongoCut(node) => installation.nodes[node].mongo().cut(),
        Kind::MongoSilent(node) => installation.nodes[node].mongo().silence_present(),
        Kind::MongoSlow(node) => {
            let delay = Duration::from_millis(dice.random_range(1..=100));
            installation.nodes[node].mongo().set_delay(delay);
        }
        Kind::MongodKilled => installation.mongo().kill(),
        Kind::MongodStopped => {
            if installation.mongo().is_running() {
                installation.mongo().stop();
            }
        }
        Kind::RedisCut(node) => installation.nodes[node].redis().cut(),
        Kind::RedisSilent(node) => installation.nodes[node].redis().silence_present(),
        Kind::RedisFlushed => {
            // It may be down or stopped by another fault.
            let flush = std::process::Command::new("redis-cli")
                .args(["-t", "1", "-p", &installation.redis().port().to_string(), "FLUSHALL"])
                .output();
            drop(flush);
        }
        Kind::RedisKilled => installation.redis().kill(),
        Kind::RedisStopped => {
            if installation.redis().is_running() {
                installation.redis().stop();
            }
        }
    }
}

async fn end_of(fault: Kind, installation: &mut Installation) {
    match fault {
        Kind::NodeKilled(node) => {
            if !installation.nodes[node].is_running() {
                installation.nodes[node].start();
            }
        }
        Kind::NodeStopped(node) => {
            if installation.nodes[node].is_running() {
                installation.nodes[node].cont();
            }
        }
        Kind::MongoSlow(node) => installation.nodes[node].mongo().set_delay(Duration::ZERO),
        Kind::MongodKilled | Kind::MongodStopped => {
            if installation.mongo().is_running() {
                installation.mongo().cont();
            } else {
                installation.mongo().restart().await;
            }
        }
        Kind::RedisKilled | Kind::RedisStopped => {
            if installation.redis().is_running() {
                installation.redis().cont();
            } else {
                installation.redis().restart().await;
            }
        }
        Kind::MongoCut(_) | Kind::MongoSilent(_) | Kind::RedisCut(_) | Kind::RedisSilent(_) | Kind::RedisFlushed => {}
    }
}

/// Two APIs and so many workers on one store and one queue, of which one process is killed now and then.
async fn workers(count_of_workers: usize, row: Row) {
    let (dice, seed) = dice();
    let mut roles = vec!["api", "api"];
    roles.resize(2 + count_of_workers, "worker");
    let (installation, load) = start(&roles).await;
    println!("{} with seed {seed}", roles.join(", "));
    kill_nodes(installation, load, seconds(15), dice, row).await;
}

/// Kills one process at a time, and starts it again at once.
pub async fn kill_nodes(mut installation: Installation, load: Load, length: Duration, mut dice: StdRng, row: Row) {
    let end = Instant::now() + length;
    let mut kills = 0;
    while Instant::now() < end {
        sleep_ms(&mut dice, 1_000..=3_000).await;
        let victim = dice.random_range(0..installation.nodes.len());
        installation.nodes[victim].kill();
        installation.nodes[victim].start();
        kills += 1;
    }
    count(&installation, load, row, &format!("{kills} kills")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n03_two_apis_and_one_worker() {
    workers(1, Row::new("N03", "2 APIs and 1 worker, killed at random")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n04_two_apis_and_two_workers() {
    workers(2, Row::new("N04", "2 APIs and 2 workers, killed at random")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n05_two_apis_and_four_workers() {
    workers(4, Row::new("N05", "2 APIs and 4 workers, killed at random")).await;
}
