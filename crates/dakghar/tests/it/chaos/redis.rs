//! Redis fails: F29 to F39, and Redis away for a minute. The queue may lose everything, at any time.

use std::time::{Duration, Instant};

use dakghar_testkit::fault_proxy::FaultProxy;
use dakghar_testkit::servers::Redis;

use super::audit::{Allowance, Verdict, audit, now_ms};
use super::installation::{Installation, Setup, redis_command};
use super::load::{Load, Loaded};
use super::report::Row;
use super::{AFTERWARDS, WAITING, rate, seconds, sleep_s};

/// One process each, and the load on them.
async fn start() -> (Installation, Load) {
    begin(Setup::of(&["api", "worker"])).await
}

async fn begin(setup: Setup) -> (Installation, Load) {
    let installation = setup.start().await;
    let load = Load::start(&installation, rate());
    load.until_promised(100).await;
    (installation, load)
}

/// The load goes on for a moment; then everything is counted.
async fn count(installation: &Installation, load: Load) -> (Verdict, Loaded) {
    let healed = now_ms();
    tokio::time::sleep(AFTERWARDS).await;
    let loaded = load.stop().await;
    let verdict = audit(installation, &loaded, healed, Allowance::default()).await;
    (verdict, loaded)
}

/// How often the worker filled the queue, and with how many messages in all.
fn refills(installation: &mut Installation) -> String {
    let log = installation.node("worker").log();
    let counts: Vec<u64> = log
        .lines()
        .filter(|line| line.contains("filled again from the store"))
        .filter_map(|line| line.split("refilled\":").nth(1)?.split(['}', ',']).next()?.parse().ok())
        .collect();
    format!("{} refills of {} messages", counts.len(), counts.iter().sum::<u64>())
}

async fn kill_again_and_again(installation: &mut Installation, every_s: u64, length: Duration) -> u32 {
    let end = Instant::now() + length;
    let mut kills = 0;
    while Instant::now() < end {
        sleep_s(every_s).await;
        installation.redis().kill();
        sleep_s(1).await;
        installation.redis().restart().await;
        kills += 1;
    }
    kills
}

#[tokio::test(flavor = "multi_thread")]
async fn f29_redis_without_persistence_is_killed() {
    let (mut installation, load) = start().await;
    let kills = kill_again_and_again(&mut installation, 4, seconds(20)).await;
    let (verdict, _) = count(&installation, load).await;
    let figure = format!("{kills} kills, {}", refills(&mut installation));
    Row::new("F29", "Redis killed, nothing persisted").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f30_redis_with_a_log_is_killed() {
    let redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "everysec"]).await;
    let (mut installation, load) = begin(Setup::of(&["api", "worker"]).redis(redis)).await;
    let kills = kill_again_and_again(&mut installation, 4, seconds(20)).await;
    let (verdict, _) = count(&installation, load).await;
    let figure = format!("{kills} kills, {}", refills(&mut installation));
    Row::new("F30", "Redis killed, log fsynced every second").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f31_redis_is_flushed() {
    let (mut installation, load) = start().await;
    // A pause is in the store, not in Redis.
    let paused = installation.tenants[3].id.clone();
    installation.post(&format!("/tenants/{paused}/pause")).await;
    sleep_s(2).await;
    let () = installation.redis_command(&["FLUSHALL"]).await;
    sleep_s(3).await;
    let called = installation.sim.call_counts().len();
    let held = format!("/tenants/{paused}/messages?status=held&limit=200");
    let held = installation.get(&held).await["data"].as_array().map_or(0, Vec::len);
    assert!(held > 100, "only {held} messages of the paused tenant are held");
    assert!(called > 100, "only {called} messages of the others were sent");
    installation.post(&format!("/tenants/{paused}/resume")).await;
    let (verdict, _) = count(&installation, load).await;
    let figure = format!("{}; the pause held", refills(&mut installation));
    Row::new("F31", "Redis flushed").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_redis_is_flushed_every_five_seconds() {
    let (mut installation, load) = start().await;
    let end = Instant::now() + seconds(60);
    let mut flushes = 0;
    while Instant::now() < end {
        sleep_s(5).await;
        let () = installation.redis_command(&["FLUSHALL"]).await;
        flushes += 1;
    }
    let (verdict, _) = count(&installation, load).await;
    let figure = format!("{flushes} flushes, {}", refills(&mut installation));
    Row::new("F32", "Redis flushed every 5 s").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f33_redis_is_stopped() {
    let (mut installation, load) = start().await;
    let length = seconds(13);
    installation.redis().stop();
    tokio::time::sleep(length).await;
    installation.redis().cont();
    let (verdict, loaded) = count(&installation, load).await;
    let figure = format!(
        "longest time without an acceptance {:.1?}, {}",
        loaded.counts.longest_gap,
        refills(&mut installation)
    );
    Row::new("F33", "Redis stopped for a while").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f34_connections_to_redis_go_silent() {
    let (mut installation, load) = begin(Setup::of(&["api", "worker"]).proxied()).await;
    for node in &installation.nodes {
        node.redis().silence_present();
    }
    sleep_s(10).await;
    let (verdict, loaded) = count(&installation, load).await;
    let figure = format!(
        "longest time without an acceptance {:.1?}, {}",
        loaded.counts.longest_gap,
        refills(&mut installation)
    );
    Row::new("F34", "connections to Redis half open").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f35_redis_is_demoted() {
    let (mut installation, load) = begin(Setup::of(&["api", "worker"]).proxied()).await;
    let new = Redis::start().await;
    // As a managed failover does it: the address leads to the new primary, connections to the old one stay.
    for node in &installation.nodes {
        node.redis().lead_to(new.port());
    }
    let new_port = new.port().to_string();
    let () = installation.redis_command(&["REPLICAOF", "127.0.0.1", &new_port]).await;
    sleep_s(10).await;
    let (verdict, _) = count(&installation, load).await;
    Row::new("F35", "Redis demoted to a replica").finish(&verdict, &refills(&mut installation));
}

#[tokio::test(flavor = "multi_thread")]
async fn f36_a_failover_loses_the_tail() {
    let (mut installation, load) = begin(Setup::of(&["api", "worker"]).proxied()).await;
    // The replica follows through a link that breaks before the primary does.
    let replica = Redis::start().await;
    let link = FaultProxy::start(installation.redis().port()).await;
    let link_port = link.port().to_string();
    let () = redis_command(replica.port(), &["REPLICAOF", "127.0.0.1", &link_port]).await;
    sleep_s(4).await;
    link.blackhole();
    sleep_s(2).await;
    // Jobs are few while all is well; what the replica lacks are those and the end of the others.
    let primary_at: String = installation.redis_command(&["INFO", "replication"]).await;
    installation.redis().kill();
    let replica_at: String = redis_command(replica.port(), &["INFO", "replication"]).await;
    let () = redis_command(replica.port(), &["REPLICAOF", "NO", "ONE"]).await;
    for node in &installation.nodes {
        node.redis().lead_to(replica.port());
        node.redis().cut();
    }
    sleep_s(5).await;
    let (verdict, _) = count(&installation, load).await;
    let missing = offset(&primary_at, "master_repl_offset") - offset(&replica_at, "slave_repl_offset");
    assert!(missing > 0, "the replica had everything");
    let figure = format!("{} kB lost, {}", missing / 1024, refills(&mut installation));
    Row::new("F36", "Redis failover loses the tail").finish(&verdict, &figure);
}

fn offset(info: &str, name: &str) -> i64 {
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.and_then(|value| value.trim().parse().ok()).expect("an offset")
}

#[tokio::test(flavor = "multi_thread")]
async fn f37_an_old_dump_of_redis_is_restored() {
    let (mut installation, load) = start().await;
    // Redis holds what is delayed, so a dump of a quiet system would be nearly empty.
    let () = installation.redis_command(&["CONFIG", "SET", "save", ""]).await;
    let worker = installation.node("worker");
    worker.stop();
    sleep_s(2).await;
    let () = installation.redis_command(&["SAVE"]).await;
    installation.node("worker").cont();
    let dump = installation.redis().folder().join("dump.rdb");
    let old = std::fs::read(&dump).expect("the dump is there");
    sleep_s(5).await;
    installation.redis().kill();
    std::fs::write(&dump, old).expect("the dump can be put back");
    installation.redis().restart().await;
    let waiting: u64 = installation.redis_command(&["ZCARD", WAITING]).await;
    assert!(waiting > 0, "no job came back with the old dump");
    let (verdict, _) = count(&installation, load).await;
    let figure = format!("{waiting} old jobs came back, {}", refills(&mut installation));
    Row::new("F37", "old dump of Redis restored").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f38_redis_is_full() {
    let (mut installation, load) = start().await;
    let () = installation.redis_command(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    sleep_s(3).await;
    let promised = load.promised();
    let readiness = installation.get("/readyz").await;
    assert_eq!(readiness["status"], "not_ready", "{readiness}");
    sleep_s(5).await;
    assert!(load.promised() > promised, "nothing is accepted while Redis is full");
    let () = installation.redis_command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let (verdict, _) = count(&installation, load).await;
    let figure = format!("not ready, accepts; {}", refills(&mut installation));
    Row::new("F38", "Redis full").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f39_redis_evicts_jobs() {
    let redis = Redis::start_with(&["--maxmemory-policy", "allkeys-lru"]).await;
    let (mut installation, load) = begin(Setup::of(&["api", "worker"]).redis(redis)).await;
    let log = installation.node("worker").log();
    assert!(log.contains("maxmemory-policy allkeys-lru"), "no warning:\n{log}");
    let info: String = installation.redis_command(&["INFO", "memory"]).await;
    let limit = (offset(&info, "used_memory") * 9 / 10).to_string();
    let () = installation
        .redis_command(&["CONFIG", "SET", "maxmemory", &limit])
        .await;
    sleep_s(5).await;
    let stats: String = installation.redis_command(&["INFO", "stats"]).await;
    let evicted = offset(&stats, "evicted_keys");
    assert!(evicted > 0, "nothing was evicted");
    let () = installation.redis_command(&["CONFIG", "SET", "maxmemory", "0"]).await;

    // What is used least are jobs that ended, so those that wait are evicted by hand.
    installation.node("worker").stop();
    sleep_s(1).await;
    let waiting: Vec<String> = installation.redis_command(&["ZRANGE", WAITING, "0", "49"]).await;
    for job in &waiting {
        let () = installation
            .redis_command(&["DEL", &format!("bull:whatsapp-send-queue:{job}")])
            .await;
    }
    installation.node("worker").cont();
    sleep_s(2).await;
    let (verdict, _) = count(&installation, load).await;
    let ghosts = installation
        .node("worker")
        .log()
        .matches("a job without a message")
        .count();
    assert!(ghosts > 0, "no job came without its data");
    let figure = format!(
        "warned; {evicted} keys evicted, {ghosts} jobs without data, {}",
        refills(&mut installation)
    );
    Row::new("F39", "Redis evicts jobs").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_away_for_a_minute() {
    let (mut installation, load) = start().await;
    installation.redis().kill();
    let before = load.promised();
    load.forget_gap();
    tokio::time::sleep(seconds(60)).await;
    let accepted = load.promised() - before;
    let counts = load.counts();
    installation.redis().restart().await;
    let (verdict, _) = count(&installation, load).await;
    let figure = format!("{accepted} accepted without Redis, {}", refills(&mut installation));
    Row::new("R01", "Redis away for a minute").finish(&verdict, &figure);
    assert_eq!(counts.server_errors(), 0, "acceptance needs the store only: {counts:?}");
}
