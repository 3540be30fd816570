//! Erasures of people over HTTP: a job, what it waits for, and the refusals.

use std::time::Duration;

use dakghar_core::domain::erasure::OPEN_ERASURES_MAX;
use dakghar_core::domain::{Message, MessageId, MessageKey, Status, TenantId, WaId};
use dakghar_core::ports::{MessageStore as _, Save, Saved};
use dakghar_testkit::samples::{self, With as _};
use serde_json::{Value, json};

use crate::harness::{Service, TestTenant};

const PERSON: &str = "+8801755512345";

fn to_person(status: Status) -> Message {
    samples::outbound(samples::tenant_id()).with(|message| {
        message.accepted.peer = Some(PERSON.into());
        message.accepted.peer_id = Some(WaId::parse(&PERSON[1..]).expect("digits"));
        message.delivery.status = status;
    })
}

async fn service() -> (Service, TestTenant) {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    // Behind the time of the samples.
    service.clock.advance(Duration::from_hours(1));
    (service, tenant)
}

fn path(tenant: &TestTenant) -> String {
    format!("/tenants/{}/erasures", tenant.id)
}

/// Works on erasures for so many rounds, or until this one is done.
async fn work(service: &Service, path: &str, rounds: usize) -> Value {
    for _ in 0..rounds {
        service.app.erasing.work().await.expect("a round");
        service.clock.advance(Duration::from_secs(3));
        let erasure = service.get(path).await.json;
        if erasure["status"] == "done" {
            return erasure;
        }
    }
    service.get(path).await.json
}

/// Meta's answer to a message that was in doubt is known.
async fn settle(service: &Service, tenant: &TestTenant, id: &str) {
    let key = MessageKey {
        tenant_id: TenantId::parse(&tenant.id).expect("an id"),
        message_id: MessageId::parse(id).expect("an id"),
    };
    let loaded = service.store.load(&[key]).await.remove(0);
    let mut message = loaded.expect("the store answers").expect("it is there");
    message.delivery.status = Status::Sent;
    assert_eq!(service.store.save(&[Save::quiet(&message)]).await, [Ok(Saved::Done)]);
}

async fn statuses(service: &Service, tenant: &TestTenant) -> Vec<String> {
    let answer = service.get(&format!("/tenants/{}/messages", tenant.id)).await;
    let messages = answer.json["data"].as_array().expect("a list").clone();
    let status = |message: &Value| message["status"].as_str().expect("one").to_owned();
    messages.iter().map(status).collect()
}

#[tokio::test]
async fn what_waits_is_cancelled_and_what_is_on_its_way_is_waited_for() {
    let (service, tenant) = service().await;
    for status in [Status::Sent, Status::Dead, Status::Queued, Status::Held] {
        service.store_message(&tenant, to_person(status)).await;
    }
    let doubt = service.store_message(&tenant, to_person(Status::InDoubt)).await;
    service
        .store_message(&tenant, samples::outbound(samples::tenant_id()))
        .await;

    let begun = service
        .post(&path(&tenant), &json!({"person": "+880 1755-512345"}))
        .await;
    assert_eq!((begun.status.as_u16(), &begun.json["status"]), (202, &json!("running")));
    let one = format!("{}/{}", path(&tenant), begun.json["id"].as_str().expect("an id"));
    let waits = work(&service, &one, 10).await;
    assert_eq!(
        (
            &waits["status"],
            &waits["place"],
            &waits["waiting"],
            &waits["cancelled"],
            &waits["erased"]["messages"]
        ),
        (&json!("running"), &json!("messages"), &json!(1), &json!(2), &json!(4))
    );
    assert_eq!(statuses(&service, &tenant).await, ["queued", "in_doubt"]);

    settle(&service, &tenant, &doubt).await;
    let done = work(&service, &one, 50).await;
    assert_eq!(
        (
            &done["status"],
            &done["waiting"],
            &done["erased"]["messages"],
            &done["needsVacuum"]
        ),
        (&json!("done"), &json!(0), &json!(5), &json!(false))
    );
    assert_eq!(statuses(&service, &tenant).await, ["queued"], "that of somebody else");
    assert!(!done.to_string().contains("8801755512345"));
    let listed = service.get(&path(&tenant)).await;
    assert_eq!(listed.json["data"], json!([done]));
}

#[tokio::test]
async fn what_comes_after_it_was_asked_for_stays() {
    let (service, tenant) = service().await;
    service.store_message(&tenant, to_person(Status::Sent)).await;
    let begun = service.post(&path(&tenant), &json!({"person": PERSON})).await;
    service.clock.advance(Duration::from_secs(1));
    let sent = service.send(&tenant, PERSON, "again").await;
    let one = format!("{}/{}", path(&tenant), begun.json["id"].as_str().expect("an id"));
    let done = work(&service, &one, 50).await;
    assert_eq!(
        (&done["status"], &done["erased"]["messages"]),
        (&json!("done"), &json!(1))
    );
    let message = service.get(&format!("/tenants/{}/messages/{sent}", tenant.id)).await;
    assert_eq!(message.json["status"], "queued");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_at_the_field() {
    let (mut service, tenant) = service().await;
    for (body, status, pointer) in [
        (json!({}), 422, "/person"),
        (json!({"person": ""}), 422, "/person"),
        (json!({"person": "two words"}), 422, "/person"),
        (json!({"person": 5}), 422, "/person"),
        (json!({"person": PERSON, "unrouted": "yes"}), 422, "/unrouted"),
        (json!({"person": PERSON, "who": 1}), 422, "/who"),
    ] {
        let answer = service.post(&path(&tenant), &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{body}: {}", answer.text);
    }
    for _ in 0..OPEN_ERASURES_MAX {
        let answer = service.post(&path(&tenant), &json!({"person": PERSON})).await;
        assert_eq!(answer.status, 202);
    }
    let answer = service.post(&path(&tenant), &json!({"person": PERSON})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["code"]),
        (409, &json!("too_many_erasures"))
    );
    let missing = service.get(&format!("{}/ers_x", path(&tenant))).await;
    assert_eq!(
        (missing.status.as_u16(), &missing.json["code"]),
        (404, &json!("erasure_not_found"))
    );
    service.key = Some(tenant.key.clone());
    let body = json!({"person": PERSON, "unrouted": true});
    let refused = service.post(&path(&tenant), &body).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json["code"]),
        (403, &json!("forbidden"))
    );
}
