//! `POST /tenants/{tenantId}/send`: what is accepted, and how everything else is refused.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::harness::{Answer, Service, TestTenant};

async fn service() -> (Service, TestTenant, String) {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let path = format!("/tenants/{}/send", tenant.id);
    (service, tenant, path)
}

#[tokio::test]
async fn the_seeds_example_is_accepted_word_for_word() {
    let (service, tenant, path) = service().await;
    let body = r#"{"to":"+919xxxxxxxxx","text":"Hello from tenant A", "idempotency_key":"order-1234"}"#;
    let first = service.post_text(&path, body).await;
    assert_eq!(first.status.as_u16(), 202);
    let id = first.json["messageId"].as_str().expect("an id");
    assert!(id.starts_with("msg_"));
    assert_eq!(
        first.text,
        format!(r#"{{"messageId":"{id}","status":"queued","duplicate":false}}"#)
    );
    assert_eq!(first.header("idempotency-replayed"), None);

    let again = service.post_text(&path, body).await;
    assert_eq!(again.status.as_u16(), 200);
    assert_eq!(
        again.text,
        format!(r#"{{"messageId":"{id}","status":"queued","duplicate":true}}"#)
    );
    assert_eq!(again.header("idempotency-replayed"), Some("true"));

    let other = service
        .post_text(
            &path,
            r#"{"to":"+919xxxxxxxxx","text":"?","idempotency_key":"order-1234"}"#,
        )
        .await;
    assert_eq!(other.outcome(), (409, "idempotency_key_conflict"));
    let list = service.get(&format!("/tenants/{}/messages", tenant.id)).await;
    assert_eq!(list.json["data"].as_array().expect("a list").len(), 1);
}

#[tokio::test]
async fn a_repetition_is_answered_also_when_its_times_have_gone_by() {
    let (service, _, path) = service().await;
    let times = |key: &str, text: &str| {
        json!({"to": "+919111111111", "text": text, "idempotency_key": key,
            "sendAt": "2026-11-22T10:00:00Z", "expiresAt": "2026-11-22T10:01:00Z"})
    };
    let first = service.post(&path, &times("login-1", "1234")).await;
    assert_eq!(first.status.as_u16(), 202);
    service.clock.advance(Duration::from_secs(61));
    let again = service.post(&path, &times("login-1", "1234")).await;
    assert_eq!(again.status.as_u16(), 200, "{}", again.text);
    assert_eq!(again.json["messageId"], first.json["messageId"]);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = service.post(&path, &times("login-1", "5678")).await;
    assert_eq!(other.outcome(), (409, "idempotency_key_conflict"));
    let unknown = service.post(&path, &times("login-2", "1234")).await;
    assert_eq!(unknown.outcome(), (422, "invalid_send_at"));
    assert_eq!(unknown.json["errors"].as_array().expect("a list").len(), 2);
}

#[tokio::test]
async fn the_key_may_come_as_a_header() {
    let (service, _, path) = service().await;
    let send = async |keys: &[&str], body: &str| {
        let mut request = Request::post(&path).header(CONTENT_TYPE, "application/json");
        for key in keys {
            request = request.header("Idempotency-Key", *key);
        }
        service
            .call(request.body(Body::from(body.to_owned())).expect("a request"))
            .await
    };
    let body = r#"{"to":"+919111111111","text":"x"}"#;
    let first = send(&["order-1"], body).await;
    assert_eq!(first.status.as_u16(), 202);
    for (keys, body) in [
        (&["order-1"][..], body),
        (&["order-1"], r#"{ "text": "x", "to": "+91 91111-11111" }"#),
        (&[], r#"{"to":"+919111111111","text":"x","idempotency_key":"order-1"}"#),
        (
            &["order-1"],
            r#"{"to":"+919111111111","text":"x","idempotency_key":"order-1"}"#,
        ),
    ] {
        let again = send(keys, body).await;
        assert_eq!(again.status.as_u16(), 200, "{keys:?} {body}");
        assert_eq!(again.json["messageId"], first.json["messageId"]);
    }
    for keys in [&["a", "b"][..], &[""], &[&"k".repeat(256)], &["\u{e9}"], &["a\tb"]] {
        assert_eq!(
            send(keys, body).await.outcome(),
            (400, "invalid_idempotency_key"),
            "{keys:?}"
        );
    }
    let differing = r#"{"to":"+919111111111","text":"x","idempotency_key":"order-2"}"#;
    assert_eq!(
        send(&["order-3"], differing).await.outcome(),
        (400, "invalid_idempotency_key")
    );
}

#[tokio::test]
async fn many_at_once_with_one_key_are_one_message() {
    let (service, _, path) = service().await;
    let message = json!({"to": "+919111111111", "text": "x", "idempotency_key": "order-1"});
    let answers = futures_util::future::join_all((0..50).map(|_| service.post(&path, &message))).await;
    let accepted = answers.iter().filter(|answer| answer.status.as_u16() == 202).count();
    assert_eq!(accepted, 1);
    assert!(
        answers
            .iter()
            .all(|answer| answer.json["messageId"] == answers[0].json["messageId"])
    );
}

/// What is no JSON object.
#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let (service, _, path) = service().await;
    let nested = format!(
        r#"{{"to":"+919111111111","template":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let cases: [(&[u8], &str); 13] = [
        (b"", "body_required"),
        (b"{", "malformed_json"),
        (b"[]", "malformed_json"),
        (b"\"x\"", "malformed_json"),
        (b"null", "malformed_json"),
        (b"   ", "body_required"),
        (
            br#"{"to":"+919111111111","to":"+919111111112","text":"x"}"#,
            "duplicate_field",
        ),
        (
            br#"{"to":"+919111111111","text":{"body":"x","body":"y"}}"#,
            "duplicate_field",
        ),
        (br#"{"to":"+919111111111","text":"x"} {}"#, "malformed_json"),
        (b"{\"to\":\"+919111111111\",\"text\":\"\xff\"}", "malformed_json"),
        (br#"{"to":"+919111111111","text":"\ud800"}"#, "malformed_json"),
        (br#"{"to":"+919111111111","text":"x",}"#, "malformed_json"),
        (nested.as_bytes(), "too_deep"),
    ];
    for (body, code) in cases {
        let answer = service.post_text(&path, body.to_vec()).await;
        assert_eq!(answer.outcome(), (400, code), "{}", String::from_utf8_lossy(body));
    }
}

/// Fields that are wrong; each is named by its pointer.
#[tokio::test]
async fn fields_that_are_wrong_are_named() {
    let (service, _, path) = service().await;
    let long = "x".repeat(4097);
    let cases = [
        (json!({"text": "x"}), "invalid_to", "/to"),
        (json!({"to": null, "text": "x"}), "invalid_to", "/to"),
        (json!({"to": 919_111_111_111_i64, "text": "x"}), "invalid_to", "/to"),
        (json!({"to": ["+919111111111"], "text": "x"}), "invalid_to", "/to"),
        (json!({"to": "", "text": "x"}), "invalid_to", "/to"),
        (json!({"to": "+", "text": "x"}), "invalid_to", "/to"),
        (json!({"to": "abc", "text": "x"}), "invalid_to", "/to"),
        (json!({"to": "123", "text": "x"}), "invalid_to", "/to"),
        (json!({"to": "+1234567890123456", "text": "x"}), "invalid_to", "/to"),
        (json!({"to": "+৯১৯১১১১১১১১১", "text": "x"}), "invalid_to", "/to"),
        (
            json!({"to": "+919111111111", "text": "x", "teext": 1}),
            "unknown_field",
            "/teext",
        ),
        (json!({"to": "00919111111111", "text": "x"}), "invalid_to", "/to"),
        (json!({"to": "(415) 555-1212", "text": "x"}), "invalid_to", "/to"),
        (json!({"raw": {"text": {"body": "x"}}}), "invalid_to", "/raw/to"),
        (json!({"to": "+919111111111", "type": ""}), "invalid_type", "/type"),
        (json!({"to": "+919111111111"}), "invalid_type", "/type"),
        (
            json!({"to": "+919111111111", "type": "text", "template": {}}),
            "type_mismatch",
            "/template",
        ),
        (json!({"to": "+919111111111", "text": "  "}), "empty_text", "/text"),
        (
            json!({"to": "+919111111111", "text": {"body": ""}}),
            "empty_text",
            "/text/body",
        ),
        (json!({"to": "+919111111111", "text": long}), "text_too_long", "/text"),
        (
            json!({"to": "+919111111111", "text": "a\u{0}b"}),
            "invalid_text",
            "/text",
        ),
        (
            json!({"to": "+919111111111", "type": "template", "template": {}}),
            "invalid_template",
            "/template/name",
        ),
        (
            json!({"to": "+919111111111", "type": "image", "image": {"id": "1", "link": "https://example.com/a.png"}}),
            "invalid_media",
            "/image",
        ),
        (
            json!({"to": "+919111111111", "type": "image", "image": {"link": "file:///etc/passwd"}}),
            "invalid_url",
            "/image/link",
        ),
        (
            json!({"to": "+919111111111", "type": "image", "image": {"link": "https://169.254.169.254/x"}}),
            "forbidden_url",
            "/image/link",
        ),
        (
            json!({"to": "+919111111111", "text": "x", "context": {"message_id": 7}}),
            "invalid_context",
            "/context/message_id",
        ),
        (
            json!({"to": "+919111111111", "text": "x", "messaging_product": "sms"}),
            "invalid_field",
            "/messaging_product",
        ),
        (
            json!({"to": "+919111111111", "text": "x", "sendAt": "2020-01-01T00:00:00Z"}),
            "invalid_send_at",
            "/sendAt",
        ),
        (
            json!({"to": "+919111111111", "text": "x", "sendAt": "2026-11-23T10:00:00"}),
            "invalid_send_at",
            "/sendAt",
        ),
        (
            json!({"to": "+919111111111", "text": "x", "expiresAt": 5}),
            "invalid_expires_at",
            "/expiresAt",
        ),
        (
            json!({"to": "+919111111111", "text": "x", "unknownOutcome": "exactly_once"}),
            "invalid_policy",
            "/unknownOutcome",
        ),
        (
            json!({"to": "+919111111111", "text": "x", "metadata": {"k": "v".repeat(2048)}}),
            "metadata_too_large",
            "/metadata",
        ),
        (
            json!({"to": "+919111111111", "text": "x", "metadata": {"$where": "1"}}),
            "invalid_metadata",
            "/metadata/$where",
        ),
        (
            json!({"to": "+919111111111", "text": "x", "metadata": {"a": {}}}),
            "invalid_metadata",
            "/metadata/a",
        ),
        (
            json!({"to": "+919111111111", "text": "x", "from": "+1"}),
            "invalid_phone_number_id",
            "/from",
        ),
        (
            json!({"to": "+919111111111", "text": "x", "priority": "urgent"}),
            "invalid_field",
            "/priority",
        ),
    ];
    for (body, code, pointer) in cases {
        let answer = service.post(&path, &body).await;
        assert_eq!(answer.outcome(), (422, code), "{body}");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{body}");
        assert!(
            answer.json["detail"].as_str().expect("text").len() < 400,
            "{}",
            answer.text
        );
    }
    assert!(service.queue.is_empty());
}

#[tokio::test]
async fn all_wrong_fields_are_told_at_once() {
    let (service, _, path) = service().await;
    let answer = service
        .post(&path, &json!({"text": "", "priority": "urgent", "sent_at": 1}))
        .await;
    assert_eq!(answer.status.as_u16(), 422);
    assert!(
        answer.json["errors"].as_array().expect("a list").len() >= 3,
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn what_is_unusual_but_fine_is_accepted() {
    let (service, _, path) = service().await;
    for body in [
        json!({"to": "+91 (911) 111-1111", "text": "x"}),
        json!({"to": "919111111111", "text": "\u{1F4E6}".repeat(4096)}),
        json!({"to": "+919111111111", "text": {"body": "x", "preview_url": true}}),
        json!({"to": "+919111111111", "type": "hologram", "hologram": {"depth": 3}}),
        json!({"to": "+919111111111", "text": "x", "metadata": {"n": 1, "flag": true}, "priority": "high"}),
        json!({"to": "+919111111111", "text": {"body": "x"}, "future_field": {"a": 1}}),
        json!({"to": "+919111111111", "type": "image", "image": {"link": "http://cdn.example.com/a.jpg"}}),
        json!({"raw": {"to": "+919111111111", "type": "hologram", "anything": [1]}, "priority": "low"}),
    ] {
        let answer = service.post(&path, &body).await;
        assert_eq!(answer.status.as_u16(), 202, "{body}: {}", answer.text);
    }
}

#[tokio::test]
async fn only_json_in_utf8_of_limited_size_is_read() {
    let (service, _, path) = service().await;
    let body = r#"{"to":"+919111111111","text":"x"}"#;
    let send = async |headers: &[(&str, &str)], body: String| -> Answer {
        let mut request = Request::post(&path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        service.call(request.body(Body::from(body)).expect("a request")).await
    };
    let json = ("content-type", "application/json");
    for (headers, outcome) in [
        (&[][..], (415, "unsupported_media_type")),
        (&[("content-type", "text/plain")], (415, "unsupported_media_type")),
        (
            &[("content-type", "application/x-www-form-urlencoded")],
            (415, "unsupported_media_type"),
        ),
        (
            &[("content-type", "application/json; charset=utf-16")],
            (415, "unsupported_media_type"),
        ),
        (&[json, json], (415, "unsupported_media_type")),
        (&[json, ("content-encoding", "gzip")], (415, "unsupported_media_type")),
        (&[("content-type", "application/json; charset=UTF-8")], (202, "-")),
    ] {
        assert_eq!(send(headers, body.to_owned()).await.outcome(), outcome, "{headers:?}");
    }
    let padded = |bytes: usize| format!("{body}{}", " ".repeat(bytes - body.len()));
    assert_eq!(send(&[json], padded(256 * 1024)).await.outcome(), (202, "-"));
    assert_eq!(
        send(&[json], padded(256 * 1024 + 1)).await.outcome(),
        (413, "body_too_large")
    );
}

#[tokio::test]
async fn a_body_of_unknown_length_is_limited_too() {
    let (service, _, path) = service().await;
    let chunks = (0..300).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024]));
    let body = Body::from_stream(futures_util::stream::iter(chunks));
    let request = Request::post(&path).header(CONTENT_TYPE, "application/json").body(body);
    let answer = service.call(request.expect("a request")).await;
    assert_eq!(answer.outcome(), (413, "body_too_large"));

    let broken = futures_util::stream::iter([Ok(vec![b'{']), Err(std::io::Error::other("gone"))]);
    let request = Request::post(&path)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from_stream(broken));
    let answer = service.call(request.expect("a request")).await;
    assert_eq!(answer.outcome(), (400, "bad_request"));
}

#[tokio::test]
async fn a_paused_tenants_messages_are_accepted_and_held() {
    let (service, tenant, path) = service().await;
    service
        .post(&format!("/tenants/{}/pause", tenant.id), &Value::Null)
        .await;
    let answer = service.post(&path, &json!({"to": "+919111111111", "text": "x"})).await;
    assert_eq!(answer.status.as_u16(), 202);
    assert_eq!(answer.json["status"], "held");
}

#[tokio::test]
async fn a_number_as_at_home_is_completed_and_shown() {
    let (service, tenant, path) = service().await;
    let number = format!("/tenants/{}/phone-numbers/111111111111111", tenant.id);
    let wrong = service.patch(&number, &json!({"defaultCountry": "India"})).await;
    assert_eq!(wrong.outcome(), (422, "invalid_field"));
    let changed = service.patch(&number, &json!({"defaultCountry": "IN"})).await;
    assert_eq!(
        changed.json["phoneNumbers"][0]["defaultCountry"], "IN",
        "{}",
        changed.text
    );

    let body = json!({"to": "091111 11111", "text": "x", "idempotency_key": "k"});
    for status in [202, 200] {
        let answer = service.post(&path, &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["to"]),
            (status, &json!("+919111111111"))
        );
    }
    let in_full = json!({"to": "+919111111111", "text": "x", "idempotency_key": "k"});
    let answer = service.post(&path, &in_full).await;
    assert_eq!((answer.status.as_u16(), answer.json.get("to")), (200, None));

    let cleared = service.patch(&number, &json!({"defaultCountry": ""})).await;
    assert_eq!(cleared.json["phoneNumbers"][0]["defaultCountry"], Value::Null);
    assert_eq!(service.post(&path, &body).await.outcome(), (422, "invalid_to"));
}
