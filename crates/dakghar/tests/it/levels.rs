//! Meta's limits, played by the simulated Meta: a number at its level, one person, and a storm of refusals.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use dakghar_graph_sim::{Fault, FaultRule, InboundMessage, JournalEntry, Limits, Outcome, StatusPlan};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    a_number_near_its_level_is_never_refused,
    a_number_near_its_level_is_never_refused_for_what_comes_in,
    a_number_half_of_whose_level_comes_in_is_never_refused,
    after_a_storm_a_number_has_its_former_pace_and_no_message_is_charged_for_it,
    one_person_gets_fifty_at_their_pace_and_nobody_else_waits,
);

const NUMBER: &str = "111";
/// The level of the number, and what is sent of it as soon as its share is learned: 95 %.
const LEVEL: u32 = 40;
const USED: u32 = 38;
/// The level that Meta gives most numbers.
const USUAL_LEVEL: u32 = 80;
const PERSON: &str = "+919111111111";
/// Messages that a person gets at once.
const PAIR_BURST: usize = 45;

const fn level(messages_per_second: u32) -> Limits {
    Limits {
        messages_per_second,
        pairs: false,
    }
}

async fn start(setup: Setup, limits: Limits, messages_per_second: u32) -> (Product, Tenant) {
    let product = setup.statuses(StatusPlan::none()).start().await;
    product.sim.set_limits(limits);
    let body = json!({"name": "Tenant A", "phoneNumberId": NUMBER, "accessToken": "EAAG-real",
        "messagesPerSecond": messages_per_second});
    let answer = product.post("/tenants/register", body).await;
    let tenant = Tenant {
        id: text(&answer["tenantId"]),
        api_key: text(&answer["apiKey"]),
    };
    (product, tenant)
}

async fn send_all(product: &Product, tenant: &Tenant, to: impl Iterator<Item = String>) {
    let items: Vec<Value> = to
        .enumerate()
        .map(|(n, to)| json!({"to": to, "text": format!("no. {n}")}))
        .collect();
    let path = format!("/tenants/{}/send-bulk", tenant.id);
    let answer = product.post(&path, json!(items)).await;
    let results = answer["data"].as_array().expect("results");
    assert!(results.iter().all(|result| result["httpStatus"] == 202), "{answer:#}");
}

fn accepted(product: &Product) -> Vec<JournalEntry> {
    let is_accepted = |entry: &JournalEntry| matches!(entry.outcome, Outcome::Accepted { .. });
    product.sim.journal().into_iter().filter(is_accepted).collect()
}

/// The messages that Meta accepted in a time, in milliseconds since the epoch.
fn accepted_between(product: &Product, from_ms: i64, until_ms: i64) -> usize {
    let at = accepted(product).into_iter().map(|entry| entry.at.as_millisecond());
    at.filter(|at| (from_ms..until_ms).contains(at)).count()
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// What the meant people got, in the order in which Meta accepted it.
fn got(product: &Product, is_meant: impl Fn(&str) -> bool) -> Vec<JournalEntry> {
    let entries = accepted(product).into_iter();
    entries
        .filter(|entry| entry.to.as_deref().is_some_and(&is_meant))
        .collect()
}

/// Keeps messages waiting, each to a person of its own.
struct Feeder<'p> {
    product: &'p Product,
    tenant: &'p Tenant,
    sent: u64,
}

impl<'p> Feeder<'p> {
    const fn of(product: &'p Product, tenant: &'p Tenant) -> Self {
        Self {
            product,
            tenant,
            sent: 0,
        }
    }

    /// Sends as many as are missing to so many that wait.
    async fn fill_up(&mut self, waiting: u64, at_most: u64) {
        let wanted = waiting + self.product.sim.stats().accepted;
        let count = wanted.saturating_sub(self.sent).min(at_most);
        if count > 0 {
            let people = (self.sent..self.sent + count).map(|n| format!("+9191{n:08}"));
            send_all(self.product, self.tenant, people).await;
            self.sent += count;
        }
    }

    /// Keeps so many waiting for this time.
    async fn keep(&mut self, waiting: u64, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.fill_up(waiting, waiting).await;
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until Meta has accepted all that was sent, each once.
    async fn until_all_are_accepted(&self) {
        let all = eventually(async || accepted(self.product).len() as u64 >= self.sent).await;
        let accepted = accepted(self.product);
        assert!(all, "{} of {}", accepted.len(), self.sent);
        let people: BTreeSet<_> = accepted.iter().map(|entry| entry.to.clone()).collect();
        assert_eq!((accepted.len() as u64, people.len() as u64), (self.sent, self.sent));
    }
}

async fn a_number_near_its_level_is_never_refused(backend: Backend) {
    let (product, tenant) = start(Setup::on(backend), level(LEVEL), LEVEL).await;
    // The share is learned with the first 400.
    let count = 20 * USED;
    let started = Instant::now();
    send_all(&product, &tenant, (0..count).map(|n| format!("+9191{n:08}"))).await;
    let all = count as usize;
    assert!(
        eventually(async || accepted(&product).len() == all).await,
        "{}",
        accepted(&product).len()
    );
    assert_eq!((product.sim.stats().refused, product.sim.journal().len()), (0, all));
    // A slow machine takes longer.
    let took = started.elapsed();
    assert!(took.as_secs() >= 18, "{took:?}");
}

async fn a_number_near_its_level_is_never_refused_for_what_comes_in(backend: Backend) {
    sends_and_receives_near_its_level(backend, 17, 2).await;
}

async fn a_number_half_of_whose_level_comes_in_is_never_refused(backend: Backend) {
    sends_and_receives_near_its_level(backend, 10, 9).await;
}

/// Sends and receives so many in each quarter of a second: together 95 % of the level.
async fn sends_and_receives_near_its_level(backend: Backend, sent: u64, received: u64) {
    const TICK: Duration = Duration::from_millis(250);
    const TICKS: u64 = 120;
    /// What waits where the machine stood still comes on top of the level, and with the burst of a number must leave room
    /// in Meta's second.
    const WAITING: u64 = 40;
    assert_eq!(4 * (sent + received) * 100, 95 * u64::from(USUAL_LEVEL));
    let (product, tenant) = start(Setup::on(backend), level(USUAL_LEVEL), USUAL_LEVEL).await;
    let mut feeder = Feeder::of(&product, &tenant);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = now_ms();
    let mut times = Vec::new();
    for tick in 0..TICKS {
        ticks.tick().await;
        feeder.fill_up(WAITING, sent).await;
        for n in 0..received {
            let person = format!("+9193{:08}", tick * received + n);
            let inbound = InboundMessage::text(NUMBER, &person, "hello");
            product.sim.send_inbound(inbound).expect("a webhook");
            times.push(now_ms());
        }
    }
    let seconds = usize::try_from((now_ms() - begun) / 1_000).expect("some seconds");
    feeder.until_all_are_accepted().await;
    assert_eq!(product.sim.stats().refused, 0);
    times.extend(accepted(&product).iter().map(|entry| entry.at.as_millisecond()));
    let mut counts = vec![0; seconds];
    for at in times {
        let second = usize::try_from((at - begun) / 1_000).expect("not before the first");
        if let Some(count) = counts.get_mut(second) {
            *count += 1;
        }
    }
    counts.sort_unstable();
    let (median, best) = (counts[seconds / 2], counts[seconds - 1]);
    // A busy machine has slow seconds, and not only those.
    assert!(best >= USUAL_LEVEL * 8 / 10, "{counts:?}");
    assert!(median >= USUAL_LEVEL * 7 / 10, "{counts:?}");
}

async fn after_a_storm_a_number_has_its_former_pace_and_no_message_is_charged_for_it(backend: Backend) {
    /// The time in which the share is learned, and some seconds more.
    const BEFORE: Duration = Duration::from_secs(20);
    const STORM: Duration = Duration::from_secs(4);
    /// The time in which the number must have its former pace, and the time over which a pace is measured.
    const AFTER_MS: i64 = 60_000;
    const MEASURED_MS: i64 = 5_000;
    /// A number that went on as before would be refused four times as often.
    const REFUSED_MAX: u64 = STORM.as_secs() * USED as u64 / 4;
    const WAITING: u64 = 3 * LEVEL as u64;
    let setup = Setup::on(backend)
        .env("RETRY_BASE_MS", 1_000)
        .env("RETRY_CAP_MS", 300_000)
        // Whoever is charged an attempt is given up.
        .env("SEND_ATTEMPTS_MAX", 1);
    let (product, tenant) = start(setup, level(LEVEL), LEVEL).await;
    let mut feeder = Feeder::of(&product, &tenant);
    feeder.keep(WAITING, BEFORE).await;
    assert_eq!(product.sim.stats().refused, 0, "before the storm");
    let begun = now_ms();
    let storm = product.sim.add_rule(FaultRule::always(Fault::rate_limited()));
    feeder.keep(WAITING, STORM).await;
    assert!(product.sim.remove_rule(storm));
    let ended = now_ms();
    let refused = product.sim.stats().refused;
    assert!((1..=REFUSED_MAX).contains(&refused), "{refused} refused in the storm");
    let former = accepted_between(&product, begun - MEASURED_MS, begun);
    assert!(
        former >= 5 * LEVEL as usize / 2,
        "{former} in five seconds before the storm"
    );
    let mut best = 0;
    while best * 10 < former * 9 && now_ms() < ended + AFTER_MS {
        feeder.keep(WAITING, Duration::from_secs(1)).await;
        let now = now_ms();
        best = best.max(accepted_between(&product, ended.max(now - MEASURED_MS), now));
    }
    assert!(best * 10 >= former * 9, "{best} of {former} a minute after the storm");
    feeder.until_all_are_accepted().await;
    // What was decided in the storm may be noted a moment later.
    let is_late = |entry: &JournalEntry| entry.at.as_millisecond() > ended + 1_000;
    let is_refused = |entry: &JournalEntry| matches!(entry.outcome, Outcome::Refused { .. });
    let journal = product.sim.journal();
    let late = journal.iter().filter(|entry| is_refused(entry) && is_late(entry));
    assert_eq!(late.count(), 0, "refused after the storm");
    assert_eq!(product.get("/dead-letters").await["data"], json!([]));
}

async fn one_person_gets_fifty_at_their_pace_and_nobody_else_waits(backend: Backend) {
    const MESSAGES: usize = 50;
    let limits = Limits {
        messages_per_second: 0,
        pairs: true,
    };
    let (product, tenant) = start(Setup::on(backend), limits, USUAL_LEVEL).await;
    let is_person = |to: &str| PERSON.ends_with(to.trim_start_matches('+'));
    let of_person = || got(&product, is_person);
    send_all(&product, &tenant, (0..MESSAGES).map(|_| PERSON.to_owned())).await;
    let has_begun = async || of_person().len() >= PAIR_BURST && product.sim.stats().refused > 0;
    assert!(eventually(has_begun).await, "a line to that person");
    send_all(&product, &tenant, (0..20).map(|n| format!("+9192{n:08}"))).await;
    assert!(
        eventually(async || got(&product, |to| !is_person(to)).len() == 20).await,
        "the others got theirs"
    );
    assert!(of_person().len() < MESSAGES, "they did not wait for that one");
    let all = eventually(async || of_person().len() == MESSAGES).await;
    assert!(all, "{:#?}", of_person());
    // Up to here nothing was in its way, and calls ran side by side.
    let late = of_person().split_off(PAIR_BURST);
    let texts: Vec<String> = late.iter().map(|entry| text(&entry.body["text"]["body"])).collect();
    assert!(texts.is_sorted(), "{texts:?}");
    // One in six seconds; the way to Meta takes one longer than another.
    let at: Vec<i64> = late.iter().map(|entry| entry.at.as_millisecond()).collect();
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= 5_000), "{at:?}");
    let took = at[at.len() - 1] - at[0];
    assert!(took < 2 * 6_000 * 4, "{took} ms for the last five");
    let excess = (MESSAGES - PAIR_BURST) as u64;
    assert!(
        product.sim.stats().refused <= 2 * excess,
        "{}",
        product.sim.stats().refused
    );
}
