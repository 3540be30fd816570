//! What Meta does at once for a number: nothing of it is stored or queued, and its answers are passed on.

use axum::http::Method;
use dakghar_core::domain::GraphRefusal;
use dakghar_core::ports::NumberCallFailure;
use dakghar_testkit::samples;
use serde_json::{Value, json};

use crate::harness::{Service, Setup, TestTenant, request};

async fn service() -> (Service, Setup, TestTenant) {
    let setup = Setup::default();
    let service = Service::start(setup.clone());
    let tenant = service.register("Tenant A", "111111111111111").await;
    (service, setup, tenant)
}

#[tokio::test]
async fn a_read_mark_in_metas_form_goes_to_meta_at_once_and_is_no_message() {
    let (service, setup, tenant) = service().await;
    let path = format!("/tenants/{}/send", tenant.id);
    let mark = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x",
        "typing_indicator": {"type": "text"}});
    let answer = service.post(&path, &mark).await;
    assert_eq!(
        (answer.status.as_u16(), answer.text.as_str()),
        (202, r#"{"success":true}"#)
    );
    assert_eq!(
        setup.numbers.asked(),
        [r#"111111111111111 MarkRead { wamid: "wamid.x", typing: true }"#]
    );
    let wrong = json!({"status": "read", "message_id": "x"});
    assert_eq!(service.post(&path, &wrong).await.outcome(), (422, "invalid_field"));
    let foreign = json!({"status": "read", "message_id": "wamid.x", "from": "222222222222222"});
    assert_eq!(
        service.post(&path, &foreign).await.outcome(),
        (404, "phone_number_not_found")
    );
    let list = service.get(&format!("/tenants/{}/messages", tenant.id)).await;
    assert_eq!(list.json["data"], json!([]));
    assert!(service.queue.is_empty() && setup.numbers.asked().is_empty());
}

#[tokio::test]
async fn a_persons_message_is_marked_by_our_id_and_no_other_one_is() {
    let (service, setup, tenant) = service().await;
    let received = service
        .store_message(&tenant, samples::inbound(samples::tenant_id(), "wamid.received"))
        .await;
    let path = |id: &str| format!("/tenants/{}/messages/{id}/read", tenant.id);
    let answer = service.call(request(Method::POST, &path(&received), None)).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let typing = service.post(&path(&received), &json!({"typing": true})).await;
    assert_eq!(typing.status.as_u16(), 200, "{}", typing.text);
    let asked = setup.numbers.asked();
    assert!(
        asked[0].contains("typing: false") && asked[1].contains("typing: true"),
        "{asked:?}"
    );

    let sent = service.send(&tenant, "+919111111111", "hello").await;
    assert_eq!(
        service.post(&path(&sent), &json!({})).await.outcome(),
        (409, "not_inbound")
    );
    for id in ["msg_00000000000000000000000009", "nothing"] {
        assert_eq!(
            service.post(&path(id), &json!({})).await.outcome(),
            (404, "message_not_found")
        );
    }
    let other = service.register("Tenant B", "222222222222222").await;
    let foreign = format!("/tenants/{}/messages/{received}/read", other.id);
    assert_eq!(
        service.post(&foreign, &json!({})).await.outcome(),
        (404, "message_not_found")
    );
    assert!(setup.numbers.asked().is_empty());
}

#[tokio::test]
async fn people_are_blocked_and_the_profile_is_changed() {
    let (service, setup, tenant) = service().await;
    let path = |what: &str| format!("/tenants/{}/phone-numbers/111111111111111/{what}", tenant.id);
    let users = json!({"users": ["+919111111111", "IN.1349"]});
    for what in ["block", "unblock"] {
        assert_eq!(service.post(&path(what), &users).await.status.as_u16(), 200);
    }
    service.get(&path("blocked?limit=7&after=abc")).await;
    service.get(&path("profile")).await;
    service
        .patch(&path("profile"), &json!({"about": "Books", "future": 1}))
        .await;
    assert_eq!(
        setup.numbers.asked(),
        [
            r#"111111111111111 Block(["+919111111111", "IN.1349"])"#,
            r#"111111111111111 Unblock(["+919111111111", "IN.1349"])"#,
            r#"111111111111111 Blocked { limit: 7, after: Some("abc") }"#,
            "111111111111111 Profile",
            r#"111111111111111 ChangeProfile("{\"about\":\"Books\",\"future\":1}")"#,
        ]
    );
    for (what, body) in [
        ("block", json!({"users": []})),
        ("block", json!({"users": vec!["+919111111111"; 101]})),
        ("unblock", json!({"users": "x"})),
    ] {
        assert_eq!(
            service.post(&path(what), &body).await.outcome(),
            (422, "invalid_field"),
            "{body}"
        );
    }
    for body in [
        json!({"about": "x".repeat(140)}),
        json!({"websites": ["a", "b", "c"]}),
        json!({"email": 7}),
    ] {
        assert_eq!(
            service.patch(&path("profile"), &body).await.outcome(),
            (422, "invalid_field"),
            "{body}"
        );
    }
    // Names that would make another request of it.
    for name in ["access_token", "Method", "ids", "fields", "phone_number_id", "about[0]"] {
        let answer = service
            .patch(&path("profile"), &json!({"about": "Books", name: "x"}))
            .await;
        assert_eq!(answer.outcome(), (422, "unknown_field"), "{name}");
    }
    let foreign = format!("/tenants/{}/phone-numbers/222222222222222/profile", tenant.id);
    assert_eq!(service.get(&foreign).await.outcome(), (404, "phone_number_not_found"));
    assert!(setup.numbers.asked().is_empty());
}

#[tokio::test]
async fn what_meta_refuses_or_does_not_answer_is_told() {
    let (service, setup, tenant) = service().await;
    let path = format!("/tenants/{}/phone-numbers/111111111111111/profile", tenant.id);
    setup.numbers.fail(NumberCallFailure::Refused(GraphRefusal {
        http_status: 400,
        code: 131_009,
        subcode: None,
        message: "(#131009) Parameter value is not valid".into(),
        details: Some("about is too long".into()),
        is_transient: None,
        retry_after: None,
        fbtrace_id: None,
    }));
    let refused = service.get(&path).await;
    assert_eq!(refused.outcome(), (422, "meta_refused"));
    assert_eq!(
        refused.json["detail"],
        Value::from("Meta refuses it with code 131009: about is too long")
    );
    setup
        .numbers
        .fail(NumberCallFailure::NoAnswer("no answer in time".into()));
    assert_eq!(service.get(&path).await.outcome(), (502, "meta_unavailable"));
}
