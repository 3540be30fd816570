//! Everything of a tenant as NDJSON.

use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use dakghar_core::domain::{Status, TenantId, WebhookEvent};
use dakghar_core::ports::EventStore as _;
use dakghar_testkit::samples::{self, With as _};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::harness::{Service, TestTenant};

/// More than two pages.
const MESSAGES: usize = 450;

async fn ask(service: &Service, path: &str) -> Vec<Value> {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let response = service.router.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/x-ndjson");
    let body = response.into_body().collect().await.expect("a whole answer").to_bytes();
    let text = String::from_utf8(body.to_vec()).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

async fn fill(service: &Service, tenant: &TestTenant, messages: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..messages {
        let message = samples::outbound(samples::tenant_id()).with(|message| message.delivery.status = Status::Sent);
        ids.push(service.store_message(tenant, message).await);
    }
    let event = WebhookEvent {
        tenant_id: Some(TenantId::parse(&tenant.id).expect("an id")),
        ..samples::event(samples::tenant_id())
    };
    service.store.record(&[event]).await.expect("stored");
    ids.reverse();
    ids
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let lines = lines.iter().filter(|line| line["kind"] == kind);
    lines.map(|line| &line["data"]).collect()
}

fn ids(messages: &[&Value]) -> Vec<String> {
    let id = |message: &&Value| message["id"].as_str().expect("an id").to_owned();
    messages.iter().map(id).collect()
}

#[tokio::test]
async fn an_export_has_everything_of_its_tenant_and_nothing_of_anybody_else() {
    let service = Service::open();
    let ours = service.register("Tenant A", "111111111111111").await;
    let theirs = service.register("Tenant B", "222222222222222").await;
    let own = fill(&service, &ours, MESSAGES).await;
    fill(&service, &theirs, 3).await;
    let path = format!("/tenants/{}/export", ours.id);
    let lines = ask(&service, &path).await;
    assert_eq!(ids(&of_kind(&lines, "message")), own);
    assert_eq!(of_kind(&lines, "event").len(), 1);
    assert_eq!(of_kind(&lines, "tenant")[0]["tenantId"], ours.id.as_str());
    assert_eq!(lines.last().expect("a line")["kind"], "end");
    let text = format!("{lines:?}");
    assert!(!text.contains(&theirs.id) && !text.contains("Tenant B") && !text.contains(&ours.key));
    let message = of_kind(&lines, "message")[7];
    assert!(message["timeline"].is_array(), "{message}");
    let only = ask(&service, &format!("{path}?kind=events")).await;
    assert_eq!((only.len(), of_kind(&only, "event").len()), (2, 1));
}

#[tokio::test]
async fn an_export_goes_on_behind_any_of_its_cursors() {
    let service = Service::open();
    let ours = service.register("Tenant A", "111111111111111").await;
    let theirs = service.register("Tenant B", "222222222222222").await;
    fill(&service, &ours, MESSAGES).await;
    let path = format!("/tenants/{}/export", ours.id);
    let whole = ask(&service, &path).await;
    let cursors = of_kind(&whole, "cursor");
    assert!(cursors.len() >= 6, "{cursors:?}");
    for cursor in &cursors {
        let cursor = cursor.as_str().expect("a cursor");
        let rest = ask(&service, &format!("{path}?cursor={cursor}")).await;
        let place = whole
            .iter()
            .position(|line| line["data"] == cursor)
            .expect("it is there");
        assert_eq!(rest, whole[place + 1..]);
        let foreign = service
            .get(&format!("/tenants/{}/export?cursor={cursor}", theirs.id))
            .await;
        assert_eq!(
            foreign.status == 400,
            cursor.contains(':'),
            "{cursor}: {}",
            foreign.text
        );
    }
    for bad in [
        "cursor=x",
        "cursor=messages:x",
        "kind=secrets",
        "kind=people&cursor=messages",
        "limit=3",
    ] {
        let refused = service.get(&format!("{path}?{bad}")).await;
        assert_eq!(refused.status, 400, "{bad}: {}", refused.text);
    }
}
