//! Who may call Meta's face, and what is none of it.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use super::{NUMBER, PATIENCE, World, hello, messages, refused};
use crate::harness::{ADMIN_KEY, Setup, request, with_key};

#[tokio::test]
async fn only_a_key_of_the_tenant_with_the_number_sends() {
    let world = World::with(PATIENCE, open_with_operator()).await;
    let service = &world.service;
    let other = service.register("Tenant B", "222222222222222").await;
    let path = format!("/tenants/{}/keys", world.tenant.id);
    let make = |scope: &str| json!({"name": scope, "scopes": [scope]});
    let key_of = async |scope: &str| {
        let made = with_key(request(Method::POST, &path, Some(&make(scope))), Some(ADMIN_KEY));
        let made = service.call(made).await;
        made.json["key"].as_str().expect("a key").to_owned()
    };
    let (sends, reads) = (key_of("send").await, key_of("read").await);
    let unknown = format!("dk_{}", "A".repeat(43));
    for (number, key, expected) in [
        (NUMBER, None, (401, 190)),
        (NUMBER, Some("EAAG-some-token-of-meta"), (401, 190)),
        (NUMBER, Some(unknown.as_str()), (401, 190)),
        // A number of another tenant and one of nobody are the same.
        (NUMBER, Some(other.key.as_str()), (401, 190)),
        ("333333333333333", Some(other.key.as_str()), (401, 190)),
        (NUMBER, Some(ADMIN_KEY), (403, 10)),
        (NUMBER, Some(reads.as_str()), (403, 10)),
    ] {
        let body = hello("+919111111111");
        let asked = with_key(request(Method::POST, &messages(number), Some(&body)), key);
        let answer = service.call_raw(asked).await;
        assert_eq!(refused(&answer), expected, "{number} {key:?}: {}", answer.text);
        let error = &answer.json["error"];
        assert_eq!(error["fbtrace_id"].as_str(), answer.header("x-request-id"));
        assert!(
            error["message"].as_str().is_some_and(|text| !text.contains("dk_")),
            "{error}"
        );
    }
    assert!(service.queue.is_empty());
    let body = hello("+919111111111");
    let mut asked = with_key(request(Method::POST, &messages(NUMBER), Some(&body)), Some(&sends));
    asked
        .headers_mut()
        .insert("x-dakghar-answer", "queue".parse().expect("text"));
    assert_eq!(service.call_raw(asked).await.status.as_u16(), 200);
    assert_eq!(service.queue.len(), 1);
}

fn open_with_operator() -> Setup {
    let mut setup = Setup::default();
    setup.http.admin_api_key = Some(dakghar_core::domain::Secret::new(ADMIN_KEY));
    setup
}

#[tokio::test]
async fn what_is_wrong_with_a_body_has_metas_codes() {
    let world = World::new(PATIENCE).await;
    for (body, code, ours) in [
        (r#"{"type":"text","text":{"body":"x"}}"#, 131_008, "invalid_to"),
        (
            r#"{"to":"00911","type":"text","text":{"body":"x"}}"#,
            131_009,
            "invalid_to",
        ),
        (
            r#"{"to":"+919111111111","type":"text","text":{"body":""}}"#,
            131_009,
            "empty_text",
        ),
        (
            r#"{"to":"+919111111111","type":"text","text":{"body":"x"},"context":{"message_id":"wamid.dakghar.x"}}"#,
            131_009,
            "invalid_context",
        ),
        (
            r#"{"to":"+919111111111","type":"text","text":{"body":"x"},"from":"222222222222222"}"#,
            100,
            "invalid_phone_number_id",
        ),
        ("{", 100, "malformed_json"),
        ("", 100, "body_required"),
    ] {
        let request = Request::post(messages(NUMBER))
            .header("content-type", "application/json")
            .body(Body::from(body))
            .expect("a request");
        let answer = world.service.call_raw(with_key(request, Some(&world.tenant.key))).await;
        assert_eq!(refused(&answer), (400, code), "{body}: {}", answer.text);
        assert_eq!(answer.header("x-dakghar-code"), Some(ours), "{body}");
    }
    assert!(world.service.queue.is_empty());
}

#[tokio::test]
async fn a_token_in_the_url_is_refused_and_paths_are_not_decoded() {
    let world = World::new(PATIENCE).await;
    let own = messages(NUMBER);
    for (path, expected) in [
        (format!("{own}?access_token={}", world.tenant.key), Some(100)),
        (format!("{own}?%61ccess_token=x"), Some(100)),
        (format!("{own}?x=1&appsecret_proof=x"), Some(100)),
        (format!("/v25.0/{NUMBER}%2fmessages"), Some(100)),
        (format!("/v25.0/{NUMBER}/%6dessages"), Some(100)),
        ("/v25.0/../messages".to_owned(), Some(100)),
        ("/v25.0/me/messages".to_owned(), Some(100)),
        (format!("/v25/{NUMBER}/messages"), None),
        (format!("/V25.0/{NUMBER}/messages"), None),
        (format!("/v25.0/{NUMBER}/messages/1"), Some(100)),
        (format!("/v25.0/{NUMBER}//messages"), Some(100)),
    ] {
        let answer = world.post(&path, &hello("+919111111111"), &[]).await;
        match expected {
            Some(code) => assert_eq!(refused(&answer), (400, code), "{path}"),
            None => assert_eq!(answer.outcome(), (404, "not_found"), "{path}"),
        }
    }
    assert!(world.service.queue.is_empty());
}
