//! A few rows that are small enough to run with all other tests, with a fixed seed. Timers that would bring a message
//! back within a minute are brought forward.

use std::time::Duration;

use dakghar_testkit::fault_proxy::Hold;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::audit::{Allowance, audit, now_ms};
use super::installation::{Installation, Setup};
use super::load::Load;
use super::report::Row;
use super::{DELAYED, OUTCOME, WAITING, api, nemesis, sleep_s, webhook, worker};

/// Messages a second.
const RATE: u32 = 50;
/// How long a fault goes on that goes on for a while.
const LENGTH: Duration = Duration::from_secs(4);
/// How long evidence is awaited: longer than a process is away.
const GRACE_MS: u64 = 12_000;
/// The most tries of a test whose machine may be too slow for it.
const TRIES: usize = 4;
/// The lines of a log that tell that the queue, or the end, had too little time.
const REDIS_IS_SLOW: [&str; 2] = ["cannot be put into the queue", "not everything ended in time"];

fn dice() -> StdRng {
    StdRng::seed_from_u64(2_026)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_process_is_killed() {
    let setup = Setup::embedded().env("UNKNOWN_OUTCOME_GRACE_MS", GRACE_MS);
    let installation = setup.start().await;
    let row = Row::new("F01e", "embedded process killed again and again");
    api::kill_under_load(installation, RATE, LENGTH, dice(), row).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_serves_everything_is_killed() {
    let setup = Setup::of(&["serve"]).env("UNKNOWN_OUTCOME_GRACE_MS", GRACE_MS);
    let installation = setup.hurried().start().await;
    let row = Row::new("F01s", "process that serves everything killed");
    api::kill_under_load(installation, RATE, LENGTH, dice(), row).await;
}

async fn start() -> (Installation, Load) {
    let installation = Setup::of(&["api", "worker"]).hurried().start().await;
    let load = Load::start(&installation, RATE);
    load.until_promised(50).await;
    (installation, load)
}

async fn count(installation: &Installation, load: Load, row: Row, allowed: Allowance) {
    let healed = now_ms();
    sleep_s(1).await;
    let loaded = load.stop().await;
    let verdict = audit(installation, &loaded, healed, allowed).await;
    row.finish(&verdict, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_flushed_and_killed() {
    let (mut installation, load) = start().await;
    let () = installation.redis_command(&["FLUSHALL"]).await;
    sleep_s(2).await;
    installation.redis().kill();
    sleep_s(1).await;
    installation.redis().restart().await;
    let row = Row::new("F31", "Redis flushed, then killed");
    count(&installation, load, row, Allowance::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongod_is_killed() {
    let (mut installation, load) = start().await;
    installation.mongo().kill();
    installation.mongo().restart().await;
    installation.mongo().writable().await;
    let row = Row::new("F06", "mongod killed");
    count(&installation, load, row, Allowance::BY_EVIDENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_killed_between_claim_and_call() {
    let setup = worker::setup(&["api", "worker"], worker::statuses_after(50)).hurried();
    let row = Row::new("F19", "worker killed between claim and call");
    worker::kill_before_the_call(setup, 2 * RATE, 1, row).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_killed_between_answer_and_outcome() {
    let setup = worker::setup(&["api", "worker"], worker::statuses_after(2_000)).hurried();
    let moment = (OUTCOME, Hold::Request);
    let verdict = worker::kill_under_load(setup, 2 * RATE, 1, moment, Allowance::BY_EVIDENCE).await;
    Row::new("F21", "worker killed between answer and outcome").finish(&verdict, "1 kill");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_is_killed_between_webhook_stored_and_answer() {
    let row = Row::new("F41b", "API killed between webhook stored and 200");
    webhook::kill_at_insert(webhook::setup().hurried(), Hold::Reply, 2, row).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_of_two_and_two_are_killed() {
    let setup = Setup::of(&["api", "api", "worker", "worker"]).hurried();
    let installation = setup.start().await;
    let load = Load::start(&installation, RATE);
    let row = Row::new("N04", "2 APIs and 2 workers, killed at random");
    nemesis::kill_nodes(installation, load, LENGTH, dice(), row).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_last_is_queued_before_the_end() {
    for _ in 0..TRIES {
        if ends_with_everything_queued().await {
            return;
        }
    }
    panic!("Redis was too slow in each of {TRIES} tries");
}

/// Ends an API under load, and looks into the queue. False if the API says that Redis did not take something in time:
/// that is left to its timer then, on purpose.
async fn ends_with_everything_queued() -> bool {
    // Nobody takes the jobs.
    let mut installation = Setup::of(&["api"]).start().await;
    let load = Load::start(&installation, 2 * RATE);
    load.until_promised(100).await;
    let (code, took) = installation.node("api").terminate().await;
    assert_eq!(code, Some(0));
    let promised = load.promised();
    let waiting: usize = installation.redis_command(&["ZCARD", WAITING]).await;
    let delayed: usize = installation.redis_command(&["ZCARD", DELAYED]).await;
    let log = installation.node("api").log();
    installation.node("api").start();
    let loaded = load.stop().await;
    assert!(loaded.promises.len() >= promised);
    if REDIS_IS_SLOW.iter().any(|line| log.contains(line)) {
        return false;
    }
    assert!(
        waiting + delayed >= promised,
        "{promised} messages were accepted, {} are in the queue after {took:?}",
        waiting + delayed
    );
    true
}
