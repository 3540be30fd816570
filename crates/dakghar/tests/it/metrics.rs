//! `/metrics`: what it shows is what happened, whatever is sent to the program and whatever does not answer it.

mod exposition;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::time::Duration;

use dakghar_core::metrics::{Metrics, Unit};
use dakghar_graph_sim::{Fault, FaultRule, Match, StatusPlan};
use dakghar_testkit::fault_proxy::FaultProxy;
use dakghar_testkit::servers::Prometheus;
use dakghar_testkit::{Port, require_services};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use self::exposition::Exposition;
use crate::product::{ADMIN_KEY, Backend, Product, Setup, eventually, on_both_backends, text, unavailable};
use crate::unreadable::break_it;

on_both_backends!(
    counters_say_exactly_what_happened,
    calls_that_did_not_reach_meta_are_told_apart,
    refusals_and_gaps_are_counted_by_their_limit_and_cause,
    the_parts_of_webhooks_are_counted_by_what_became_of_them,
    a_record_that_cannot_be_read_is_counted_once,
    a_running_process_exports_the_table_and_nothing_else,
);

/// An installation whose metrics are on a port of the test's own.
pub(crate) struct Measured {
    pub(crate) product: Product,
    pub(crate) port: Port,
}

impl Measured {
    pub(crate) async fn start(setup: Setup) -> Self {
        let port = Port::claim();
        let product = setup.env("METRICS_ADDR", format!("127.0.0.1:{port}")).start().await;
        Self { product, port }
    }

    pub(crate) async fn scrape(&self) -> Exposition {
        scrape(&self.product, &self.port).await
    }

    /// What is answered to who accepts this: the content type and the text.
    pub(crate) async fn accepting(&self, accept: &str) -> (String, String) {
        let request = self.product.http.get(format!("http://127.0.0.1:{}/metrics", self.port));
        let answer = request.header("accept", accept).send().await.expect("an answer");
        let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (content_type, answer.text().await.expect("text"))
    }

    /// Waits until a series has this value.
    pub(crate) async fn until(&self, series: &str, value: u64) {
        let reached = eventually(async || self.scrape().await.value(series) == value).await;
        assert!(
            reached,
            "{series} is {} and not {value}",
            self.scrape().await.value(series)
        );
    }
}

async fn scrape(product: &Product, port: &Port) -> Exposition {
    let request = product.http.get(format!("http://127.0.0.1:{port}/metrics"));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(
        content_type,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    Exposition::read(&answer.text().await.expect("text"))
}

fn counts<const N: usize>(expected: [(&str, u64); N]) -> BTreeMap<String, u64> {
    expected.map(|(name, count)| (name.to_owned(), count)).into()
}

fn to(recipient: &str) -> Match {
    Match {
        to: Some(recipient.to_owned()),
        ..Match::default()
    }
}

async fn counters_say_exactly_what_happened(backend: Backend) {
    // Later than each answer is stored.
    let statuses = StatusPlan {
        sent_ms: Some(1_000),
        delivered_ms: Some(1_010),
        read_ms: None,
        ..StatusPlan::immediate()
    };
    let setup = Setup::on(backend)
        .statuses(statuses)
        .env("UNKNOWN_OUTCOME_GRACE_MS", 4_000);
    let measured = Measured::start(setup).await;
    let product = &measured.product;
    let tenant = product.tenant("111", "EAAG-real").await;
    let simulated = product.tenant("222", "mock_b").await;
    let refused = product.tenant("333", "EAAG-old").await;
    let number_333 = Match {
        phone_number_id: Some("333".to_owned()),
        ..Match::default()
    };
    for (fault, calls, when) in [
        (unavailable(), 1, to("919111111111")),
        (Fault::graph_error(131_047), 1, to("919111111112")),
        (unavailable(), 5, to("919111111113")),
        (Fault::rate_limited(), 1, to("919111111114")),
        (Fault::HtmlBadGateway, 1, to("919111111115")),
        (Fault::EmptyBody, 1, to("919111111116")),
        (Fault::StatusFailed { code: 131_026 }, 1, to("919111111117")),
        (Fault::token_expired(), 1, number_333),
    ] {
        product.sim.add_rule(FaultRule::first(calls, fault).when(when));
    }
    let mut expected = Vec::new();
    for (last, status) in [
        (0, "delivered"),
        (1, "delivered"),
        (2, "failed"),
        (3, "dead"),
        (4, "delivered"),
        (5, "dead"),
        (6, "delivered"),
        (7, "failed"),
    ] {
        let body = json!({"to": format!("+91911111111{last}"), "text": "hello", "unknownOutcome": "fail",
            "idempotencyKey": format!("order-{last}")});
        let path = format!("/tenants/{}/send", tenant.id);
        let answer = product.post(&path, body.clone()).await;
        assert_eq!(product.post(&path, body).await["duplicate"], true);
        expected.push((text(&answer["messageId"]), status));
    }
    let sent = product.send(&simulated, "+919111111111").await;
    let held = product.send(&refused, "+919111111111").await;
    for (id, status) in expected {
        product.until_status(&tenant, &id, status).await;
    }
    product.until_status(&simulated, &sent, "delivered").await;
    product.until_status(&refused, &held, "held").await;

    let seen = measured.scrape().await;
    assert_eq!(
        seen.value("dakghar_messages_accepted_total"),
        10,
        "repetitions are not counted"
    );
    let outcomes = counts([
        ("sent", 4),
        ("simulated", 1),
        ("refused", 1 + 1 + 5),
        ("slow_down", 1),
        ("held", 1),
        ("in_doubt", 2),
    ]);
    assert_eq!(seen.by_label("dakghar_attempts_total"), outcomes);
    assert_eq!(seen.by_label("dakghar_graph_call_seconds_count"), outcomes);
    assert_eq!(seen.value("dakghar_slot_wait_seconds_count"), 16, "each call");
    assert_eq!(seen.value("dakghar_first_call_wait_seconds_count"), 10, "each message");
    assert_eq!(seen.value("dakghar_doubts_begun_total"), 2);
    let stages = seen.by_label("dakghar_stage_seconds_count");
    for (stage, count) in [
        ("stored", 10),
        ("due", 10),
        ("claimed", 16),
        ("called", 16),
        ("answered", 16),
        ("recorded", 16),
    ] {
        assert_eq!(stages[stage], count, "{stage}");
    }
    // Those of Meta that were delivered; what is simulated has no webhooks.
    assert_eq!(stages["delivered"], 3 + 1, "{stages:?}");
    let lag = seen.by_label("dakghar_webhook_lag_seconds_count");
    assert_eq!(lag["status"], seen.by_label("dakghar_webhook_parts_total")["status"]);
    let ends = counts([("evidence", 1), ("policy", 1)]);
    assert_eq!(seen.by_label("dakghar_doubts_ended_total"), ends);
    let dead = counts([("attempts_exhausted", 1), ("outcome_unknown", 1), ("failed", 2)]);
    assert_eq!(seen.by_label("dakghar_dead_letters_total"), dead);
    let store = seen.by_label("dakghar_store_call_seconds_count");
    assert!(store["audit_carry_out"] >= 3, "{store:?}");
    for (method, least, most) in [("messages_accept", 1, 18), ("messages_claim", 1, 16)] {
        assert!(least <= store[method] && store[method] <= most, "{store:?}");
    }
    assert_eq!(seen.by_label("dakghar_ingest_gaps_total"), counts([]));
    assert_eq!(seen.by_label("dakghar_refused_total"), counts([]));
    assert_eq!(seen.by_label("dakghar_breaker_open"), counts([]));
    let started = seen.value("dakghar_process_start_time_seconds");
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap();
    assert!(started <= now && now - started < 600, "{started} of {now}");
}

/// Answers every request with a page of its own, as a filter in between does.
async fn filter(listener: tokio::net::TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut bytes = [0; 4_096];
        let mut read = 0;
        // The head and the body of a message come in one or two pieces.
        while !bytes[..read].windows(8).any(|window| window == b"\"hello\"}") && read < bytes.len() {
            match stream.read(&mut bytes[read..]).await {
                Ok(0) | Err(_) => break,
                Ok(more) => read += more,
            }
        }
        let answer = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<p>no</p>";
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

async fn the_parts_of_webhooks_are_counted_by_what_became_of_them(backend: Backend) {
    let measured = Measured::start(Setup::on(backend)).await;
    let product = &measured.product;
    product.tenant("111", "EAAG-real").await;
    let post = async |number: &str, value: Value| {
        let mut whole = json!({"metadata": {"phone_number_id": number}});
        whole
            .as_object_mut()
            .expect("an object")
            .extend(value.as_object().expect("an object").clone());
        let body = json!({"object": "whatsapp_business_account", "entry": [
            {"id": "900", "time": 1_760_000_000, "changes": [{"field": "messages", "value": whole}]},
        ]});
        let posted = product.sim.post_webhook_raw(body.to_string().into_bytes()).await;
        assert_eq!(posted.unwrap(), 200);
    };
    let message = |id: &str, text: &str| {
        json!({"messages": [{
            "from": "919111111111", "id": id, "timestamp": "1760000000", "type": "text", "text": {"body": text},
        }]})
    };
    for (number, id, text) in [
        ("111", "wamid.A", "one"),
        ("111", "wamid.B", "two"),
        ("111", "wamid.A", "one"),
        ("111", "wamid.A", "another"),
        ("999", "wamid.C", "nobody's"),
    ] {
        post(number, message(id, text)).await;
    }
    post("111", json!({"errors": [{"code": 131_051, "title": "Unsupported"}]})).await;
    let expected = counts([
        ("message", 2),
        ("absorbed", 1),
        ("corrected", 1),
        ("unrouted", 1),
        ("event", 1),
    ]);
    let seen = measured.scrape().await.by_label("dakghar_webhook_parts_total");
    assert_eq!(seen, expected);
}

async fn calls_that_did_not_reach_meta_are_told_apart(backend: Backend) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let way = FaultProxy::start(listener.local_addr().unwrap().port()).await;
    let filtering = tokio::spawn(filter(listener));
    let graph = format!("http://127.0.0.1:{}", way.port());
    let measured = Measured::start(Setup::on(backend).env("GRAPH_BASE_URL", graph)).await;
    let product = &measured.product;
    let tenant = product.tenant("111", "EAAG-real").await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "dead").await;
    let seen = measured.scrape().await;
    assert_eq!(seen.by_label("dakghar_attempts_total"), counts([("turned_away", 5)]));
    assert_eq!(
        seen.by_label("dakghar_dead_letters_total"),
        counts([("attempts_exhausted", 1)])
    );

    way.refuse().await;
    let id = product.send(&tenant, "+919111111112").await;
    measured.until("dakghar_breaker_open{host=\"graph\"}", 1).await;
    let seen = measured.scrape().await.by_label("dakghar_attempts_total");
    assert!(seen["not_sent"] >= 1 && seen.len() == 2, "{seen:?}");
    way.lead_to(product.sim.addr().port());
    way.heal().await;
    product.until_status(&tenant, &id, "delivered").await;
    measured.until("dakghar_breaker_open{host=\"graph\"}", 0).await;
    assert_eq!(measured.scrape().await.by_label("dakghar_attempts_total")["sent"], 1);
    filtering.abort();
}

async fn connect(product: &Product) -> TcpStream {
    let connecting = TcpStream::connect(("127.0.0.1", product.port.number()));
    connecting.await.expect("connected")
}

/// Sends the beginning of a webhook and hangs up.
async fn half_a_webhook(product: &Product) {
    let mut stream = connect(product).await;
    let head =
        "POST /whatsapp/webhook HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 99\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("written");
    stream.shutdown().await.expect("closed");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

async fn refusals_and_gaps_are_counted_by_their_limit_and_cause(backend: Backend) {
    let measured = Measured::start(Setup::on(backend).env("CONNECTIONS_PER_ADDRESS_MAX", 20)).await;
    let product = &measured.product;
    let tenant = product.tenant("111", "mock_a").await;
    let path = format!("/tenants/{}/send", tenant.id);
    let begin = async |content_length: usize, bytes: usize| {
        let mut stream = connect(product).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {content_length}\r\n\r\n{}",
            " ".repeat(bytes)
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        stream
    };
    let mut answer = String::new();
    let read = begin(300_000, 0).await.read_to_string(&mut answer).await;
    assert!(read.is_ok() && answer.starts_with("HTTP/1.1 413"), "{answer}");
    let long = format!("/{}", "x".repeat(9_000));
    assert_eq!(product.call("GET", &long, None).await.0, 414);
    let heavy = product
        .http
        .get(product.url("/healthz"))
        .header("x-heavy", "x".repeat(40_000));
    assert_eq!(heavy.send().await.expect("an answer").status(), 431);
    let unsigned = product.http.post(product.url("/whatsapp/webhook")).body("{}");
    assert_eq!(unsigned.send().await.expect("an answer").status(), 401);
    half_a_webhook(product).await;
    let seen = measured.scrape().await;
    let refused = counts([("body_bytes", 1), ("uri_bytes", 1), ("header_bytes", 1)]);
    assert_eq!(seen.by_label("dakghar_refused_total"), refused);
    let gaps = async || measured.scrape().await.by_label("dakghar_ingest_gaps_total");
    assert!(eventually(async || !gaps().await.is_empty()).await);
    let found = gaps().await;
    let (incomplete, early) = (found.get("body_incomplete"), found.get("closed_early"));
    let total = incomplete.unwrap_or(&0) + early.unwrap_or(&0);
    assert_eq!(
        (total, found.len()),
        (1, 1),
        "an unsigned webhook is not Meta's: {found:?}"
    );

    let mib = 1024 * 1024;
    let expected = [("requests", 32), ("webhooks", 32), ("pages", 96)];
    let expected = expected.map(|(name, mibs)| (name.to_owned(), mibs * mib));
    let limits = measured.scrape().await.by_label("dakghar_budget_limit_bytes");
    assert_eq!(limits, expected.into());
    let used = "dakghar_budget_used_bytes{budget=\"requests\"}";
    measured.until(used, 0).await;
    // A body that is on its way is in use.
    let stream = begin(2_000, 1_000).await;
    measured.until(used, 1_000).await;
    drop(stream);
    measured.until(used, 0).await;

    // Last, because connections are closed in their own time.
    let mut open = Vec::new();
    for _ in 0..30 {
        open.push(connect(product).await);
    }
    let too_many = async || {
        let refused = measured.scrape().await.by_label("dakghar_refused_total");
        refused.get("connections_per_address").copied()
    };
    let is_refused = eventually(async || too_many().await >= Some(10)).await;
    assert!(is_refused, "{:?}", too_many().await);
}

async fn a_record_that_cannot_be_read_is_counted_once(backend: Backend) {
    let measured = Measured::start(Setup::on(backend)).await;
    let product = &measured.product;
    let tenant = product.tenant("111", "mock_a").await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "delivered").await;
    let unreadable = "dakghar_unreadable_records_total";
    assert_eq!(measured.scrape().await.value(unreadable), 0);
    break_it(product, "messages", &id).await;
    let path = format!("/tenants/{}/messages/{id}", tenant.id);
    for _ in 0..2 {
        assert_eq!(product.call("GET", &path, None).await.0, 500);
    }
    assert_eq!(measured.scrape().await.value(unreadable), 1);
}

async fn a_running_process_exports_the_table_and_nothing_else(backend: Backend) {
    let measured = Measured::start(Setup::on(backend)).await;
    let before = measured.scrape().await;
    let families: BTreeSet<&str> = before.families.keys().map(String::as_str).collect();
    let family = |name: &str| name.trim_end_matches("_total").trim_end_matches("_info").to_owned();
    let table: BTreeSet<String> = Metrics::TABLE.iter().map(|row| family(&row.name())).collect();
    assert_eq!(families, table.iter().map(String::as_str).collect());
    for row in Metrics::TABLE {
        let exported = &before.families[&family(&row.name())];
        let unit = match row.unit {
            Unit::None => None,
            Unit::Seconds => Some("seconds"),
            Unit::Bytes => Some("bytes"),
        };
        let name = row.name();
        assert_eq!(
            (exported.kind.as_str(), exported.unit.as_deref()),
            (row.kind(), unit),
            "{name}"
        );
        assert_eq!(exported.help, format!("{}.", row.help), "{name}");
        let labels = row.label.map(|label| {
            let values = (label.values)().into_iter().map(str::to_owned);
            (label.name.to_owned(), values.collect())
        });
        assert_eq!(exported.labels, labels.into_iter().collect(), "{name}");
    }

    // Whoever is alone owns every partition.
    measured.until("dakghar_feed_partitions", 64).await;

    // Nothing that comes from outside makes a series.
    odd_requests(&measured.product).await;
    let after = measured.scrape().await;
    assert_eq!(before.series(), after.series());
}

/// Requests, messages and webhooks with names that nobody knows.
async fn odd_requests(product: &Product) {
    let tenant = product.tenant("111", "mock_a").await;
    for n in 0..20 {
        let odd = format!("odd-{n}\"{{}}\\n=%00");
        let path = format!("/{n}/whatsapp/webhook/{odd}");
        assert_eq!(product.call("BREW", &path, None).await.0, 404);
        let body = json!({"to": format!("+9191111111{}", 10 + n), "text": odd, "metadata": {"odd": odd},
            "idempotencyKey": format!("odd-{n}")});
        product.post(&format!("/tenants/{}/send", tenant.id), body).await;
        product
            .call("GET", &format!("/tenants/{odd}/messages?{odd}"), None)
            .await;
        let webhook = json!({"object": odd, "entry": [{"id": odd, "changes": [{"field": odd, "value": {"statuses": [{"status": odd}]}}]}]});
        let request = product.http.post(product.url("/whatsapp/webhook")).json(&webhook);
        request
            .header("user-agent", format!("odd-{n}"))
            .send()
            .await
            .expect("an answer");
    }
    let messages = format!("/tenants/{}/messages?status=delivered", tenant.id);
    product.until_count(&messages, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_answered_while_the_store_is_not() {
    let mut measured = Measured::start(Setup::on(Backend::Fragile)).await;
    measured.product.servers().0.stop();
    let body = json!({"entry": [{"id": "1", "changes": [{"field": "x", "value": {}}]}]}).to_string();
    let posting = measured.product.sim.post_webhook_raw(body.into_bytes());
    assert!(tokio::time::timeout(Duration::from_millis(500), posting).await.is_err());
    for _ in 0..3 {
        let scraped = tokio::time::timeout(Duration::from_secs(1), measured.scrape()).await;
        scraped.expect("it asks no store");
    }
    // Meta gave up waiting.
    measured
        .until("dakghar_ingest_gaps_total{cause=\"closed_early\"}", 1)
        .await;
    measured.product.servers().0.cont();
    measured.product.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_has_metrics_of_its_own_and_none_are_on_the_public_port() {
    let api = Port::claim();
    let setup = Setup::on(Backend::Distributed).role("api");
    let mut product = setup.env("METRICS_ADDR", format!("127.0.0.1:{api}")).start().await;
    let (worker, health) = (Port::claim(), Port::claim());
    product.set("METRICS_ADDR", format!("127.0.0.1:{worker}"));
    product.spawn_on("worker", health.number());
    product.ready_on(health.number()).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "delivered").await;
    let (of_api, of_worker) = (scrape(&product, &api).await, scrape(&product, &worker).await);
    let of_both = |name: &str| (of_api.value(name), of_worker.value(name));
    assert_eq!(of_both("dakghar_messages_accepted_total"), (1, 0));
    assert_eq!(of_both("dakghar_attempts_total{outcome=\"sent\"}"), (0, 1));
    let partitions = "dakghar_feed_partitions";
    let owns_all = async || scrape(&product, &worker).await.value(partitions) == 64;
    assert!(eventually(owns_all).await, "nobody else is a worker");
    assert_eq!(scrape(&product, &api).await.value(partitions), 0, "an API owns nothing");
    assert_eq!(product.call("GET", "/metrics", None).await.0, 404);
    let elsewhere = product.http.get(format!("http://127.0.0.1:{worker}/readyz"));
    assert_eq!(elsewhere.send().await.expect("an answer").status(), 404);
    for port in [&api, &worker] {
        assert!(
            product.log().contains(&format!("127.0.0.1:{port}")),
            "{}",
            product.log()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_fatal_only_where_somebody_chose_it() {
    let product = Product::start(Backend::Embedded).await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().unwrap();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut chosen = product.command();
    chosen
        .env("METRICS_ADDR", addr.to_string())
        .env("DATA_DIR", dir.path())
        .env("PORT", "0");
    let output = chosen.arg("serve").output().expect("it ends by itself");
    let problem = String::from_utf8_lossy(&output.stderr);
    let says_it = problem.contains(&format!("cannot serve metrics on {addr} (METRICS_ADDR)"));
    assert!(output.status.code() == Some(1) && says_it, "{problem}");
    assert_eq!(
        std::fs::read_dir(dir.path()).expect("the folder").count(),
        0,
        "it touched no store"
    );

    // Whoever else has the default port: it is taken.
    let default: std::net::SocketAddr = "127.0.0.1:9464".parse().unwrap();
    let _taken = TcpListener::bind(default);
    let mut other = Setup::on(Backend::Embedded).start().await;
    other.kill();
    for (setting, is_served) in [("", true), ("off", false)] {
        other.set("METRICS_ADDR", setting);
        let before = other.log().len();
        other.restart().await;
        let log = other.log()[before..].to_owned();
        let ready = log
            .lines()
            .find(|line| line.contains("\"message\":\"ready\""))
            .expect("the start line");
        let ready: Value = serde_json::from_str(ready).expect("JSON");
        let shown = ready["metrics"].as_str();
        let banner = log.lines().find(|line| line.trim_start().starts_with("metrics "));
        assert_eq!((shown.is_some(), banner.is_some()), (is_served, is_served), "{log}");
        let Some(addr) = shown else { continue };
        assert_ne!(addr, default.to_string());
        assert!(
            banner.expect("shown").contains(addr.rsplit(':').next().unwrap()),
            "{log}"
        );
        let answer = other.http.get(format!("http://{addr}/metrics")).send().await;
        Exposition::read(&answer.expect("an answer").text().await.expect("text"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_them_and_answers_queries() {
    require_services!(Prometheus);
    let measured = Measured::start(Setup::on(Backend::Embedded)).await;
    let product = &measured.product;
    let tenant = product.tenant("111", "mock_a").await;
    for n in 10..17 {
        let id = product.send(&tenant, &format!("+9191111111{n}")).await;
        product.until_status(&tenant, &id, "delivered").await;
    }
    let prometheus = Prometheus::scraping(([127, 0, 0, 1], measured.port.number()).into()).await;
    let query = async |query: &str| {
        let answer = prometheus.ask(&format!("/api/v1/query?query={query}")).await;
        answer["result"][0]["value"][1].as_str().map(str::to_owned)
    };
    let is_up = async || query("up").await.as_deref() == Some("1");
    assert!(eventually(is_up).await, "{:#}", prometheus.ask("/api/v1/targets").await);
    for (asked, answer) in [
        ("dakghar_messages_accepted_total", "7"),
        ("sum(dakghar_attempts_total)", "7"),
        (
            "dakghar_graph_call_seconds_bucket{outcome=\"simulated\",le=\"%2BInf\"}",
            "7",
        ),
        ("count(dakghar_build_info{version!=\"\"})", "1"),
    ] {
        assert_eq!(query(asked).await.as_deref(), Some(answer), "{asked}");
    }
    let metadata = prometheus.ask("/api/v1/metadata").await;
    for row in Metrics::TABLE {
        let name = row.name();
        let about = &metadata[&name][0];
        let about = if about.is_null() {
            &metadata[name.trim_end_matches("_total").trim_end_matches("_info")][0]
        } else {
            about
        };
        assert_eq!(about["type"], row.kind(), "{name}: {metadata:#}");
    }
}
