//! Meta's webhook: verification, signatures, and bodies of every kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::body::Body;
use axum::http::Request;
use dakghar_core::domain::Timestamp;
use dakghar_core::domain::listening::{Heard, Hearing};
use dakghar_core::domain::meta_app::{Addressed, AppCredentials};
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::ports::{Clock as _, ListenerStore as _, SignatureCheck, StoreError, WebhookCodec};
use serde_json::json;

use crate::harness::{APP_SECRET, Answer, Service, Setup, VERIFY_TOKEN};
use crate::sockets::{Server, start};
use dakghar_server::http::HttpConfig;

const PATH: &str = "/whatsapp/webhook";

fn signed() -> Service {
    Service::start(Setup {
        app_secret: Some(APP_SECRET),
        ..Setup::default()
    })
}

pub(crate) fn signature(body: &[u8], secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body);
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

async fn post(service: &Service, body: &[u8], signatures: &[&str]) -> Answer {
    let mut request = Request::post(PATH);
    for signature in signatures {
        request = request.header("X-Hub-Signature-256", *signature);
    }
    service
        .call(request.body(Body::from(body.to_vec())).expect("a request"))
        .await
}

#[tokio::test]
async fn the_challenge_is_sent_back_to_those_who_know_the_token() {
    let service = signed();
    let ask = async |query: &str| service.get(&format!("{PATH}?{query}")).await;
    let verify = format!("hub.mode=subscribe&hub.verify_token={VERIFY_TOKEN}");
    for (given, echoed) in [
        ("1158201444", "1158201444"),
        ("a%20b%2Bc", "a b+c"),
        ("%3Cscript%3E", "<script>"),
    ] {
        let answer = ask(&format!("{verify}&hub.challenge={given}")).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, echoed));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    let long = "x".repeat(257);
    for query in [
        String::new(),
        "hub.mode=subscribe&hub.challenge=1".to_string(),
        "hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1".to_string(),
        "hub.mode=subscribe&hub.verify_token=&hub.challenge=1".to_string(),
        format!("hub.mode=unsubscribe&hub.verify_token={VERIFY_TOKEN}&hub.challenge=1"),
        format!("hub.verify_token={VERIFY_TOKEN}&hub.challenge=1"),
        format!("{verify}&hub.challenge={long}"),
    ] {
        let answer = ask(&query).await;
        assert_eq!(answer.outcome(), (403, "verification_failed"), "{query}");
        assert!(!answer.text.contains(VERIFY_TOKEN));
    }
}

#[tokio::test]
async fn the_seeds_webhook_is_stored_without_a_signature_while_no_secret_is_set() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let body = r#"{
"entry":[
{
"changes":[
{
"value":{
"metadata":{"phone_number_id":"111111111111111"},
"messages":[{"from":"+919111111111","id":"wamid.123","type":"text","text":{"body":"hi"}}]
}
}
]
}
]
}"#;
    let answer = service.post_text(PATH, body).await;
    assert_eq!(answer.json, json!({"received": 1, "duplicates": 0, "unrouted": 0}));
    let again = service.post_text(PATH, body).await;
    assert_eq!(again.json, json!({"received": 1, "duplicates": 1, "unrouted": 0}));
    let list = service.get(&format!("/tenants/{}/messages", tenant.id)).await;
    let messages = list.json["data"].as_array().expect("a list");
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["wamid"], "wamid.123");
    assert_eq!(messages[0]["status"], "received");
}

#[tokio::test]
async fn only_what_meta_signed_is_received() {
    let service = signed();
    let body = br#"{"entry":[{"id":"1","changes":[{"field":"account_update","value":{"\u0041":"A"}}]}]}"#;
    let good = signature(body, APP_SECRET);
    let wrong = signature(body, "another secret");
    let sha1 = good.replace("sha256=", "sha1=");
    for signatures in [
        &[][..],
        &[""],
        &["sha256="],
        &[&good[7..]],
        &[&good[..good.len() - 2]],
        &[&sha1],
        &[&wrong],
        &["sha256=zz"],
        &[&good, &good],
        &[&good, &wrong],
    ] {
        assert_eq!(
            post(&service, body, signatures).await.outcome(),
            (401, "invalid_signature"),
            "{signatures:?}"
        );
    }
    let reserialised = br#"{"entry":[{"id":"1","changes":[{"field":"account_update","value":{"A":"A"}}]}]}"#;
    assert_eq!(
        post(&service, reserialised, &[&good]).await.outcome(),
        (401, "invalid_signature")
    );
    assert_eq!(service.get("/unrouted").await.json["data"], json!([]));
    assert_eq!(post(&service, body, &[&good]).await.status.as_u16(), 200);
    assert_eq!(
        service.get("/unrouted").await.json["data"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );
}

#[tokio::test]
async fn whatever_meta_signed_is_kept_even_if_it_makes_no_sense() {
    let service = signed();
    let bodies: [&[u8]; 10] = [
        b"",
        b"not JSON",
        b"[]",
        b"null",
        br#"{"object":"page","entry":[]}"#,
        br#"{"entry":null}"#,
        br#"{"entry":[{"changes":[{"value":{"messages":"x","statuses":{}}}]}]}"#,
        br#"{"entry":[{"changes":[{"value":{"metadata":{"phone_number_id":"9"},"statuses":[{"id":"wamid.1","status":"read","timestamp":"-5"}]}}]}]}"#,
        b"\xff\xfe\x00",
        br#"{"entry":[{"changes":[{"field":"tomorrow","value":{"news":1}}]}]}"#,
    ];
    for body in bodies {
        let answer = post(&service, body, &[&signature(body, APP_SECRET)]).await;
        assert_eq!(
            answer.status.as_u16(),
            200,
            "{}: {}",
            String::from_utf8_lossy(body),
            answer.text
        );
    }
    let unrouted = service.get("/unrouted?limit=200").await;
    let found: Vec<_> = unrouted.json["data"]
        .as_array()
        .expect("a list")
        .iter()
        .rev()
        .map(|event| (event["reason"].as_str().expect("a reason"), event["payload"].clone()))
        .collect();
    let in_entry = |change: serde_json::Value| json!({"changes": [change]});
    let kept = [
        ("malformed", json!("")),
        ("malformed", json!("not JSON")),
        ("malformed", json!([])),
        ("malformed", json!(null)),
        ("malformed", json!({"object": "page", "entry": []})),
        ("malformed", json!({"entry": null})),
        (
            "malformed",
            in_entry(json!({"value": {"messages": "x", "statuses": {}}})),
        ),
        (
            "unknown_number",
            in_entry(json!({"value": {
                "metadata": {"phone_number_id": "9"},
                "statuses": [{"id": "wamid.1", "status": "read", "timestamp": "-5"}],
            }})),
        ),
        ("malformed", json!("\u{fffd}\u{fffd}\0")),
        (
            "unknown_waba",
            in_entry(json!({"field": "tomorrow", "value": {"news": 1}})),
        ),
    ];
    assert_eq!(found, kept);
}

#[tokio::test]
async fn a_body_of_three_megabytes_is_received_and_a_larger_one_refused() {
    let service = signed();
    let mut body = br#"{"entry":[]}"#.to_vec();
    body.resize(3 * 1024 * 1024, b' ');
    assert_eq!(
        post(&service, &body, &[&signature(&body, APP_SECRET)])
            .await
            .status
            .as_u16(),
        200
    );
    body.resize(4 * 1024 * 1024 + 1, b' ');
    let answer = post(&service, &body, &[&signature(&body, APP_SECRET)]).await;
    assert_eq!(answer.outcome(), (413, "body_too_large"));
}

#[tokio::test]
async fn what_could_not_be_stored_is_not_acknowledged() {
    let service = Service::open();
    service.register("Tenant A", "111111111111111").await;
    service.store.fail_with(Some(StoreError::Unavailable("down".into())));
    let body = json!({"entry": [{"changes": [{"value": {
        "metadata": {"phone_number_id": "111111111111111"},
        "messages": [{"from": "919111111111", "id": "wamid.1", "type": "text", "text": {"body": "hi"}}],
    }}]}]});
    assert_eq!(service.post(PATH, &body).await.outcome(), (503, "store_unavailable"));
    service.store.fail_with(None);
    assert_eq!(service.post(PATH, &body).await.json["received"], 1);
}

/// A body of which nothing may be read.
fn unread() -> Body {
    Body::from_stream(futures_util::stream::poll_fn(
        |_| -> std::task::Poll<Option<Result<Vec<u8>, std::io::Error>>> { panic!("the body was read") },
    ))
}

#[tokio::test]
async fn without_a_signature_the_body_is_not_read() {
    let service = signed();
    let request = Request::post(PATH).body(unread()).expect("a request");
    assert_eq!(service.call(request).await.outcome(), (401, "invalid_signature"));
}

#[tokio::test]
async fn forged_large_bodies_leave_room_for_metas_small_ones() {
    let mut setup = Setup {
        app_secret: Some(APP_SECRET),
        ..Setup::default()
    };
    setup.http.webhooks_bytes_max = 1024 * 1024;
    let service = Service::start(setup);
    let forged = || {
        let piece = futures_util::stream::once(async { Ok::<_, std::io::Error>(vec![b' '; 256 * 1024]) });
        let body = Body::from_stream(futures_util::StreamExt::chain(piece, futures_util::stream::pending()));
        let request = Request::post(PATH).header("X-Hub-Signature-256", signature(b"", "another secret"));
        service.call(request.body(body).expect("a request"))
    };
    let (mut one, mut two) = (std::pin::pin!(forged()), std::pin::pin!(forged()));
    assert!(futures_util::poll!(one.as_mut()).is_pending());
    assert!(futures_util::poll!(two.as_mut()).is_pending());
    assert_eq!(forged().await.outcome(), (503, "overloaded"), "no more of this address");
    let body = br#"{"entry":[]}"#;
    let answer = post(&service, body, &[&signature(body, APP_SECRET)]).await;
    assert_eq!(answer.outcome(), (200, "-"));
}

#[tokio::test]
async fn bodies_that_arrive_are_bounded_together_and_free_their_bytes_when_they_end() {
    let mut setup = Setup::default();
    setup.http.webhooks_bytes_max = 64 * 1024;
    let service = Service::start(setup);
    let half = || {
        let piece = futures_util::stream::once(async { Ok::<_, std::io::Error>(vec![b' '; 20 * 1024]) });
        Body::from_stream(futures_util::StreamExt::chain(piece, futures_util::stream::pending()))
    };
    let first = service.call(Request::post(PATH).body(half()).expect("a request"));
    let mut first = std::pin::pin!(first);
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    let second = service.call(Request::post(PATH).body(half()).expect("a request")).await;
    assert_eq!(second.outcome(), (503, "overloaded"), "beyond the share of one address");
    assert!(second.header("retry-after").is_some());
    let small = service
        .call(Request::post(PATH).body(Body::from("{}")).expect("a request"))
        .await;
    assert_eq!(small.outcome(), (200, "-"), "there is room for a small one");
}

/// Whether all webhooks since this call were received, as far as is known.
async fn heard_since(service: &Service, called_at: Timestamp) -> Heard {
    let hearing = service.app.listening.hearing().await.expect("the store answers");
    hearing.since(called_at, called_at)
}

#[tokio::test]
async fn a_webhook_that_is_not_acknowledged_is_a_gap_that_outlives_the_outage_and_the_process() {
    let service = Service::open();
    service.app.listening.open().await.expect("the store answers");
    service.clock.advance(Duration::from_secs(3));
    let called_at = service.clock.now();
    let body = json!({"entry": [{"changes": [{"value": {"metadata": {"phone_number_id": "1"}, "messages": []}}]}]});
    let garbage = service.post(PATH, &json!("garbage")).await;
    assert_eq!(garbage.status.as_u16(), 200);
    assert_eq!(
        heard_since(&service, called_at).await,
        Heard::Throughout,
        "an answer is no gap"
    );

    service.clock.advance(Duration::from_secs(3));
    service.store.fail_with(Some(StoreError::Unavailable("down".into())));
    assert_eq!(service.post(PATH, &body).await.status.as_u16(), 503);
    assert!(service.app.listening.tick().await.is_err(), "it cannot be stored yet");
    service.store.fail_with(None);
    assert_eq!(
        heard_since(&service, called_at).await,
        Heard::WithGaps,
        "it is known from memory"
    );
    service.app.listening.tick().await.expect("the store answers");
    let listeners = service.store.listeners().await.expect("the store answers");
    let hearing = Hearing::of(&listeners, service.clock.now(), Duration::from_secs(3600));
    assert_eq!(hearing.since(called_at, called_at), Heard::WithGaps, "it is stored");
    service.clock.advance(Duration::from_secs(3));
    assert_eq!(
        heard_since(&service, service.clock.now()).await,
        Heard::Throughout,
        "it is over"
    );
}

#[tokio::test]
async fn a_forged_webhook_is_no_gap() {
    let service = signed();
    service.app.listening.open().await.expect("the store answers");
    service.clock.advance(Duration::from_secs(3));
    let called_at = service.clock.now();
    let request = Request::post(PATH)
        .header("x-hub-signature-256", format!("sha256={}", "0".repeat(64)))
        .body(Body::from("{}"))
        .expect("a request");
    assert_eq!(service.call(request).await.outcome(), (401, "invalid_signature"));
    assert_eq!(heard_since(&service, called_at).await, Heard::Throughout);
}

/// A webhook of which only the beginning comes: whether the statuses of calls before it still count as heard.
async fn heard_beside_half_a_webhook(service: &Service, server: &Server) -> Heard {
    service.clock.advance(Duration::from_secs(3));
    let called_at = service.clock.now();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nX-Hub-Signature-256: {}\r\n\r\n{{",
        signature(b"", "another secret")
    );
    let answer = server.exchange_half(&head).await;
    assert!(answer.contains(" 400 ") || answer.is_empty(), "{answer}");
    heard_since(service, called_at).await
}

#[tokio::test]
async fn only_a_sender_that_was_verified_can_leave_a_gap() {
    let service = signed();
    service.app.listening.open().await.expect("the store answers");
    let server = start(service.router.clone(), HttpConfig::default()).await;
    assert_eq!(heard_beside_half_a_webhook(&service, &server).await, Heard::Throughout);

    let body = r#"{"entry":[]}"#;
    let whole = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\nX-Hub-Signature-256: {}\r\n\r\n{body}",
        body.len(),
        signature(body.as_bytes(), APP_SECRET)
    );
    let answer = server.exchange(whole).await;
    assert!(answer.contains(" 200 "), "{answer}");
    assert_eq!(heard_beside_half_a_webhook(&service, &server).await, Heard::WithGaps);
}

/// Says what it says, and counts what it takes apart.
struct Counting {
    verdict: SignatureCheck,
    parsed: AtomicUsize,
}

impl WebhookCodec for Counting {
    fn check_signature(&self, _: Addressed<'_>, _: &[u8], _: &[&[u8]]) -> SignatureCheck {
        self.verdict
    }

    fn use_apps(&self, _: Vec<AppCredentials>) {}

    fn is_verify_token(&self, _: Addressed<'_>, _: &str) -> bool {
        false
    }

    fn parse(&self, _: &[u8]) -> Vec<WebhookPart> {
        self.parsed.fetch_add(1, Ordering::SeqCst);
        Vec::new()
    }
}

#[tokio::test]
async fn a_body_is_taken_apart_only_if_its_signature_is_right() {
    for (verdict, status, times) in [
        (SignatureCheck::Invalid, 401, 0),
        (SignatureCheck::Valid, 200, 1),
        (SignatureCheck::Skipped, 200, 1),
    ] {
        let codec = Arc::new(Counting {
            verdict,
            parsed: AtomicUsize::new(0),
        });
        let service = Service::start(Setup {
            webhooks: Some(codec.clone()),
            ..Setup::default()
        });
        let body = vec![b'['; 3 * 1024 * 1024];
        let answer = post(&service, &body, &["sha256=00"]).await;
        assert_eq!(answer.status.as_u16(), status, "{verdict:?}: {}", answer.text);
        assert_eq!(codec.parsed.load(Ordering::SeqCst), times, "{verdict:?}");
    }
}

#[tokio::test]
async fn a_signed_webhook_that_comes_again_later_changes_nothing() {
    let service = signed();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let in_value = |value: serde_json::Value| {
        let mut value = value;
        value["metadata"] = json!({"phone_number_id": "111111111111111"});
        json!({"entry": [{"id": "9001", "changes": [{"field": "messages", "value": value}]}]}).to_string()
    };
    let message = |wamid: &str, at: u64| {
        in_value(json!({"messages": [
            {"from": "919111111111", "id": wamid, "timestamp": at.to_string(), "type": "text", "text": {"body": "hi"}}]}))
    };
    // 2026-11-22T09:59:00Z, a minute before the service starts.
    let begun = 1_795_341_540;
    let webhooks = [
        message("wamid.1", begun),
        message("wamid.2", begun + 10),
        in_value(json!({"statuses": [{"id": "wamid.nobodys", "status": "read", "timestamp": begun.to_string()}]})),
        json!({"entry": [{"id": "9001", "changes": [{"field": "account_update", "value": {"event": "X"}}]}]})
            .to_string(),
    ];
    let post_all = async || {
        let mut answers = Vec::new();
        for webhook in &webhooks {
            let body = webhook.as_bytes();
            answers.push(post(&service, body, &[&signature(body, APP_SECRET)]).await);
        }
        answers
    };
    let everything = async || {
        let own = format!("/tenants/{}", tenant.id);
        let mut found = Vec::new();
        for list in [
            format!("{own}/messages"),
            format!("{own}/conversations"),
            format!("{own}/events"),
            "/unrouted".to_owned(),
        ] {
            found.push(service.get(&list).await.json["data"].clone());
        }
        found
    };
    for answer in post_all().await {
        assert_eq!((answer.status.as_u16(), &answer.json["duplicates"]), (200, &json!(0)));
    }
    let before = everything().await;
    assert_eq!(before[0].as_array().expect("a list").len(), 2);
    for later in [Duration::from_secs(3_600), Duration::from_secs(30 * 24 * 3_600)] {
        service.clock.advance(later);
        let answers = post_all().await;
        assert!(answers.iter().all(|answer| answer.status.as_u16() == 200));
        assert_eq!(everything().await, before, "after {later:?}");
    }
}

#[tokio::test]
async fn how_late_meta_tells_something_is_shown_with_it() {
    // The clock of the service shows 2026-11-22T10:00:00Z.
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let value = json!({"metadata": {"phone_number_id": "111111111111111"},
        "messages": [{"from": "919222222222", "id": "wamid.1", "timestamp": "1795341540", "type": "text",
            "text": {"body": "a minute ago"}}],
        "calls": [{"id": "wacid.1", "timestamp": "1795338000"}]});
    let body = json!({"entry": [{"id": "900", "changes": [{"field": "messages", "value": value}]}]});
    let answer = service.post("/whatsapp/webhook", &body).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let first = async |list: &str| {
        let listed = service.get(&format!("/tenants/{}/{list}", tenant.id)).await.json;
        ["reportedAt", "delayMs"].map(|field| listed["data"][0][field].clone())
    };
    assert_eq!(
        first("messages").await,
        [json!("2026-11-22T09:59:00.000Z"), json!(60_000)]
    );
    assert_eq!(
        first("events").await,
        [json!("2026-11-22T09:00:00.000Z"), json!(3_600_000)]
    );
}
