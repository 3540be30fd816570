//! Calls of receivers that are polite, broken and hostile, at names that lead where they should not.

mod hostile;
mod names;
mod questions;
mod tls;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_adapters::callbacks::{CallbackConfig, HttpReceivers, Lookup, SystemLookup};
use dakghar_core::domain::Secret;
use dakghar_core::domain::callback::CallbackFailure;
use dakghar_core::domain::callback_url::CallbackRules;
use dakghar_core::ports::{CallbackAnswer, CallbackCall, CallbackOutcome, Receivers as _};
use dakghar_testkit::TestClock;
use dakghar_testkit::receiver::{Receiver, Reply};
use parking_lot::Mutex;

use super::meta::log_lines::LogLines;

const BODY: &[u8] = br#"{"type":"message.received","data":"canary-body"}"#;
const PATIENCE: Duration = Duration::from_secs(15);

/// What may be called in development: this machine.
fn development() -> CallbackRules {
    CallbackRules {
        allows_http: true,
        allows_loopback: true,
        ..CallbackRules::default()
    }
}

/// Names that lead where a test says: one answer for each look-up, the last one again and again.
struct Names {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    fn leading_to(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(parse).collect()),
            asked: Mutex::default(),
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        self.asked.lock().push(name.to_owned());
        let mut answers = self.answers.lock();
        if answers.len() > 1 {
            answers.pop_front().unwrap()
        } else {
            answers.front().cloned().unwrap_or_default()
        }
    }
}

fn receivers_with(config: CallbackConfig, names: &Arc<Names>) -> HttpReceivers {
    HttpReceivers::new(config, names.clone(), Arc::new(TestClock::default())).unwrap()
}

fn receivers(rules: CallbackRules, names: &Arc<Names>) -> HttpReceivers {
    let config = CallbackConfig {
        rules,
        authorities_pem: None,
    };
    receivers_with(config, names)
}

/// A call of a URL that was good by the rules of another day.
fn call(url: &str) -> CallbackCall {
    let rules = CallbackRules {
        allowed_networks: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        ports: (1..=u16::MAX).collect(),
        ..development()
    };
    CallbackCall {
        url: rules.parse(url).unwrap(),
        headers: vec![
            ("content-type".into(), Secret::new("application/json")),
            ("x-key".into(), Secret::new("canary-key")),
        ],
        body: BODY.to_vec(),
        timeout: PATIENCE,
    }
}

/// Posts, and looks that the answer tells nothing of the network.
async fn post(receivers: &HttpReceivers, call: CallbackCall) -> CallbackAnswer {
    let answer = receivers.post(call).await;
    let shown = format!("{answer:?}");
    for hidden in ["127.0.0.1", "169.254", "10.0.0", "http://", "canary"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    answer
}

async fn outcome(receivers: &HttpReceivers, url: &str) -> CallbackOutcome {
    post(receivers, call(url)).await.outcome
}

/// Calls a receiver that answers so.
async fn outcome_of(reply: Reply) -> CallbackOutcome {
    let receiver = Receiver::start([reply]).await;
    let receivers = receivers(development(), &Names::leading_to(&[]));
    let outcome = outcome(&receivers, &receiver.url()).await;
    assert_eq!(receiver.requests().len(), 1);
    outcome
}

fn answered(status: u16) -> CallbackOutcome {
    CallbackOutcome::Answered {
        status,
        retry_after: None,
        failure_body: (!(200..300).contains(&status)).then(String::new),
    }
}

const fn failed(failure: CallbackFailure) -> CallbackOutcome {
    CallbackOutcome::Failed(failure)
}

#[tokio::test]
async fn a_receiver_gets_the_bytes_and_headers_of_the_call_and_the_connection_is_kept() {
    let logged = LogLines::listen();
    let receiver = Receiver::start([]).await;
    let receivers = receivers(development(), &Names::leading_to(&[]));
    for _ in 0..2 {
        assert_eq!(outcome(&receivers, &receiver.url()).await, answered(200));
    }
    let requests = receiver.requests();
    assert_eq!((requests.len(), receiver.connections()), (2, 1));
    for request in requests {
        assert!(request.head.starts_with("POST /hook HTTP/1.1\r\n"), "{}", request.head);
        assert_eq!(request.body, BODY);
        assert_eq!(request.header("x-key"), Some("canary-key"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        let length = BODY.len().to_string();
        assert_eq!(request.header("content-length"), Some(&*length));
        for absent in ["accept-encoding", "referer", "cookie", "authorization"] {
            assert_eq!(request.header(absent), None, "{absent}");
        }
    }
    let lines = logged.lines().join("\n");
    assert!(!lines.contains("canary"), "{lines}");
}

#[tokio::test]
async fn a_call_has_the_headers_of_its_own_tenant_only() {
    let receiver = Receiver::start([Reply::answer(200, "set-cookie: session=canary-cookie\r\n", b"")]).await;
    let receivers = receivers(development(), &Names::leading_to(&[]));
    post(&receivers, call(&receiver.url())).await;
    let of_another = CallbackCall {
        headers: vec![("x-other".into(), Secret::new("theirs"))],
        ..call(&receiver.url())
    };
    post(&receivers, of_another).await;
    let second = &receiver.requests()[1];
    assert_eq!(second.header("x-other"), Some("theirs"));
    assert!(
        !second.head.contains("canary") && !second.head.contains("cookie"),
        "{}",
        second.head
    );
}

#[tokio::test]
async fn a_header_that_would_change_where_a_request_ends_is_not_sent() {
    let receiver = Receiver::start([]).await;
    let receivers = receivers(development(), &Names::leading_to(&[]));
    for (name, value) in [
        ("Host", "other.example"),
        ("content-length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "close"),
        ("upgrade", "websocket"),
        ("x-a", "b\r\nhost: c"),
        ("x-a: b\r\nx-c", "d"),
        ("", "a"),
    ] {
        let call = CallbackCall {
            headers: vec![(name.into(), Secret::new(value))],
            ..call(&receiver.url())
        };
        let outcome = post(&receivers, call).await.outcome;
        assert_eq!(outcome, failed(CallbackFailure::Protocol), "{name}: {value}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn every_status_is_told_with_the_beginning_of_its_body() {
    for status in [200, 201, 204, 299, 400, 410, 429, 500, 503] {
        let outcome = outcome_of(Reply::answer(status, "", b"")).await;
        assert_eq!(outcome, answered(status), "{status}");
    }
    let body = [b"wrong key \xff".as_slice(), "\u{995}".repeat(1_000).as_bytes()].concat();
    let CallbackOutcome::Answered { failure_body, .. } = outcome_of(Reply::answer(401, "", &body)).await else {
        panic!("no answer");
    };
    let failure_body = failure_body.unwrap();
    assert!(failure_body.starts_with("wrong key \u{fffd}\u{995}"), "{failure_body}");
    assert!((1_000..=1_024).contains(&failure_body.len()), "{}", failure_body.len());
    let CallbackOutcome::Answered { failure_body, .. } = outcome_of(Reply::answer(200, "", b"thanks")).await else {
        panic!("no answer");
    };
    assert_eq!(failure_body, None);
}

#[tokio::test]
async fn a_receiver_may_ask_for_time() {
    for (headers, expected) in [
        ("retry-after: 120\r\n", Some(120)),
        ("retry-after: 99999999\r\n", Some(86_400)),
        (
            "date: Sun, 22 Nov 2026 10:00:00 GMT\r\nretry-after: Sun, 22 Nov 2026 10:01:30 GMT\r\n",
            Some(90),
        ),
        ("retry-after: soon\r\n", Some(3_600)),
        ("retry-after: \u{1f570}\r\n", Some(3_600)),
        ("retry-after:\r\n", None),
    ] {
        let CallbackOutcome::Answered { retry_after, .. } = outcome_of(Reply::answer(503, headers, b"")).await else {
            panic!("no answer");
        };
        assert_eq!(retry_after, expected.map(Duration::from_secs), "{headers}");
    }
}

/// What the environment says about proxies is for people and their tools. The test runs itself with a proxy set.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    let proxy = Receiver::start([]).await;
    let url = format!("http://127.0.0.1:{}", proxy.port());
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "callbacks::a_call_has_the_headers_of_its_own_tenant_only"]);
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        child.env(name, &url);
    }
    let output = child
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(proxy.connections(), 0);
}

/// The settings of this machine, its file of hosts, and a name that never exists.
#[tokio::test]
async fn the_system_finds_names() {
    let lookup = SystemLookup::new();
    let found = lookup.addresses("localhost").await;
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
    assert!(lookup.addresses("receiver.invalid").await.is_empty());
}
