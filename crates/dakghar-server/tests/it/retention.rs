//! What is older than its tenant keeps it.

use std::time::Duration;

use axum::http::Method;
use dakghar_core::app::RetentionPass;
use dakghar_core::domain::Status;
use dakghar_core::domain::message::DeadReason;
use dakghar_core::metrics::{Label as _, LetterErased};
use dakghar_testkit::samples::{self, With as _};
use serde_json::{Value, json};

use crate::harness::{Service, TestTenant, request};

const DAY: Duration = Duration::from_hours(24);
/// Longer than a look at the time by which age is judged is good.
const A_LOOK: Duration = Duration::from_mins(2);

/// Runs a whole pass. Returns how many records were erased.
async fn pass(service: &Service) -> u64 {
    let mut pass = RetentionPass::default();
    let mut erased = 0;
    for _ in 0..1_000 {
        let step = service.app.retention.step(&mut pass).await.expect("the store answers");
        erased += step.erased;
        if step.is_through {
            return erased;
        }
    }
    panic!("the pass does not end");
}

async fn keep(service: &Service, tenant: &TestTenant, days: Value) {
    let path = format!("/tenants/{}", tenant.id);
    let change = request(Method::PATCH, &path, Some(&json!({"limits": {"retentionDays": days}})));
    let answer = service.call(change).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    assert_eq!(answer.json["limits"]["retentionDays"], days);
}

/// A message with this status that has just changed.
async fn message(service: &Service, tenant: &TestTenant, status: Status) -> String {
    let now = service.app.wall();
    let message = samples::outbound(samples::tenant_id()).with(|message| {
        message.delivery.status = status;
        message.delivery.updated_at = now;
    });
    service.store_message(tenant, message).await
}

async fn is_there(service: &Service, tenant: &TestTenant, id: &str) -> bool {
    let answer = service.get(&format!("/tenants/{}/messages/{id}", tenant.id)).await;
    answer.status.as_u16() == 200
}

#[tokio::test]
async fn settled_messages_are_erased_after_the_days_of_their_tenant_and_no_others() {
    let service = Service::open();
    let a = service.register("Tenant A", "111111111111111").await;
    let b = service.register("Tenant B", "222222222222222").await;
    // More tenants than are read at once.
    for n in 0..120 {
        service.register("Tenant", &format!("3{n:014}")).await;
    }
    keep(&service, &a, json!(30)).await;
    let sent = message(&service, &a, Status::Delivered).await;
    let waits = message(&service, &a, Status::Held).await;
    let kept = message(&service, &b, Status::Delivered).await;
    assert_eq!(pass(&service).await, 0);
    service.clock.advance(DAY * 29);
    let young = message(&service, &a, Status::Dead).await;
    assert_eq!(pass(&service).await, 0, "not before its time");
    service.clock.advance(DAY + Duration::from_secs(1));
    assert_eq!(pass(&service).await, 1);
    assert!(!is_there(&service, &a, &sent).await);
    assert!(is_there(&service, &a, &waits).await && is_there(&service, &a, &young).await);

    // For ever, whatever the others do.
    keep(&service, &b, json!(0)).await;
    service.clock.advance(DAY * 400);
    assert_eq!(pass(&service).await, 1);
    assert!(is_there(&service, &b, &kept).await && !is_there(&service, &a, &young).await);
    assert!(is_there(&service, &a, &waits).await, "what waits is not old");
}

/// Sets limits of a tenant.
async fn keep_letters(service: &Service, tenant: &TestTenant, limits: &Value) {
    let path = format!("/tenants/{}", tenant.id);
    let change = request(Method::PATCH, &path, Some(&json!({ "limits": limits })));
    let answer = service.call(change).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
}

#[tokio::test]
async fn dead_letters_are_kept_by_their_reason_and_counted_when_they_go() {
    let service = Service::open();
    let a = service.register("Tenant A", "111111111111111").await;
    let b = service.register("Tenant B", "222222222222222").await;
    keep(&service, &a, json!(90)).await;
    keep_letters(&service, &a, &json!({"expiredDays": 30, "unknownDays": 365})).await;
    let now = service.app.wall();
    let letter = async |tenant: &TestTenant, status: Status, reason: Option<DeadReason>| {
        let message = samples::outbound(samples::tenant_id()).with(|message| {
            message.delivery.status = status;
            message.delivery.dead_reason = reason;
            message.delivery.updated_at = now;
        });
        service.store_message(tenant, message).await
    };
    let expired = letter(&a, Status::Expired, None).await;
    let failed = letter(&a, Status::Failed, None).await;
    let unknown = letter(&a, Status::Dead, Some(DeadReason::OutcomeUnknown)).await;
    let exhausted = letter(&a, Status::Dead, Some(DeadReason::AttemptsExhausted)).await;
    let others = letter(&b, Status::Expired, None).await;
    let sent = message(&service, &a, Status::Sent).await;
    let left = async || {
        let mut left = Vec::new();
        for (tenant, id) in [
            (&a, &expired),
            (&a, &failed),
            (&a, &unknown),
            (&a, &exhausted),
            (&a, &sent),
            (&b, &others),
        ] {
            left.push(is_there(&service, tenant, id).await);
        }
        left
    };
    assert_eq!(pass(&service).await, 0);
    service.clock.advance(DAY * 31);
    assert_eq!(pass(&service).await, 1);
    assert_eq!(left().await, [false, true, true, true, true, true]);
    // The others as long as the tenant's messages; those of which nobody knows, longer.
    service.clock.advance(DAY * 60);
    assert_eq!(pass(&service).await, 3);
    assert_eq!(left().await, [false, false, true, false, false, true]);
    service.clock.advance(DAY * 275);
    assert_eq!(pass(&service).await, 1);
    assert_eq!(left().await, [false, false, false, false, false, true]);
    let erased = |class| service.app.metrics.letters_erased.of(class).get();
    let counts = LetterErased::ALL.iter().map(|class| erased(*class));
    assert_eq!(counts.collect::<Vec<_>>(), [1, 1, 1, 1], "each with its class");
}

/// Until the time by which age is judged has caught up with the clock.
async fn watch_a_month(service: &Service) {
    for _ in 0..3 {
        service.app.retention.watch().await.expect("the store answers");
        service.clock.advance(DAY * 30);
    }
    service.app.retention.watch().await.expect("the store answers");
}

#[tokio::test]
async fn contents_go_before_their_messages_and_what_lost_its_content_is_not_sent_again() {
    let service = Service::open();
    let a = service.register("Tenant A", "111111111111111").await;
    let b = service.register("Tenant B", "222222222222222").await;
    watch_a_month(&service).await;
    keep_letters(&service, &a, &json!({"contentDays": 7})).await;
    let sent = message(&service, &a, Status::Delivered).await;
    let letter = message(&service, &a, Status::Failed).await;
    let waits = message(&service, &a, Status::Held).await;
    let others = message(&service, &b, Status::Delivered).await;
    let shown = async |tenant: &TestTenant, id: &str| {
        let answer = service.get(&format!("/tenants/{}/messages/{id}", tenant.id)).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        answer.json
    };
    service.clock.advance(DAY * 7);
    assert_eq!(pass(&service).await, 0, "not before its time");
    let before = shown(&a, &sent).await;
    assert_eq!(before["contentRemovedAt"], Value::Null);
    assert_ne!(before["content"], Value::Null);
    service.clock.advance(A_LOOK);
    assert_eq!(pass(&service).await, 2);
    let removed_at = service.app.wall().to_string();
    let mut after = shown(&a, &sent).await;
    assert_eq!(after["contentRemovedAt"], removed_at);
    assert_eq!((&after["content"], &after["envelope"]), (&Value::Null, &Value::Null));
    for name in ["content", "envelope", "contentRemovedAt"] {
        after[name] = before[name].clone();
    }
    assert_eq!(after, before, "all else stays");
    for (tenant, id) in [(&a, &waits), (&b, &others)] {
        assert_eq!(shown(tenant, id).await["contentRemovedAt"], Value::Null);
    }
    let path = format!("/tenants/{}/messages/{letter}/redrive", a.id);
    let refused = service.call(request(Method::POST, &path, None)).await;
    assert_eq!(refused.outcome(), (409, "content_removed"), "{}", refused.text);
    let path = format!("/tenants/{}/dead-letters/redrive", a.id);
    let job = service
        .call(request(Method::POST, &path, Some(&json!({"status": "failed"}))))
        .await;
    assert_eq!(job.status.as_u16(), 202, "{}", job.text);
    assert_eq!(shown(&a, &letter).await["status"], "failed");
}

#[tokio::test]
async fn entries_of_the_feed_go_by_days_of_their_own() {
    let service = Service::open();
    let a = service.register("Tenant A", "111111111111111").await;
    watch_a_month(&service).await;
    keep(&service, &a, json!(365)).await;
    keep_letters(&service, &a, &json!({"feedDays": 7})).await;
    for wamid in ["wamid.A", "wamid.B"] {
        let message = json!({"id": wamid, "from": "919111111111", "type": "text", "text": {"body": "Hello"}});
        let value = json!({"metadata": {"phone_number_id": "111111111111111"}, "messages": [message]});
        let entry = json!({"id": "1", "changes": [{"field": "messages", "value": value}]});
        let posted = service.post("/whatsapp/webhook", &json!({"entry": [entry]})).await;
        assert_eq!(posted.status.as_u16(), 200, "{}", posted.text);
    }
    service.clock.advance(DAY * 7 + Duration::from_secs(1));
    assert_eq!(pass(&service).await, 1, "the last entry stays");
    let kept = service.get(&format!("/tenants/{}/messages", a.id)).await;
    assert_eq!(kept.json["data"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn nothing_can_be_kept_for_less_than_its_idempotency_key_must_guard() {
    let service = Service::open();
    let a = service.register("Tenant A", "111111111111111").await;
    let path = format!("/tenants/{}", a.id);
    for days in [1, 29, 36_501] {
        let change = request(Method::PATCH, &path, Some(&json!({"limits": {"retentionDays": days}})));
        let answer = service.call(change).await;
        assert_eq!(answer.outcome(), (422, "invalid_field"), "{}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], "/limits/retentionDays");
        let change = request(Method::PATCH, &path, Some(&json!({"limits": {"givenUpDays": days}})));
        let answer = service.call(change).await;
        assert_eq!(answer.outcome(), (422, "invalid_field"), "{}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], "/limits/givenUpDays");
    }
    for (name, days) in [("contentDays", 6), ("feedDays", 6), ("contentDays", 36_501)] {
        let change = request(Method::PATCH, &path, Some(&json!({"limits": {name: days}})));
        let answer = service.call(change).await;
        assert_eq!(answer.outcome(), (422, "invalid_field"), "{}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], format!("/limits/{name}"));
    }
}
