//! Dead letters as NDJSON.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{Request, Response};
use dakghar_core::domain::Status;
use dakghar_testkit::samples::{self, With as _};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::harness::{Service, TestTenant};

/// More than the pages of an export have together with their bytes.
const LETTERS: usize = 450;
/// The most bytes of records on a page, with room for what stands around them.
const CHUNK_BYTES_MAX: usize = 4 * 1024 * 1024;

async fn ask(service: &Service, path: &str) -> Response<Body> {
    let request = Request::get(path).header(ACCEPT, "application/json;q=0.5, application/x-ndjson");
    let request = request.body(Body::empty()).expect("a request");
    service.router.clone().oneshot(request).await.expect("infallible")
}

/// The lines of an answer, each as JSON.
async fn lines(response: Response<Body>) -> Vec<Value> {
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/x-ndjson");
    let body = response.into_body().collect().await.expect("a whole answer").to_bytes();
    let text = String::from_utf8(body.to_vec()).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    lines.collect()
}

async fn letters(service: &Service, tenant: &TestTenant, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        let status = [Status::Dead, Status::Failed, Status::Expired][n % 3];
        let letter = samples::outbound(samples::tenant_id()).with(|message| message.delivery.status = status);
        ids.push(service.store_message(tenant, letter).await);
    }
    ids.reverse();
    ids
}

fn ids(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn an_export_has_every_dead_letter_of_its_tenant_and_nobody_elses() {
    let service = Service::open();
    let a = service.register("Tenant A", "111111111111111").await;
    let b = service.register("Tenant B", "222222222222222").await;
    let own = letters(&service, &a, LETTERS).await;
    let others = letters(&service, &b, 3).await;
    let sent = samples::outbound(samples::tenant_id()).with(|message| message.delivery.status = Status::Sent);
    service.store_message(&a, sent).await;

    let path = format!("/tenants/{}/dead-letters", a.id);
    let exported = lines(ask(&service, &path).await).await;
    assert_eq!(ids(&exported), own);
    let shown = service.get(&format!("/tenants/{}/messages/{}", a.id, own[7])).await;
    let mut message = shown.json.clone();
    message.as_object_mut().expect("an object").remove("statuses");
    assert_eq!(
        exported[7], message,
        "a line has the form of a message, without its reports"
    );
    let all = lines(ask(&service, "/dead-letters").await).await;
    assert_eq!(all.len(), LETTERS + 3);
    assert_eq!(ids(&all[..3]), others, "newest first");

    // Without that type it is a page, as ever.
    assert_eq!(service.get(&path).await.json["data"].as_array().map(Vec::len), Some(50));
    for parameter in ["limit=10", "cursor=x"] {
        let refused = ask(&service, &format!("{path}?{parameter}")).await;
        assert_eq!(refused.status().as_u16(), 400, "{parameter}");
    }
}

#[tokio::test]
async fn an_export_is_read_page_by_page_as_its_client_takes_it() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let large = format!("{{\"body\":\"{}\"}}", "x".repeat(500_000));
    for _ in 0..20 {
        let letter = samples::outbound(samples::tenant_id()).with(|message| {
            message.delivery.status = Status::Failed;
            message.accepted.content.body = large.as_str().into();
        });
        service.store_message(&tenant, letter).await;
    }
    let response = ask(&service, &format!("/tenants/{}/dead-letters", tenant.id)).await;
    // What ends before its page is read is no dead letter any more.
    let mut body = response.into_body().into_data_stream();
    let first = body.next().await.expect("a chunk").expect("bytes");
    assert!(first.len() < CHUNK_BYTES_MAX, "{} bytes at a time", first.len());
    let path = format!("/tenants/{}/dead-letters", tenant.id);
    let newest = service.get(&format!("{path}?limit=200")).await;
    let cursor = newest.json["nextCursor"]
        .as_str()
        .expect("a page does not have all")
        .to_owned();
    let next = service.get(&format!("{path}?limit=200&cursor={cursor}")).await;
    let taken = next.json["data"][0]["id"]
        .as_str()
        .expect("a letter of the second page")
        .to_owned();
    let redrive = format!("/tenants/{}/messages/{taken}/redrive", tenant.id);
    assert_eq!(service.post_text(&redrive, "").await.status.as_u16(), 200);
    let mut rest = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.expect("bytes");
        assert!(chunk.len() < CHUNK_BYTES_MAX, "{} bytes at a time", chunk.len());
        rest.extend_from_slice(&chunk);
    }
    let whole = String::from_utf8([&first[..], &rest[..]].concat()).expect("UTF-8");
    assert_eq!(whole.lines().count(), 19);
    assert!(!whole.contains(&taken));
}
