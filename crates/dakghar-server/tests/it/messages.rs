//! One message: how it is shown, cancelling it, sending it again; and the conversations it belongs to.

use dakghar_core::domain::Timestamp;
use dakghar_core::domain::message::{DeadReason, SendError, Status};
use dakghar_core::ports::StoreError;
use dakghar_testkit::samples;
use dakghar_testkit::samples::With as _;
use serde_json::{Value, json};

use crate::harness::{Service, TestTenant};

async fn service() -> (Service, TestTenant, String) {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let path = format!("/tenants/{}/messages", tenant.id);
    (service, tenant, path)
}

#[tokio::test]
async fn a_message_is_shown_with_everything_that_happened_to_it() {
    let (service, tenant, path) = service().await;
    let sample = samples::outbound_full(samples::tenant_id());
    let raw = sample.accepted.content.body.to_string();
    let id = service.store_message(&tenant, sample.clone()).await;
    let answer = service.get(&format!("{path}/{id}")).await;
    // Spaces, escapes and number forms are as they were.
    assert!(answer.text.contains(&format!("\"content\":{raw}")), "{}", answer.text);
    let mut shown = answer.json.clone();
    for (field, expected) in [
        ("id", json!(id)),
        ("tenantId", json!(tenant.id)),
        ("phoneNumberId", json!("111111111111111")),
        ("direction", json!("outbound")),
        ("status", json!("in_doubt")),
        ("type", json!("template")),
        ("to", json!("+91 92222 22222")),
        ("from", json!("111111111111111")),
        ("wamid", json!("wamid.FULL1")),
        ("idempotencyKey", json!("order 1234/~")),
        ("attempts", json!(4)),
        ("deadReason", json!("outcome_unknown")),
        ("holdReason", json!("account_restricted")),
        ("priority", json!("low")),
        ("unknownOutcome", json!("fail")),
        ("metadata", json!({"order": "1234", "n": 1.5})),
        ("bizOpaqueCallbackData", json!("their own \u{1F4E6} data")),
        ("scheduledAt", json!("2026-11-22T10:00:10.009Z")),
        ("expiresAt", json!("2026-11-23T10:00:00.001Z")),
        (
            "conversationId",
            json!(sample.delivery.conversation_id.expect("a conversation").to_string()),
        ),
    ] {
        assert_eq!(shown[field].take(), expected, "{field}");
    }
    let error = &answer.json["error"];
    assert_eq!(error["code"], 131_026);
    assert_eq!(error["fbtraceId"], "AbC123");
    assert!(error["meaning"].is_string() && error["advice"].is_string(), "{error}");
    let timeline = answer.json["timeline"].as_array().expect("a timeline");
    assert_eq!(timeline[0]["event"], "accepted");
    assert_eq!(timeline[1]["outcome"], "refused: \"slow down\"");
    assert_eq!(timeline[1]["attempt"], 3);
    assert_eq!(timeline[1]["error"]["code"], 131_026);
    assert_eq!(timeline[2]["error"]["code"], Value::Null);

    let list = service.get(&path).await;
    assert_eq!(list.json["data"][0]["id"], json!(id));
    assert!(list.json["data"][0].get("timeline").is_none());
}

#[tokio::test]
async fn a_message_that_was_just_accepted_reads_as_documented() {
    let (service, tenant, path) = service().await;
    let body = json!({"to": "+919111111111", "text": "Hello", "idempotency_key": "order-1234"});
    let accepted = service.post(&format!("/tenants/{}/send", tenant.id), &body).await;
    let id = accepted.json["messageId"].as_str().expect("an id");
    let answer = service.get(&format!("{path}/{id}")).await;
    let mut documented = json!({
        "id": id, "tenantId": tenant.id, "phoneNumberId": "111111111111111", "direction": "outbound",
        "status": "queued", "type": "text", "to": "+919111111111", "from": "111111111111111",
        "content": {"body": "Hello"}, "contentRemovedAt": null, "envelope": null, "contact": null, "editedAt": null, "revokedAt": null, "origin": "client",
        "groupId": null, "wamid": null, "idempotencyKey": "order-1234",
        "attempts": 0, "error": null, "deadReason": null, "holdReason": null, "priority": "normal",
        "unknownOutcome": "auto", "scheduledAt": "2026-11-22T10:00:00.000Z", "expiresAt": null,
        "metadata": null, "bizOpaqueCallbackData": null, "conversationId": null,
        "createdAt": "2026-11-22T10:00:00.000Z", "updatedAt": "2026-11-22T10:00:00.000Z", "reportedAt": null, "delayMs": null,
        "statuses": [],
        "timeline": [{"at": "2026-11-22T10:00:00.000Z", "event": "accepted"}],
    });
    for receipt in ["messageStatus", "waId", "userId"] {
        documented[receipt] = Value::Null;
    }
    for flag in ["marketing", "requireOpenWindow"] {
        documented[flag] = json!(false);
    }
    documented["waitsFor"] = json!({"reason": "turn", "until": "2026-11-22T10:00:00.000Z"});
    assert_eq!(answer.json, documented);
}

#[tokio::test]
async fn an_error_is_explained_by_its_code_and_subcode() {
    let (service, tenant, path) = service().await;
    let mut meanings = Vec::new();
    for subcode in [None, Some(33)] {
        let refused = samples::outbound(samples::tenant_id()).with(|message| {
            message.delivery.status = Status::Failed;
            message.delivery.error = Some(SendError {
                code: Some(100),
                subcode,
                http_status: Some(400),
                message: "refused".into(),
                details: None,
                fbtrace_id: None,
            });
        });
        let id = service.store_message(&tenant, refused).await;
        let answer = service.get(&format!("{path}/{id}")).await;
        meanings.push(answer.json["error"]["meaning"].as_str().expect("known").to_owned());
    }
    assert!(meanings[1].contains("does not know this number"), "{meanings:?}");
    assert_ne!(meanings[0], meanings[1]);
}

#[tokio::test]
async fn what_is_not_this_tenants_is_not_found() {
    let (service, _, path) = service().await;
    let other = service.register("Tenant B", "222222222222222").await;
    let theirs = service.send(&other, "+919111111111", "x").await;
    let mut bodies = Vec::new();
    for id in [theirs.as_str(), "msg_00000000000000000000000000", "nonsense", "..%2f.."] {
        for (suffix, is_post) in [("", false), ("/cancel", true), ("/redrive", true)] {
            let path = format!("{path}/{id}{suffix}");
            let mut answer = if is_post {
                service.post_text(&path, "").await
            } else {
                service.get(&path).await
            };
            assert_eq!(answer.outcome(), (404, "message_not_found"), "{path}");
            answer.json["requestId"] = Value::Null;
            bodies.push(answer.json);
        }
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[tokio::test]
async fn a_message_is_cancelled_until_it_may_be_on_its_way() {
    let (service, tenant, path) = service().await;
    let id = service.send(&tenant, "+919111111111", "x").await;
    for _ in 0..2 {
        let answer = service.post_text(&format!("{path}/{id}/cancel"), "").await;
        assert_eq!(answer.json["status"], "cancelled");
    }
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Cancelled) {
        let message = samples::outbound(samples::tenant_id()).with(|message| {
            message.delivery.status = status;
            message.delivery.maybe_sent = true;
        });
        let id = service.store_message(&tenant, message).await;
        let answer = service.post_text(&format!("{path}/{id}/cancel"), "").await;
        assert_eq!(answer.outcome(), (409, "not_cancellable"));
        let may_have_reached_meta = matches!(
            status,
            Status::Queued | Status::Held | Status::Sending | Status::InDoubt
        );
        let detail = answer.json["detail"].as_str().expect("text");
        assert_eq!(
            detail.contains("may have reached Meta"),
            may_have_reached_meta,
            "{detail}"
        );
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_says_so_and_speaks_of_nothing_else() {
    let (service, _, path) = service().await;
    service.get(&path).await;
    service
        .store
        .fail_with(Some(StoreError::Unavailable("too slow".into())));
    let answer = service.get(&path).await;
    assert_eq!(answer.outcome(), (503, "store_unavailable"));
    assert_eq!(answer.json["detail"], "The store did not answer; please try again.");
    assert_eq!(answer.header("retry-after"), Some("2"));
}

#[tokio::test]
async fn dead_letters_are_listed_and_sent_again() {
    let (service, tenant, path) = service().await;
    let letter = |reason| {
        samples::outbound(samples::tenant_id()).with(|message| {
            message.delivery.status = Status::Dead;
            message.delivery.dead_reason = Some(reason);
        })
    };
    let exhausted = service
        .store_message(&tenant, letter(DeadReason::AttemptsExhausted))
        .await;
    let unknown = service.store_message(&tenant, letter(DeadReason::OutcomeUnknown)).await;
    for list in [
        "/dead-letters".to_owned(),
        format!("/tenants/{}/dead-letters", tenant.id),
    ] {
        let answer = service.get(&list).await;
        assert_eq!(answer.json["data"].as_array().expect("a list").len(), 2, "{list}");
    }
    let redrive = async |id: &str, body: &str| {
        service
            .post_text(&format!("{path}/{id}/redrive"), body.to_owned())
            .await
    };
    assert_eq!(redrive(&exhausted, "").await.json["status"], "queued");
    assert_eq!(redrive(&exhausted, "{}").await.outcome(), (409, "not_redrivable"));
    for body in [
        "",
        "{}",
        r#"{"confirmDuplicateRisk":false}"#,
        r#"{"confirmDuplicateRisk":null}"#,
    ] {
        assert_eq!(
            redrive(&unknown, body).await.outcome(),
            (409, "duplicate_risk_unconfirmed"),
            "{body}"
        );
    }
    for (body, outcome) in [
        (r#"{"confirmDuplicateRisk":"yes"}"#, (422, "invalid_field")),
        (r#"{"confirm":true}"#, (422, "unknown_field")),
        ("true", (400, "malformed_json")),
    ] {
        assert_eq!(redrive(&unknown, body).await.outcome(), outcome, "{body}");
    }
    let answer = redrive(&unknown, r#"{"confirmDuplicateRisk":true}"#).await;
    assert_eq!(answer.json["status"], "queued");
    let over = letter(DeadReason::AttemptsExhausted)
        .with(|message| message.delivery.expires_at = Some(Timestamp::from_millis(1)));
    let over = service.store_message(&tenant, over).await;
    for body in ["", r#"{"ignoreExpiry":false}"#, r#"{"confirmDuplicateRisk":true}"#] {
        assert_eq!(redrive(&over, body).await.outcome(), (409, "message_expired"), "{body}");
    }
    let answer = redrive(&over, r#"{"ignoreExpiry":true}"#).await;
    assert_eq!(
        (&answer.json["status"], &answer.json["expiresAt"]),
        (&json!("queued"), &Value::Null)
    );
    assert_eq!(service.get("/dead-letters").await.json["data"], json!([]));
}

#[tokio::test]
async fn a_conversation_shows_its_messages_and_its_window() {
    let (service, tenant, path) = service().await;
    let body = json!({"entry": [{"changes": [{"value": {
        "metadata": {"phone_number_id": "111111111111111"},
        "messages": [{"from": "919111111111", "id": "wamid.1", "type": "text", "text": {"body": "hi"}}],
    }}]}]});
    service.post("/whatsapp/webhook", &body).await;
    service.send(&tenant, "+919222222222", "to somebody else").await;
    let conversations = format!("/tenants/{}/conversations", tenant.id);
    let list = service.get(&conversations).await;
    let conversation = &list.json["data"][0];
    assert_eq!(conversation["waId"], "919111111111");
    assert_eq!(conversation["customerServiceWindowUntil"], "2026-11-23T10:00:00.000Z");
    let id = conversation["id"].as_str().expect("an id");
    assert_eq!(service.get(&format!("{conversations}/{id}")).await.json, *conversation);

    let messages = service.get(&format!("{conversations}/{id}/messages")).await;
    let inbound = &messages.json["data"][0];
    assert_eq!(messages.json["data"].as_array().expect("a list").len(), 1);
    assert_eq!(inbound["direction"], "inbound");
    assert_eq!(inbound["from"], "919111111111");
    assert_eq!(inbound["to"], "111111111111111");
    assert_eq!(inbound["content"], json!({"body": "hi"}));
    for (filter, found) in [
        ("direction=inbound", 1),
        ("direction=outbound", 0),
        ("from=919111111111", 1),
        ("from=919222222222", 0),
        ("to=919222222222", 0),
        ("phoneNumberId=111111111111111", 1),
        ("phoneNumberId=222222222222222", 0),
    ] {
        let answer = service.get(&format!("{conversations}/{id}/messages?{filter}")).await;
        assert_eq!(answer.json["data"].as_array().map(Vec::len), Some(found), "{filter}");
    }
    assert_eq!(
        service.get(&path).await.json["data"].as_array().expect("a list").len(),
        2
    );

    for id in ["cnv_00000000000000000000000000", "x"] {
        for path in [
            format!("{conversations}/{id}"),
            format!("{conversations}/{id}/messages"),
        ] {
            assert_eq!(
                service.get(&path).await.outcome(),
                (404, "conversation_not_found"),
                "{path}"
            );
        }
    }
}
