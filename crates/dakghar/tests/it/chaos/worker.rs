//! The worker fails at a certain moment of a delivery: F19 to F28. Half of the messages are to fail when nobody knows
//! their outcome, half to be sent again.

use bson::{Document, doc};
use dakghar_graph_sim::{Fault, FaultRule, StatusPlan};
use dakghar_testkit::fault_proxy::Hold;

use super::audit::{Allowance, Unknown, Verdict, audit, now_ms};
use super::evidence::{Journal, Seen};
use super::installation::{Installation, Setup};
use super::load::{Load, LoadSetup, Loaded};
use super::report::Row;
use super::{AFTERWARDS, CLAIM, OUTCOME, rate, seconds, sleep_s, until_caught_since};

/// How long evidence is awaited here, in milliseconds.
const GRACE_MS: u64 = 4_000;
/// Messages of each policy that are enough to meet the moment.
const ENOUGH: usize = 60;

pub fn setup(roles: &[&'static str], statuses: StatusPlan) -> Setup {
    Setup::of(roles)
        .proxied()
        .env("UNKNOWN_OUTCOME_GRACE_MS", GRACE_MS)
        .statuses(statuses)
}

/// Statuses that come so long after the call.
pub fn statuses_after(ms: u64) -> StatusPlan {
    StatusPlan {
        sent_ms: Some(ms),
        delivered_ms: Some(ms + 100),
        read_ms: None,
        ..StatusPlan::default()
    }
}

/// Clients of both policies.
struct Both(Load, Load);

impl Both {
    fn start(installation: &Installation, per_second: u32) -> Self {
        let of = |policy| {
            LoadSetup::on(installation, per_second / 2)
                .unknown_outcome(policy)
                .start()
        };
        Self(of("fail"), of("resend"))
    }

    async fn until_enough(&self) {
        self.0.until_promised(ENOUGH).await;
        self.1.until_promised(ENOUGH).await;
    }

    async fn stop(self) -> Loaded {
        let (fail, resend) = tokio::join!(self.0.stop(), self.1.stop());
        fail.and(resend)
    }
}

/// Outcomes that nobody knows end by policy.
const BY_POLICY: Allowance = Allowance {
    unknown_outcomes: Unknown::Any,
    resent: true,
    forgotten: false,
    no_statuses: false,
};

/// Holds the worker at the moment when it sends these bytes, and kills it there.
async fn kill_at(installation: &mut Installation, bytes: &[u8], hold: Hold) {
    let worker = installation.node("worker");
    let before = worker.mongo().caught();
    worker.mongo().trap(bytes, hold);
    until_caught_since(worker.mongo(), before).await;
    worker.kill();
    worker.mongo().cut();
    worker.mongo().release();
    worker.start();
    installation.ready().await;
}

/// Messages of this policy that were in doubt and ended with this status, with so many calls.
fn ended(verdict: &Verdict, policy: &str, status: &[&str], calls: u64) -> usize {
    let messages = verdict.messages.values();
    messages
        .filter(|message| message.policy == policy && message.when("in_doubt").is_some())
        .filter(|message| status.contains(&message.status.as_str()) && message.calls == calls)
        .count()
}

const TAKEN: [&str; 2] = ["sent", "delivered"];

/// How long the doubt lasted until a webhook ended it.
fn doubt(verdict: &Verdict) -> String {
    let mut waits: Vec<i64> = verdict
        .messages
        .values()
        .filter_map(|message| Some(message.when("status")? - message.when("in_doubt")?))
        .filter(|ms| *ms > 0)
        .collect();
    waits.sort_unstable();
    match (waits.get(waits.len() / 2), waits.last()) {
        (Some(median), Some(longest)) => {
            format!("{} in doubt for {median} ms, {longest} ms at most", waits.len())
        }
        _ => "none was in doubt before its status came".to_owned(),
    }
}

/// Kills the worker when it sends these bytes, a few times.
pub async fn kill_under_load(
    setup: Setup,
    per_second: u32,
    kills: usize,
    (bytes, hold): (&[u8], Hold),
    allowed: Allowance,
) -> Verdict {
    let mut installation = setup.start().await;
    let load = Both::start(&installation, per_second);
    load.until_enough().await;
    for _ in 0..kills {
        kill_at(&mut installation, bytes, hold).await;
    }
    let healed = now_ms();
    let loaded = load.stop().await;
    audit(&installation, &loaded, healed, allowed).await
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_worker_is_killed_between_claim_and_call() {
    let setup = setup(&["api", "worker"], statuses_after(50));
    let row = Row::new("F19", "worker killed between claim and call");
    kill_before_the_call(setup, rate() / 2, 3, row).await;
}

pub async fn kill_before_the_call(setup: Setup, per_second: u32, kills: usize, row: Row) {
    let verdict = kill_under_load(setup, per_second, kills, (CLAIM, Hold::Reply), BY_POLICY).await;
    let (dead, sent) = (
        ended(&verdict, "fail", &["dead"], 0),
        ended(&verdict, "resend", &TAKEN, 1),
    );
    let figure = format!("{kills} kills; uncalled: {dead} dead (fail), {sent} sent once (resend)");
    row.finish(&verdict, &figure);
    assert_eq!(verdict.resent, 0, "there was no first call");
    assert!(dead + sent > 0, "no claim was without its call");
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_worker_is_killed_during_the_call() {
    // The statuses come after the lease, within the grace.
    let mut installation = setup(&["api", "worker"], statuses_after(7_000)).start().await;
    installation.sim.add_rule(FaultRule::always(Fault::Slow { ms: 1_500 }));
    let load = Both::start(&installation, rate() / 2);
    for _ in 0..3 {
        sleep_s(2).await;
        installation.node("worker").kill();
        installation.node("worker").start();
        installation.ready().await;
    }
    let healed = now_ms();
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, healed, Allowance::BY_EVIDENCE).await;
    let figure = format!("3 kills; {}", doubt(&verdict));
    Row::new("F20", "worker killed during the call").finish(&verdict, &figure);
    assert!(verdict.in_doubt > 0, "no call was under way");
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_worker_is_killed_between_answer_and_outcome() {
    let setup = setup(&["api", "worker"], statuses_after(7_000));
    let verdict = kill_under_load(setup, rate() / 2, 3, (OUTCOME, Hold::Request), Allowance::BY_EVIDENCE).await;
    let figure = format!("3 kills; {}", doubt(&verdict));
    Row::new("F21", "worker killed between answer and outcome").finish(&verdict, &figure);
    assert!(verdict.in_doubt > 0, "no outcome was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_worker_is_killed_and_no_webhook_comes() {
    let mut installation = setup(&["api", "worker"], StatusPlan::none()).start().await;
    installation.sim.add_rule(FaultRule::always(Fault::Slow { ms: 1_500 }));
    let load = Both::start(&installation, rate() / 2);
    sleep_s(2).await;
    installation.node("worker").kill();
    installation.node("worker").start();
    installation.ready().await;
    let healed = now_ms();
    let loaded = load.stop().await;
    let allowed = Allowance {
        no_statuses: true,
        ..BY_POLICY
    };
    let verdict = audit(&installation, &loaded, healed, allowed).await;
    let dead = ended(&verdict, "fail", &["dead"], 1);
    let twice = ended(&verdict, "resend", &TAKEN, 2);
    let figure = format!("{dead} dead after one call (fail), {twice} called twice (resend)");
    Row::new("F22", "worker killed during the call, no webhook").finish(&verdict, &figure);
    assert!(dead > 0 && twice > 0, "the policies were not needed");
    let called_twice = |message: &&Seen| message.policy == "fail" && message.calls > 1;
    assert_eq!(verdict.messages.values().filter(called_twice).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f23_webhooks_come_before_answers() {
    let installation = setup(&["api", "worker"], StatusPlan::immediate()).start().await;
    let rule = FaultRule::always(Fault::WebhookBeforeResponse { ms: 300 });
    installation.sim.add_rule(rule);
    let load = Load::start(&installation, rate());
    tokio::time::sleep(seconds(10)).await;
    let healed = now_ms();
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, healed, Allowance::default()).await;
    Row::new("F23", "webhooks before answers").finish(&verdict, "every answer 300 ms after its webhooks");
}

#[tokio::test(flavor = "multi_thread")]
async fn f24_webhooks_come_after_the_grace() {
    let installation = setup(&["api", "worker"], statuses_after(GRACE_MS + 8_000))
        .start()
        .await;
    let load = Both::start(&installation, rate() / 2);
    installation
        .sim
        .add_rule(FaultRule::first(100, Fault::ResetAfterBody { accept: true }));
    sleep_s(3).await;
    let healed = now_ms();
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, healed, BY_POLICY).await;
    let revived = ended(&verdict, "fail", &TAKEN, 1);
    let twice = ended(&verdict, "resend", &TAKEN, 2);
    let figure = format!("{revived} dead and then sent (fail), {twice} with two wamids (resend)");
    Row::new("F24", "webhooks after the grace").finish(&verdict, &figure);
    assert!(revived > 0 && twice > 0, "no webhook was late");
    assert_eq!(verdict.dead, 0, "late evidence counts");
}

/// Two workers of which the first is stopped and goes on when the second has taken over what it had.
async fn start_two(statuses: StatusPlan) -> Installation {
    let mut installation = setup(&["api", "worker", "worker"], statuses).start().await;
    installation.nodes[2].kill();
    installation
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_worker_is_stopped_between_claim_and_call() {
    let mut installation = start_two(statuses_after(50)).await;
    let load = Both::start(&installation, rate() / 2);
    load.until_enough().await;
    let first = &installation.nodes[1];
    let before = first.mongo().caught();
    first.mongo().trap(CLAIM, Hold::Reply);
    until_caught_since(first.mongo(), before).await;
    first.stop();
    // What it waited for is there when it goes on.
    first.mongo().release();
    installation.nodes[2].start();
    installation.ready_but(1).await;
    tokio::time::sleep(seconds(20)).await;
    let calls: u64 = installation.sim.call_counts().values().sum();
    installation.nodes[1].cont();
    let healed = now_ms();
    sleep_s(3).await;
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, healed, BY_POLICY).await;
    let (dead, sent) = (
        ended(&verdict, "fail", &["dead"], 0),
        ended(&verdict, "resend", &TAKEN, 1),
    );
    let figure =
        format!("{calls} calls by others meanwhile; taken over: {dead} dead (fail), {sent} sent once (resend)");
    Row::new("F25", "worker stopped between claim and call").finish(&verdict, &figure);
    assert_eq!(verdict.resent, 0, "the worker that was stopped did not call");
    assert!(dead + sent > 0, "nothing was taken over");
}

#[tokio::test(flavor = "multi_thread")]
async fn f26_worker_is_stopped_during_the_call() {
    let mut installation = start_two(StatusPlan::none()).await;
    installation.sim.add_rule(FaultRule::always(Fault::Slow { ms: 1_000 }));
    let load = Both::start(&installation, rate() / 2);
    load.until_enough().await;
    sleep_s(2).await;
    installation.nodes[1].stop();
    installation.nodes[2].start();
    installation.ready_but(1).await;
    tokio::time::sleep(seconds(20)).await;
    installation.nodes[1].cont();
    let healed = now_ms();
    sleep_s(3).await;
    let loaded = load.stop().await;
    let allowed = Allowance {
        no_statuses: true,
        ..BY_POLICY
    };
    let verdict = audit(&installation, &loaded, healed, allowed).await;
    let late = ended(&verdict, "fail", &TAKEN, 1);
    let dead = ended(&verdict, "fail", &["dead"], 1);
    let figure = format!("{late} settled by the late answer, {dead} dead without (fail)");
    Row::new("F26", "worker stopped during the call").finish(&verdict, &figure);
    assert!(
        late > dead,
        "an answer that was there when the worker went on was not read"
    );
}

/// The most calls in a second, of those that began at these milliseconds, one after the other.
fn peak(times: &[i64]) -> usize {
    let in_a_second = |begin: usize| {
        times[begin..]
            .iter()
            .take_while(|at| **at < times[begin] + 1_000)
            .count()
    };
    (0..times.len()).map(in_a_second).max().unwrap_or(0)
}

/// The slots of the time in which nobody sent are past; the gate keeps the pace all the same.
#[tokio::test(flavor = "multi_thread")]
async fn f54_workers_are_away_while_a_backlog_waits() {
    const PER_SECOND: u32 = 40;
    let mut installation = Setup::of(&["api", "worker", "worker"]).start().await;
    let numbers = installation.set_pace(PER_SECOND).await;
    let load = Load::start(&installation, rate().min(100));
    load.until_promised(100).await;
    for worker in [1, 2] {
        installation.nodes[worker].kill();
    }
    tokio::time::sleep(seconds(60)).await;
    for worker in [1, 2] {
        installation.nodes[worker].start();
    }
    let healed = now_ms();
    tokio::time::sleep(AFTERWARDS).await;
    let loaded = load.stop().await;
    // What a worker had claimed and not called for when it was killed.
    let allowance = Allowance {
        unknown_outcomes: Unknown::UncalledLast,
        ..Allowance::default()
    };
    let verdict = audit(&installation, &loaded, healed, allowance).await;
    let times = Journal::read(&installation).times;
    let peaks: Vec<usize> = numbers.iter().map(|number| peak(&times[number])).collect();
    let figure = format!("{PER_SECOND} a second allowed, peaks {peaks:?}");
    Row::new("F54", "workers away while a backlog waits").finish(&verdict, &figure);
    let most = peaks.into_iter().max().expect("a number");
    assert!(most * 100 <= PER_SECOND as usize * 145, "{figure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f27_a_message_crashes_whoever_prepares_it() {
    let row = Row::new("F27", "a message panics the worker (and F28)");
    if !cfg!(debug_assertions) {
        return row.cannot("only a build that checks for overflows panics at the counter that the row writes");
    }
    let mut installation = setup(&["api", "worker"], statuses_after(50)).start().await;
    installation.node("worker").stop();
    // Each time, the poison stands at the end of what waits.
    let load = Load::start(&installation, rate() / 3);
    load.until_promised(100).await;
    let database = installation.database().await.expect("a database");
    let messages = database.collection::<Document>("messages");
    let mut poisoned = Vec::new();
    for _ in 0..3 {
        // The next attempt of such a message is more than its counter holds.
        let filter = doc! { "status": "queued", "attempt": 0_i64 };
        let change = doc! { "$set": { "attempt": i64::from(u32::MAX) }, "$inc": { "version": 1_i64 } };
        let found = messages.find_one_and_update(filter, change).await.expect("an answer");
        poisoned.push(
            found
                .expect("a queued message")
                .get_str("_id")
                .expect("an id")
                .to_owned(),
        );
    }
    installation.node("worker").cont();
    let mut strikes_seen = 0;
    let mut dead = async || {
        // Its timer would bring it back once a minute. Once for each strike, because a change under way is lost by it.
        if strikes_seen < 5 {
            let struck =
                doc! { "_id": { "$in": poisoned.clone() }, "status": "queued", "strikes": { "$gt": strikes_seen } };
            let now = bson::DateTime::now();
            let sooner = doc! { "$set": { "wakeAt": now, "slotAt": now }, "$inc": { "version": 1_i64 } };
            if messages.count_documents(struck.clone()).await.expect("an answer") == 3 {
                messages.update_many(struck, sooner).await.expect("an answer");
                strikes_seen += 1;
            }
        }
        let filter = doc! { "_id": { "$in": poisoned.clone() }, "deadReason": "poison", "strikes": 5_i64 };
        messages.count_documents(filter).await.expect("an answer") == 3
    };
    let mut rounds = 0;
    while !dead().await {
        sleep_s(1).await;
        rounds += 1;
        assert!(rounds < 300, "the poison is not given up");
    }
    let healed = now_ms();
    let loaded = load.stop().await;
    messages
        .delete_many(doc! { "_id": { "$in": poisoned.clone() } })
        .await
        .expect("deleted");
    let mut innocent = loaded;
    innocent
        .promises
        .retain(|_, promise| promise.ids.is_disjoint(&poisoned.iter().cloned().collect()));
    let verdict = audit(&installation, &innocent, healed, Allowance::default()).await;
    // BullMQ has forgotten the jobs of those who panicked as well.
    let active: u64 = installation
        .redis_command(&["LLEN", "bull:whatsapp-send-queue:active"])
        .await;
    row.finish(
        &verdict,
        &format!("3 dead after 5 strikes, nobody else; {active} jobs left active"),
    );
    assert_eq!(active, 0, "a job outlives its panic");
}
