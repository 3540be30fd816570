//! Many webhooks at once, and the same ones again and again: F42 to F45.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};

use super::audit::{Allowance, Verdict, audit, now_ms};
use super::callbacks;
use super::feeds;
use super::installation::{Installation, Setup};
use super::load::Load;
use super::report::Row;
use super::{dice, rate, seconds};
use crate::product::{Tenant, eventually, text};

/// POSTs under way at a time, as Meta has them.
const UNDER_WAY: usize = 32;
/// The age of everything in a body that comes late.
const OLD: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Updates in a POST of the flood.
const PER_POST: u32 = 10;

/// A POST with one value of the field `messages`.
fn body(number: &str, part: Value) -> Vec<u8> {
    let mut value = json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": number}});
    value
        .as_object_mut()
        .expect("an object")
        .extend(part.as_object().expect("an object").clone());
    let entry = json!({"id": "9001", "changes": [{"field": "messages", "value": value}]});
    json!({"object": "whatsapp_business_account", "entry": [entry]})
        .to_string()
        .into_bytes()
}

fn inbound(number: &str, n: u64, at: u64) -> Value {
    json!({"from": format!("1650555{:04}", n % 10_000), "id": format!("wamid.{number}.{n}"), "timestamp": at.to_string(),
        "type": "text", "text": {"body": format!("hello {n}")}})
}

/// Posts a body until it is taken, as Meta does. Returns how long the answer took that took it.
async fn post(installation: &Installation, body: Vec<u8>) -> Duration {
    loop {
        let begun = Instant::now();
        if installation
            .sim
            .post_webhook_raw(body.clone())
            .await
            .is_ok_and(|status| status == 200)
        {
            return begun.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn post_all(installation: &Installation, bodies: Vec<Vec<u8>>) {
    let posts = stream::iter(bodies).map(|body| post(installation, body));
    posts.buffer_unordered(UNDER_WAY).collect::<Vec<_>>().await;
}

/// All pages of a list of a tenant.
async fn all_of(installation: &Installation, path: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = installation.get(&format!("{path}limit=200{cursor}")).await;
        all.extend(page["data"].as_array().expect("a list").clone());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

async fn messages(installation: &Installation, tenant: &Tenant) -> Vec<Value> {
    all_of(installation, &format!("/tenants/{}/messages?", tenant.id)).await
}

/// All that a tenant can see: its messages, its events and its feed.
async fn seen(installation: &Installation) -> Vec<(Vec<Value>, Vec<Value>, Vec<String>)> {
    let mut all = Vec::new();
    for tenant in &installation.tenants {
        let events = all_of(installation, &format!("/tenants/{}/events?", tenant.id)).await;
        let entries = feeds::read(installation, &tenant.id, &mut Vec::new()).await;
        let ids = entries.into_iter().map(|entry| entry.id).collect();
        all.push((messages(installation, tenant).await, events, ids));
    }
    all
}

/// Everything of it as POSTs of one update each, dated long ago: three statuses of each message that was sent, one of a
/// message that nobody knows, a message of a person, and an event.
async fn old_bodies(installation: &Installation) -> Vec<Vec<u8>> {
    let old = u64::try_from(now_ms()).expect("after 1970") / 1_000 - OLD.as_secs();
    let mut bodies = Vec::new();
    for tenant in &installation.tenants {
        for (message, n) in messages(installation, tenant).await.iter().zip(0..) {
            let number = text(&message["phoneNumberId"]);
            let status = |wamid: &str, status: &str| {
                let status = json!({"id": wamid, "status": status, "timestamp": old.to_string(), "recipient_id": "919111111111"});
                body(&number, json!({"statuses": [status]}))
            };
            let own = text(&message["wamid"]);
            bodies.extend(["sent", "delivered", "read"].map(|word| status(&own, word)));
            bodies.push(status(&format!("wamid.nobodys.{number}.{n}"), "delivered"));
            bodies.push(body(&number, json!({"messages": [inbound(&number, n, old)]})));
            bodies.push(body(&number, json!({"list_of_tomorrow": [{"n": n}]})));
        }
    }
    bodies
}

/// So often each, in any order.
fn shuffled(bodies: &[Vec<u8>], times: usize, dice: &mut StdRng) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = bodies.iter().cycle().take(times * bodies.len()).cloned().collect();
    all.shuffle(dice);
    all
}

/// An installation in which messages were sent, and no status came.
async fn start() -> (Installation, Verdict) {
    let installation = Setup::of(&["api", "worker"])
        .statuses(dakghar_graph_sim::StatusPlan::none())
        .start()
        .await;
    let load = Load::start(&installation, rate().min(50));
    load.until_promised(100).await;
    let loaded = load.stop().await;
    let allowed = Allowance {
        no_statuses: true,
        ..Allowance::default()
    };
    let verdict = audit(&installation, &loaded, now_ms(), allowed).await;
    (installation, verdict)
}

/// Everything that came is there once: each message of ours is read, and each other part is one record. What Meta reports of
/// messages that nobody knows is the operator's.
async fn assert_merged(installation: &Installation) {
    let mut unknown = 0;
    for tenant in &installation.tenants {
        let (sent, came): (Vec<Value>, Vec<Value>) =
            (messages(installation, tenant).await.into_iter()).partition(|message| message["direction"] == "outbound");
        assert!(!sent.is_empty(), "{} has sent nothing", tenant.id);
        for message in &sent {
            assert_eq!(message["status"], "read", "{message}");
        }
        assert_eq!(came.len(), sent.len(), "messages of people");
        let events = all_of(installation, &format!("/tenants/{}/events?", tenant.id)).await;
        assert_eq!(events.len(), sent.len(), "events");
        unknown += sent.len();
        let expected = sent.len() * (1 + 3 + 1 + 1);
        let entries = async || feeds::read(installation, &tenant.id, &mut Vec::new()).await.len();
        assert!(
            eventually(async || entries().await >= expected).await,
            "{} of {expected}",
            entries().await
        );
        assert_eq!(entries().await, expected, "entries");
    }
    let unrouted = all_of(installation, "/unrouted?").await;
    assert!(unrouted.iter().all(|event| event["reason"] == "unknown_message"));
    assert_eq!(unrouted.len(), unknown, "unrouted");
}

#[tokio::test(flavor = "multi_thread")]
async fn f42_webhooks_flood_in() {
    let installation = Setup::of(&["api", "worker"]).start().await;
    let at = u64::try_from(now_ms()).expect("after 1970") / 1_000;
    let begun = Instant::now();
    let every = Duration::from_secs_f64(f64::from(PER_POST) / f64::from(10 * rate()));
    let posts = u32::try_from(seconds(60).as_millis() / every.as_millis().max(1)).expect("few");
    // Every other POST is the one before it again.
    let posted = stream::iter(0..posts).map(|post_no| {
        let (installation, due) = (&installation, every * post_no);
        async move {
            tokio::time::sleep_until((begun + due).into()).await;
            let number = format!("11{}", post_no / 2 % 4);
            let first = post_no / 2 * PER_POST;
            // The same bytes both times.
            let updates: Vec<Value> = (first..first + PER_POST)
                .map(|n| inbound(&number, n.into(), at))
                .collect();
            post(installation, body(&number, json!({"messages": updates}))).await;
            begun.elapsed().saturating_sub(due)
        }
    });
    let mut waits: Vec<Duration> = posted.buffer_unordered(4 * UNDER_WAY).collect().await;
    waits.sort();
    let share = |part: usize| waits[(waits.len() - 1) * part / 100].as_millis();
    let slow = waits.iter().filter(|wait| **wait > Duration::from_secs(1)).count();
    let mut stored = BTreeSet::new();
    for tenant in &installation.tenants {
        for message in messages(&installation, tenant).await {
            assert!(stored.insert(text(&message["wamid"])), "it is there twice: {message}");
        }
    }
    assert_eq!(stored.len() as u64, u64::from(posts.div_ceil(2) * PER_POST));
    let mut verdict = Verdict::default();
    verdict.broken.extend(callbacks::check(&installation).await);
    let rate = u64::from(posts * PER_POST) * 1_000 / u64::try_from(begun.elapsed().as_millis()).expect("few").max(1);
    let figure = format!(
        "{rate} updates/s, half repeated; p50 {} ms, p99 {} ms, {slow} of {posts} over 1 s",
        share(50),
        share(99)
    );
    Row::new("F42", "webhooks flood in").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f43_webhooks_come_ten_times_in_any_order() {
    let (mut dice, seed) = dice();
    let (installation, mut verdict) = start().await;
    let bodies = old_bodies(&installation).await;
    post_all(&installation, shuffled(&bodies, 10, &mut dice)).await;
    assert_merged(&installation).await;
    verdict.broken.extend(callbacks::check(&installation).await);
    let figure = format!(
        "{} POSTs, ten times each; F44: unknown messages are events; seed {seed}",
        bodies.len()
    );
    Row::new("F43", "webhooks ten times, shuffled").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f45_old_webhooks_are_posted_again() {
    let (mut dice, seed) = dice();
    let (mut installation, mut verdict) = start().await;
    let bodies = old_bodies(&installation).await;
    post_all(&installation, shuffled(&bodies, 1, &mut dice)).await;
    assert_merged(&installation).await;
    let before = seen(&installation).await;
    // Nothing of it is known from memory.
    for role in ["api", "worker"] {
        installation.node(role).kill();
        installation.node(role).start();
    }
    installation.ready().await;
    let (begun, mut again) = (Instant::now(), 0);
    while again == 0 || begun.elapsed() < seconds(20) {
        post_all(&installation, shuffled(&bodies, 1, &mut dice)).await;
        again += 1;
    }
    assert!(
        seen(&installation).await == before,
        "an old webhook changed what tenants see"
    );
    verdict.broken.extend(callbacks::check(&installation).await);
    let figure = format!("{} POSTs, {again} times again: nothing new; seed {seed}", bodies.len());
    Row::new("F45", "webhooks of a month ago posted again").finish(&verdict, &figure);
}
