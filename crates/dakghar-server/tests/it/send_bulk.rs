//! `POST /tenants/{tenantId}/send-bulk`: many messages at once, each with a result of its own.

use std::collections::HashSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::harness::{Answer, Service, TestTenant};

async fn service() -> (Service, TestTenant, String) {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let path = format!("/tenants/{}/send-bulk", tenant.id);
    (service, tenant, path)
}

fn message(n: usize) -> Value {
    json!({"to": "+919111111111", "text": format!("parcel {n}"), "idempotency_key": format!("parcel-{n}")})
}

async fn post_as(service: &Service, path: &str, media_type: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header(CONTENT_TYPE, media_type).body(body.into());
    service.call(request.expect("a request")).await
}

/// The HTTP statuses of the results, in their order, which must be that of the request.
fn statuses(answer: &Answer) -> Vec<u64> {
    assert_eq!(answer.status.as_u16(), 207, "{}", answer.text);
    let results = answer.json["data"].as_array().expect("a list").iter().enumerate();
    results
        .map(|(index, result)| {
            assert_eq!(result["index"], index, "{result}");
            result["httpStatus"].as_u64().expect("a status")
        })
        .collect()
}

async fn stored(service: &Service, tenant: &TestTenant) -> usize {
    let path = format!("/tenants/{}/messages?limit=200", tenant.id);
    service.get(&path).await.json["data"].as_array().expect("a list").len()
}

#[tokio::test]
async fn one_that_is_wrong_among_many_keeps_no_other_back_and_is_pointed_at() {
    let (service, tenant, path) = service().await;
    let mut messages: Vec<Value> = (0..150).map(message).collect();
    messages[17] = json!({"to": "00911", "text": "", "idempotency_key": "parcel-17"});
    let answer = service.post(&path, &json!(messages)).await;
    let mut expected = vec![202; 150];
    expected[17] = 422;
    assert_eq!(statuses(&answer), expected);
    let wrong = &answer.json["data"][17];
    assert_eq!(wrong["messageId"], Value::Null);
    assert_eq!(wrong["problem"]["code"], "empty_text");
    let pointers: Vec<_> = wrong["problem"]["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| &error["pointer"])
        .collect();
    assert_eq!(pointers, ["/17/text", "/17/to"]);
    let ids: HashSet<_> = answer.json["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["messageId"].to_string())
        .collect();
    assert_eq!(ids.len(), 150, "149 ids, and null");
    assert_eq!(stored(&service, &tenant).await, 149);

    // After a lost answer the same is asked again.
    let again = service.post(&path, &json!(messages)).await;
    expected = vec![200; 150];
    expected[17] = 422;
    assert_eq!(statuses(&again), expected);
    for (first, again) in answer.json["data"]
        .as_array()
        .expect("a list")
        .iter()
        .zip(again.json["data"].as_array().expect("a list"))
    {
        assert_eq!(first["messageId"], again["messageId"]);
    }
    assert_eq!(stored(&service, &tenant).await, 149);
}

#[tokio::test]
async fn the_same_key_twice_is_one_message_or_a_conflict() {
    let (service, tenant, path) = service().await;
    let other = json!({"to": "+919111111111", "text": "another", "idempotency_key": "parcel-1"});
    let answer = service
        .post(&path, &json!([message(1), message(1), other, message(2)]))
        .await;
    assert_eq!(statuses(&answer), [202, 200, 409, 202]);
    let data = &answer.json["data"];
    assert_eq!(data[0]["messageId"], data[1]["messageId"]);
    assert_eq!(
        (&data[0]["duplicate"], &data[1]["duplicate"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(data[2]["problem"]["code"], "idempotency_key_conflict");
    assert_eq!(stored(&service, &tenant).await, 2);
}

#[tokio::test]
async fn what_is_no_list_of_messages_is_refused_as_a_whole() {
    let (service, tenant, path) = service().await;
    let many: Vec<Value> = (0..1_001).map(message).collect();
    let lines = |count: usize| "{}\n".repeat(count);
    let json = "application/json";
    let ndjson = "application/x-ndjson";
    let large = format!("[{}]", " ".repeat(4 * 1024 * 1024));
    for (media_type, body, outcome) in [
        (json, "[]".to_owned(), (400, "empty_batch")),
        (ndjson, "\n\n".to_owned(), (400, "empty_batch")),
        (json, json!(many).to_string(), (413, "batch_too_large")),
        (ndjson, lines(1_001), (413, "batch_too_large")),
        (json, large, (413, "body_too_large")),
        (json, String::new(), (400, "body_required")),
        (json, message(1).to_string(), (400, "malformed_json")),
        (json, "[{}".to_owned(), (400, "malformed_json")),
        ("text/plain", "[]".to_owned(), (415, "unsupported_media_type")),
    ] {
        let shown: String = body.chars().take(40).collect();
        assert_eq!(
            post_as(&service, &path, media_type, body).await.outcome(),
            outcome,
            "{shown}"
        );
    }
    let request = Request::post(&path)
        .header(CONTENT_TYPE, json)
        .header("Idempotency-Key", "k")
        .body(Body::from(json!([message(1)]).to_string()));
    let answer = service.call(request.expect("a request")).await;
    assert_eq!(answer.outcome(), (400, "invalid_idempotency_key"));
    assert_eq!(stored(&service, &tenant).await, 0);
}

#[tokio::test]
async fn lines_are_read_and_answered_one_by_one() {
    let (service, tenant, path) = service().await;
    let body = format!("{}\n\n{{broken\n{}\r\n[1]\n", message(1), message(2));
    let request = Request::post(&path)
        .header(CONTENT_TYPE, "application/x-ndjson; charset=utf-8")
        .body(Body::from(body));
    let answer = service.call(request.expect("a request")).await;
    assert_eq!(answer.status.as_u16(), 207);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let statuses: Vec<_> = lines.iter().map(|line| line["httpStatus"].as_u64()).collect();
    assert_eq!(statuses, [Some(202), Some(400), Some(202), Some(400)]);
    assert!(answer.text.ends_with('\n'));
    assert_eq!(stored(&service, &tenant).await, 2);

    let request = Request::post(&path)
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/x-ndjson")
        .body(Body::from(json!([message(1)]).to_string()));
    let answer = service.call(request.expect("a request")).await;
    let line: Value = serde_json::from_str(answer.text.trim_end()).expect("one line");
    assert_eq!(line["httpStatus"], 200);
}

#[tokio::test]
async fn a_byte_order_mark_in_front_is_no_part_of_the_body() {
    let (service, tenant, path) = service().await;
    let marked = |text: &str| format!("\u{feff}{text}");
    let lines = marked(&format!("{}\n{}\n", message(1), message(2)));
    let answer = post_as(&service, &path, "application/x-ndjson", lines).await;
    assert_eq!(answer.text.matches(r#""httpStatus":202"#).count(), 2, "{}", answer.text);
    let array = marked(&json!([message(3)]).to_string());
    let answer = post_as(&service, &path, "application/json", array).await;
    assert_eq!(statuses(&answer), [202]);
    let one = format!("/tenants/{}/send", tenant.id);
    let answer = post_as(&service, &one, "application/json", marked(&message(4).to_string())).await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
    let nothing = post_as(&service, &one, "application/json", marked("")).await;
    assert_eq!(nothing.outcome(), (400, "body_required"));
    // Only one, and only in front.
    let twice = post_as(&service, &one, "application/json", marked(&marked("{}"))).await;
    assert_eq!(twice.outcome(), (400, "malformed_json"));
    assert_eq!(stored(&service, &tenant).await, 4);
}

#[tokio::test]
async fn the_tenants_limit_of_waiting_messages_holds_for_each() {
    let (service, tenant, path) = service().await;
    let limits = json!({"limits": {"messagesWaiting": 60}});
    let limited = service.patch(&format!("/tenants/{}", tenant.id), &limits).await;
    assert_eq!(limited.status.as_u16(), 200, "{}", limited.text);
    let messages: Vec<Value> = (0..100).map(message).collect();
    let answer = service.post(&path, &json!(messages)).await;
    let accepted = statuses(&answer).iter().filter(|status| **status == 202).count();
    assert_eq!(accepted, 60);
    let refused = &answer.json["data"][99];
    assert_eq!(refused["problem"]["code"], "too_many_waiting", "{refused}");
    assert_eq!(stored(&service, &tenant).await, 60);

    let again = service.post(&path, &json!(messages)).await;
    let known = statuses(&again).iter().filter(|status| **status == 200).count();
    assert_eq!(known, 60, "what was accepted is answered as ever");
}

#[tokio::test]
async fn a_client_that_hangs_up_changes_nothing() {
    let (service, tenant, path) = service().await;
    let messages: Vec<Value> = (0..100).map(message).collect();
    // Given up at every moment, from before the first step on.
    let mut patience = 0;
    loop {
        let body = json!(messages);
        let asking = service.post(&path, &body);
        let given_up = tokio::time::timeout(Duration::from_micros(patience), asking).await;
        let is_answered = given_up.is_ok();
        for _ in 0..200 {
            if matches!(stored(&service, &tenant).await, 0 | 100) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let count = stored(&service, &tenant).await;
        assert!(
            count == 100 || count == 0 && !is_answered,
            "{count} of 100 after {patience} µs"
        );
        if is_answered {
            break;
        }
        patience = patience * 2 + 50;
    }
}

#[tokio::test]
async fn a_national_number_and_a_number_of_another_tenant_are_judged_for_each() {
    let (service, tenant, path) = service().await;
    let number = format!("/tenants/{}/phone-numbers/111111111111111", tenant.id);
    service.patch(&number, &json!({"defaultCountry": "IN"})).await;
    let answer = service
        .post(
            &path,
            &json!([
                {"to": "91111 11111", "text": "x"},
                {"to": "+919111111111", "text": "x", "from": "222222222222222"},
                7
            ]),
        )
        .await;
    assert_eq!(statuses(&answer), [202, 404, 400]);
    let data = &answer.json["data"];
    assert_eq!(data[0]["to"], "+919111111111");
    assert_eq!(data[1]["problem"]["code"], "phone_number_not_found");
    assert_eq!(data[1]["problem"]["errors"][0]["pointer"], "/1/from");
}
