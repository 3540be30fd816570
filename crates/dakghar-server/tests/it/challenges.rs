//! Meta's challenge: when it is put to a receiver, and what is told of an answer that is none.

use std::collections::BTreeMap;

use axum::http::Method;
use dakghar_core::domain::callback::CallbackFailure;
use dakghar_core::ports::CallbackOutcome;
use dakghar_testkit::memory::Asked;
use serde_json::{Value, json};

use crate::harness::{Answer, Service, endpoints_path as path, request, service_with_tenant as service};

const URL: &str = "https://example.com/hook?shop=7";
const OTHER: &str = "https://example.org/hook";
const TOKEN: &str = "a-token=with&signs";

fn with_token(url: &str) -> Value {
    json!({"url": url, "format": "meta", "verifyToken": TOKEN})
}

async fn patch(service: &Service, path: &str, body: &Value) -> Answer {
    service.call(request(Method::PATCH, path, Some(body))).await
}

/// The next question at this URL is answered so.
fn answers(service: &Service, url: &str, status: u16, text: &str) {
    let outcome = CallbackOutcome::Answered {
        status,
        retry_after: None,
        failure_body: Some(text.to_owned()),
    };
    service.receivers.answer(url, outcome);
}

/// The URLs and the tokens that were asked since so many.
fn asked(service: &Service, since: usize) -> Vec<(String, String)> {
    let of = |asked: Asked| (asked.url, asked.pairs["hub.verify_token"].clone());
    service.receivers.asked().into_iter().skip(since).map(of).collect()
}

#[tokio::test]
async fn the_receiver_is_asked_as_meta_asks_and_each_time_something_else() {
    let (service, tenant) = service().await;
    for _ in 0..2 {
        let made = service.post(&path(&tenant, ""), &with_token(URL)).await;
        assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    }
    let asked = service.receivers.asked();
    let [first, second] = &asked[..] else {
        panic!("{asked:?}")
    };
    let challenge = &first.pairs["hub.challenge"];
    assert!(
        challenge.len() >= 32 && *challenge != second.pairs["hub.challenge"],
        "{asked:?}"
    );
    let pairs = BTreeMap::from([
        ("hub.mode", "subscribe".to_owned()),
        ("hub.challenge", challenge.clone()),
        ("hub.verify_token", TOKEN.to_owned()),
    ]);
    assert_eq!((&*first.url, &first.pairs), (URL, &pairs));
}

#[tokio::test]
async fn an_answer_that_is_not_the_challenge_is_told_and_nothing_is_made() {
    let (service, tenant) = service().await;
    let long = "x".repeat(5_000);
    for (status, text, told) in [
        (200, "hello", "not with 200 and \"hello\""),
        (200, "", "not with 200 and \"\""),
        (200, &*long, &*format!("\"{}\"", "x".repeat(80))),
        (302, "", "not with 302"),
        (403, "wrong token", "not with 403 and \"wrong token\""),
        (500, "<h1>\n\u{7}", "not with 500 and \"<h1>\\n\\u{7}\""),
    ] {
        answers(&service, URL, status, text);
        let answer = service.post(&path(&tenant, ""), &with_token(URL)).await;
        assert_eq!(answer.outcome(), (422, "challenge_failed"), "{status} {text}");
        let error = &answer.json["errors"][0];
        assert_eq!(error["pointer"], "/url", "{}", answer.text);
        assert!(
            error["message"].as_str().expect("a text").contains(told),
            "{told}: {error}"
        );
        assert!(!answer.text.contains(TOKEN), "{}", answer.text);
    }
    for failure in CallbackFailure::ALL {
        service.receivers.answer(URL, CallbackOutcome::Failed(failure));
        let answer = service.post(&path(&tenant, ""), &with_token(URL)).await;
        assert_eq!(answer.outcome(), (422, "challenge_failed"));
        assert!(answer.text.contains(failure.as_str()), "{}", answer.text);
    }
    assert_eq!(service.get(&path(&tenant, "")).await.json["data"], json!([]));
}

#[tokio::test]
async fn a_new_url_or_token_is_asked_and_nothing_else() {
    let (service, tenant) = service().await;
    // Without a token there is no challenge, and Standard Webhooks knows none.
    for body in [json!({"url": URL}), json!({"url": URL, "format": "meta"})] {
        assert_eq!(service.post(&path(&tenant, ""), &body).await.status.as_u16(), 201);
    }
    assert_eq!(asked(&service, 0), []);
    let made = service.post(&path(&tenant, ""), &with_token(URL)).await.json;
    let one = path(&tenant, &format!("/{}", made["endpointId"].as_str().expect("an id")));
    for body in [json!({"url": OTHER}), json!({"verifyToken": "another-token"})] {
        let url = if body["url"].is_null() { URL } else { OTHER };
        answers(&service, url, 404, "");
        assert_eq!(
            patch(&service, &one, &body).await.outcome(),
            (422, "challenge_failed"),
            "{body}"
        );
    }
    assert_eq!(
        service.get(&one).await.json["version"],
        0,
        "a change that is refused changes nothing"
    );
    let cases: [(Value, &[(&str, &str)]); 7] = [
        (json!({"perSecond": 7, "url": URL}), &[]),
        (json!({"url": OTHER}), &[(OTHER, TOKEN)]),
        (json!({"verifyToken": "another-token"}), &[(OTHER, "another-token")]),
        (
            json!({"url": URL, "verifyToken": "one-token-more"}),
            &[(URL, "one-token-more")],
        ),
        (json!({"url": OTHER, "verifyToken": null}), &[]),
        (json!({"url": URL}), &[]),
        (json!({"verifyToken": TOKEN}), &[(URL, TOKEN)]),
    ];
    for (body, expected) in cases {
        let before = service.receivers.asked().len();
        let changed = patch(&service, &one, &body).await;
        assert_eq!(changed.status.as_u16(), 200, "{body}: {}", changed.text);
        let asked = asked(&service, before);
        let asked: Vec<_> = asked.iter().map(|(url, token)| (&**url, &**token)).collect();
        assert_eq!(asked, expected, "{body}");
    }
}

#[tokio::test]
async fn nobody_is_asked_for_what_is_refused_anyway() {
    let (service, tenant) = service().await;
    let made = service.post(&path(&tenant, ""), &with_token(URL)).await.json;
    let one = path(&tenant, &format!("/{}", made["endpointId"].as_str().expect("an id")));
    for (field, value) in [
        ("url", json!("https://10.0.0.1/")),
        ("url", json!("http://example.com/")),
        ("kinds", json!(["no.such.kind"])),
        ("batchMax", json!(0)),
    ] {
        let mut body = with_token(OTHER);
        body[field] = value;
        let answer = service.post(&path(&tenant, ""), &body).await;
        assert!(
            answer.status.as_u16() == 422 && answer.json["code"] != "challenge_failed",
            "{}",
            answer.text
        );
        body.as_object_mut().expect("an object").remove("format");
        assert_eq!(patch(&service, &one, &body).await.status.as_u16(), 422);
    }
    let mut changed = request(Method::PATCH, &one, Some(&json!({"url": OTHER})));
    changed
        .headers_mut()
        .insert("if-match", "\"7\"".parse().expect("a value"));
    assert_eq!(service.call(changed).await.outcome(), (412, "version_conflict"));
    assert_eq!(service.receivers.asked().len(), 1);
}
