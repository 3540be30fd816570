//! Calls under way.

use dakghar_graph_sim::{Fault, FaultRule, Match, Rate};
use dakghar_testkit::Port;
use futures_util::future::join_all;

use crate::product::{Backend, Product, Setup, eventually, on_both_backends};

on_both_backends!(a_tenant_whose_calls_hang_is_held_to_its_calls_also_after_a_crash_and_nine_others_send);

const MAX: usize = 10;
/// How long Meta takes to answer the abuser.
const SLOW_MS: u64 = 3_000;
/// The number of the abuser.
const NUMBER: &str = "100";
const MESSAGES: usize = 150;

/// When each call of the abuser reached Meta, in milliseconds.
fn calls(product: &Product) -> Vec<i64> {
    let journal = product.sim.journal();
    let own = journal.iter().filter(|call| call.phone_number_id == NUMBER);
    own.map(|call| call.at.as_millisecond()).collect()
}

/// The most calls that were under way at a time, if each takes so long.
fn under_way(calls: &[i64], each_ms: u64) -> usize {
    let each = i64::try_from(each_ms).expect("short");
    let from = |at: &i64| calls.iter().filter(|other| (*at..*at + each).contains(*other)).count();
    calls.iter().map(from).max().unwrap_or(0)
}

/// The same for half the time that each takes.
fn at_once(calls: &[i64]) -> usize {
    under_way(calls, SLOW_MS / 2)
}

/// Lets Meta answer each call of the abuser after so long.
fn slow(ms: u64) -> FaultRule {
    FaultRule {
        when: Match {
            phone_number_id: Some(NUMBER.to_owned()),
            ..Match::default()
        },
        rate: Rate::default(),
        times: None,
        fault: Fault::Slow { ms },
    }
}

async fn start_both(product: &mut Product, second: &Port) {
    if product.is_distributed() {
        product.spawn_on("serve", second.number());
        product.ready_on(second.number()).await;
    }
}

async fn a_tenant_whose_calls_hang_is_held_to_its_calls_also_after_a_crash_and_nine_others_send(backend: Backend) {
    // Without a limit the abuser has 24 places of each process.
    let setup = Setup::on(backend)
        .env("CALLS_UNDER_WAY", MAX)
        .env("WORKER_CONCURRENCY", 32);
    let mut product = setup.start().await;
    let second = Port::claim();
    start_both(&mut product, &second).await;
    product.sim.add_rule(slow(SLOW_MS));
    let abuser = product.fast_tenant(NUMBER).await;
    let mut others = Vec::new();
    for number in 101..110 {
        others.push(product.tenant(&number.to_string(), "EAAG-others").await);
    }
    let sends = (0..MESSAGES).map(|_| product.send(&abuser, "+919111111111"));
    join_all(sends).await;
    assert!(
        eventually(async || calls(&product).len() >= MAX).await,
        "{}",
        calls(&product).len()
    );

    for tenant in &others {
        join_all((0..10).map(|_| product.send(tenant, "+919222222222"))).await;
    }
    for tenant in &others {
        let path = format!("/tenants/{}/messages?status=delivered&limit=200", tenant.id);
        product.until_count(&path, 10).await;
    }
    let before = calls(&product);
    println!("{} calls before the kill, {} at once", before.len(), at_once(&before));
    assert!(before.len() < MESSAGES, "the abuser's calls do not hang any more");
    assert!(
        (MAX - 1..=MAX + MAX / 10).contains(&at_once(&before)),
        "{}",
        at_once(&before)
    );

    product.kill();
    let killed = calls(&product).len();
    product.restart().await;
    let second = Port::claim();
    start_both(&mut product, &second).await;
    let more = async || calls(&product).len() >= killed + 3 * MAX;
    assert!(eventually(more).await, "{} and {}", killed, calls(&product).len());
    let after = calls(&product).split_off(killed);
    println!("{} calls after the kill, {} at once", after.len(), at_once(&after));
    assert!(at_once(&after) <= MAX + MAX / 10, "{}", at_once(&after));
}

/// How often Redis forgets everything.
const LOSSES: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn when_redis_forgets_everything_a_tenant_is_held_to_its_calls_all_the_same() {
    let setup = Setup::on(Backend::Fragile)
        .env("CALLS_UNDER_WAY", MAX)
        .env("WORKER_CONCURRENCY", 32);
    let mut product = setup.start().await;
    let second = Port::claim();
    product.spawn_on("serve", second.number());
    product.ready_on(second.number()).await;
    product.sim.add_rule(slow(SLOW_MS));
    let abuser = product.fast_tenant(NUMBER).await;
    let sends = (0..2 * MESSAGES).map(|_| product.send(&abuser, "+919111111111"));
    join_all(sends).await;

    let counts = format!("dakghar:calls:{{{}}}", abuser.id);
    for loss in 1..=LOSSES {
        // What one process has must not be given to the other.
        let both = async || product.redis(&["HLEN", &counts]) == "2";
        assert!(
            eventually(both).await,
            "{loss}: {}",
            product.redis(&["HGETALL", &counts])
        );
        let before = calls(&product).len();
        product.redis(&["FLUSHALL"]);
        let goes_on = async || calls(&product).len() >= before + MAX;
        assert!(eventually(goes_on).await, "{loss}: {} calls", calls(&product).len());
    }
    let calls = calls(&product);
    let most = under_way(&calls, SLOW_MS);
    println!("{} calls, {most} under way", calls.len());
    assert!(calls.len() < 2 * MESSAGES, "the abuser's calls do not hang any more");
    assert!(most <= MAX + MAX / 10, "{most} calls under way");
}
