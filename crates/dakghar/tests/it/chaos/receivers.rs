//! The software of tenants fails: F46 to F50, and receivers that are bad in every way beside good ones. What a receiver did
//! not take comes to it under the same ids when it is well again, and the others get everything meanwhile.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use dakghar_testkit::receiver::{Authority, Flaw, Receiver, Reply};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::audit::{Allowance, audit, now_ms};
use super::installation::{Installation, Setup};
use super::load::Load;
use super::report::Row;
use super::{callbacks, rate, seconds, sleep_s};
use crate::product::{ADMIN_KEY, text};

/// More calls than a row makes of one receiver.
const CALLS_MAX: usize = 20_000;
/// The position of the one whose bodies do not end.
const ENDLESS: usize = 3;
/// Longer than the breaker of a receiver that was bad for as long as a row lasts waits for its next probe.
const RECOVERY_MAX: Duration = Duration::from_mins(8);

fn setup() -> Setup {
    Setup::of(&["api", "worker"]).env("CALLBACK_TIMEOUT_MS", 3_000)
}

fn always(reply: &Reply, calls: usize) -> Vec<Reply> {
    vec![reply.clone(); calls]
}

/// A call with the operator's key; what it answers must be this status.
async fn post(installation: &Installation, path: &str, body: Value, status: u16) -> Value {
    let url = installation.apis().next().expect("an API").url(path);
    let request = installation.http.post(url).bearer_auth(ADMIN_KEY).json(&body);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), status, "{path}");
    answer.json().await.expect("JSON")
}

/// A receiver beside that of a tenant, and the path of its endpoint.
struct Beside {
    tenant: usize,
    path: String,
    receiver: Receiver,
}

impl Beside {
    async fn add(installation: &Installation, tenant: usize, receiver: Receiver, url: String) -> Self {
        let all = format!("/tenants/{}/endpoints", installation.tenants[tenant].id);
        let mut body = callbacks::endpoint(&receiver);
        (body["url"], body["startAt"]) = (json!(url), json!("beginning"));
        let made = post(installation, &all, body, 201).await;
        Self {
            tenant,
            path: format!("{all}/{}", text(&made["endpointId"])),
            receiver,
        }
    }

    async fn plain(installation: &Installation, tenant: usize, replies: Vec<Reply>) -> Self {
        let receiver = Receiver::start(replies).await;
        let url = receiver.url();
        Self::add(installation, tenant, receiver, url).await
    }

    /// Asks for what failed and waits until everything has come. Returns how long that took.
    async fn recover(&self, installation: &Installation) -> Duration {
        self.receiver.recover();
        let begun = Instant::now();
        let since = json!({"failedSince": "2020-01-01T00:00:00Z"});
        post(installation, &format!("{}/replays", self.path), since, 202).await;
        let tenant = &installation.tenants[self.tenant].id;
        let broken = callbacks::delivered(installation, tenant, &self.receiver, RECOVERY_MAX).await;
        let progress = self.progress(installation).await;
        assert!(broken.is_empty(), "{broken:?} with {progress:#}");
        begun.elapsed()
    }

    async fn progress(&self, installation: &Installation) -> Value {
        installation.get(&self.path).await["progress"].clone()
    }
}

/// Load for so long, which is then audited with everything that good receivers got.
async fn load_for(installation: &Installation, duration: Duration) -> super::audit::Verdict {
    let load = Load::start(installation, rate().min(100));
    load.until_promised(50).await;
    tokio::time::sleep(duration).await;
    let loaded = load.stop().await;
    audit(installation, &loaded, now_ms(), Allowance::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn f46_one_bad_entry_among_a_hundred() {
    let installation = setup().start().await;
    let load = Load::start(&installation, 50);
    load.until_promised(50).await;
    let message = |n: usize| {
        json!({"from": format!("1650555{n:04}"), "id": format!("wamid.f46.{n}"), "timestamp": "1760000000",
            "type": "text", "text": {"body": "hello"}})
    };
    let messages: Vec<Value> = (0..99).map(message).collect();
    let bad = [json!({"id": {"wamid": 7}, "status": ["delivered"], "timestamp": null})];
    let change = |list: &str, parts: &[Value]| {
        json!({"field": "messages", "value": {"messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "1555", "phone_number_id": "110"}, list: parts}})
    };
    let mut changes: Vec<Value> = messages.chunks(10).map(|some| change("messages", some)).collect();
    changes.insert(5, change("statuses", &bad));
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "900", "changes": changes}]});
    let posted = installation.sim.post_webhook_raw(body.to_string().into_bytes()).await;
    assert_eq!(posted.expect("an answer"), 200);
    let loaded = load.stop().await;
    let events = installation
        .get(&format!("/tenants/{}/events", installation.tenants[0].id))
        .await;
    let malformed = events["data"].as_array().expect("a list").iter();
    let malformed = malformed.filter(|event| event["reason"] == "malformed").count();
    assert_eq!(malformed, 1, "{events:#}");
    let verdict = audit(&installation, &loaded, now_ms(), Allowance::default()).await;
    let came: BTreeSet<String> = (installation.receivers[0].requests().iter())
        .filter_map(|request| serde_json::from_slice::<Value>(&request.body).ok())
        .filter_map(|body| body["data"]["wamid"].as_str().map(str::to_owned))
        .filter(|wamid| wamid.starts_with("wamid.f46."))
        .collect();
    assert_eq!(came.len(), 99);
    Row::new("F46", "one bad entry among 100").finish(&verdict, "99 applied and delivered, 1 malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn f47_a_receiver_is_down_for_a_while() {
    let installation = setup().start().await;
    let down = Beside::plain(&installation, 0, always(&Reply::status(503), CALLS_MAX)).await;
    let verdict = load_for(&installation, seconds(40)).await;
    let progress = down.progress(&installation).await;
    assert!(progress["breaker"].is_object(), "its breaker is open: {progress:#}");
    let heal = down.recover(&installation).await;
    let figure = format!("all delivered {} s after its return", heal.as_secs());
    Row::new("F47", "a receiver is down").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f48_a_receiver_answers_a_byte_a_second() {
    let installation = setup().start().await;
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n".to_vec();
    let slow = Beside::plain(
        &installation,
        0,
        always(&Reply::Slow(head, Duration::from_secs(1)), 2_000),
    )
    .await;
    let verdict = load_for(&installation, seconds(30)).await;
    let progress = slow.progress(&installation).await;
    assert_eq!(progress["delivered"], 0, "{progress:#}");
    let calls = slow.receiver.requests().len();
    slow.recover(&installation).await;
    let figure = format!("{calls} calls timed out, the others got everything");
    Row::new("F48", "a receiver answers a byte a second").finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f49_a_receiver_dies_in_the_middle_of_its_answer() {
    let installation = setup().start().await;
    let dying = Beside::plain(&installation, 0, always(&Reply::broken_off(200), 9)).await;
    let verdict = load_for(&installation, seconds(15)).await;
    dying.recover(&installation).await;
    let requests = dying.receiver.requests();
    let ids: Vec<_> = requests.iter().map(|request| request.header("webhook-id")).collect();
    for id in &ids[..9] {
        let times = ids.iter().filter(|other| *other == id).count();
        assert!(times >= 2, "{id:?} came {times} times");
    }
    Row::new("F49", "a receiver dies in its answer").finish(&verdict, "9 of 9 came again under the same id");
}

#[tokio::test(flavor = "multi_thread")]
async fn f50_a_worker_is_killed_in_the_middle_of_calls() {
    let mut installation = setup().start().await;
    let hanging = Beside::plain(&installation, 0, always(&Reply::Silence, 8)).await;
    let load = Load::start(&installation, 50);
    load.until_promised(100).await;
    let caught = tokio::time::timeout(Duration::from_mins(1), hanging.receiver.until_requests(1)).await;
    assert!(caught.is_ok(), "it is called");
    let first = hanging.receiver.requests()[0].header("webhook-id").map(str::to_owned);
    let worker = installation.node("worker");
    worker.kill();
    hanging.receiver.recover();
    let killed = Instant::now();
    installation.node("worker").start();
    installation.ready().await;
    let came_again = async {
        loop {
            let requests = hanging.receiver.requests();
            let again = requests
                .iter()
                .filter(|request| request.header("webhook-id") == first.as_deref());
            if again.count() >= 2 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let again = tokio::time::timeout(RECOVERY_MAX, came_again).await;
    assert!(again.is_ok(), "it is called again");
    let heal = killed.elapsed();
    sleep_s(2).await;
    let loaded = load.stop().await;
    let verdict = audit(&installation, &loaded, now_ms(), Allowance::BY_EVIDENCE).await;
    let tenant = &installation.tenants[0].id;
    let broken = callbacks::delivered(&installation, tenant, &hanging.receiver, RECOVERY_MAX).await;
    assert_eq!(broken, [] as [String; 0]);
    let figure = format!("called again {:.1} s after the kill", heal.as_secs_f64());
    Row::new("F50", "worker killed in the middle of calls").finish(&verdict, &figure);
}

/// The hour of the fault is a minute here: what a receiver does to others shows within seconds.
#[tokio::test(flavor = "multi_thread")]
async fn c01_bad_receivers_of_every_kind_beside_good_ones() {
    let installation = setup().start().await;
    let slow = b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n".to_vec();
    let kinds = [
        always(&Reply::status(503), CALLS_MAX),
        always(&Reply::Silence, CALLS_MAX),
        always(&Reply::Slow(slow, Duration::from_secs(1)), 2_000),
        always(&Reply::endless_body(200), 500),
        always(&Reply::Close, CALLS_MAX),
    ];
    let mut bad = Vec::new();
    for (tenant, replies) in (0..installation.tenants.len()).cycle().zip(kinds) {
        bad.push(Beside::plain(&installation, tenant, replies).await);
    }
    let tls = Authority::new().acceptor(Flaw::None);
    let receiver = Receiver::start_tls([], tls).await;
    let url = receiver.url().replace("http://", "https://");
    let unknown = Beside::add(&installation, 1, receiver, url).await;
    let verdict = load_for(&installation, seconds(60)).await;
    let calls: Vec<usize> = bad.iter().map(|beside| beside.receiver.requests().len()).collect();
    assert!(
        unknown.receiver.requests().is_empty(),
        "nothing goes to one that is not who it says"
    );
    assert!(unknown.receiver.refused() > 0, "it was tried");
    for beside in &bad {
        let progress = beside.progress(&installation).await;
        // A body without an end says nothing about the status before it.
        let is_taken = beside.path == bad[ENDLESS].path;
        let untaken = progress["openExceptions"].as_u64();
        assert_eq!(
            untaken == Some(0),
            is_taken,
            "what it did not take is shown: {progress:#}"
        );
    }
    // All at once: the breaker of one that stays bad meanwhile would wait longer and longer.
    let healed = join_all(bad.iter().map(|beside| beside.recover(&installation))).await;
    let healed: Vec<u64> = healed.iter().map(Duration::as_secs).collect();
    let figure = format!("calls of the bad ones {calls:?}, all delivered after {healed:?} s");
    Row::new("C01", "bad receivers beside good ones").finish(&verdict, &figure);
}
