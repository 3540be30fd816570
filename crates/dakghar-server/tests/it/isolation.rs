//! No call of one tenant shows or changes what belongs to another.

use axum::http::Method;
use serde_json::{Value, json};

use crate::contract::{Access, operations};
use crate::harness::{ADMIN_KEY, Service, Setup, known_app, request};

/// Everything that identifies a thing of the other tenant.
struct Foreign {
    tenant_id: String,
    phone_number_id: String,
    message_id: String,
    conversation_id: String,
    person_id: String,
    redrive_id: String,
    erasure_id: String,
    signup_id: String,
    endpoint_id: String,
    key_id: String,
    replay_id: String,
}

#[tokio::test]
async fn every_tenant_operation_hides_what_belongs_to_another() {
    let mut service = Service::start(Setup {
        app_secret: None,
        default_app: known_app(),
        ..Setup::production()
    });
    service.key = Some(ADMIN_KEY.into());
    let ours = service.register("Tenant A", "111111111111111").await;
    let theirs = service.register("Tenant B", "222222222222222").await;
    service.key = Some(theirs.key.clone());
    let message_id = service.send(&theirs, "+919222222222", "their canary").await;
    service
        .post("/whatsapp/webhook", &inbound("222222222222222", "919222222222"))
        .await;
    let conversations = service.get(&format!("/tenants/{}/conversations", theirs.id)).await;
    let redrive = service
        .post(&format!("/tenants/{}/dead-letters/redrive", theirs.id), &json!({}))
        .await;
    let endpoint = json!({"url": "https://their-canary.example.com/hook"});
    let endpoint = service
        .post(&format!("/tenants/{}/endpoints", theirs.id), &endpoint)
        .await;
    let endpoint_id = endpoint.json["endpointId"].as_str().expect("an id").to_owned();
    let replays = format!("/tenants/{}/endpoints/{endpoint_id}/replays", theirs.id);
    let replay = service.post(&replays, &json!({"from": "1"})).await;
    let keys = service.get(&format!("/tenants/{}/keys", theirs.id)).await;
    // Of somebody else, so that nothing of what is looked for goes.
    let erasures = format!("/tenants/{}/erasures", theirs.id);
    let erasure = service.post(&erasures, &json!({"person": "+919333333333"})).await;
    let signups = format!("/tenants/{}/signups", theirs.id);
    let signup = service.post(&signups, &json!({"code": "their-canary-code"})).await;
    let foreign = Foreign {
        signup_id: signup.json["signupId"].as_str().expect("an id").to_owned(),
        erasure_id: erasure.json["id"].as_str().expect("an id").to_owned(),
        tenant_id: theirs.id.clone(),
        phone_number_id: theirs.phone_number_id.clone(),
        message_id,
        replay_id: replay.json["id"].as_str().expect("an id").to_owned(),
        endpoint_id,
        key_id: keys.json["data"][0]["keyId"].as_str().expect("an id").to_owned(),
        redrive_id: redrive.json["id"].as_str().expect("an id").to_owned(),
        conversation_id: conversations.json["data"][0]["id"].as_str().expect("an id").to_owned(),
        person_id: conversations.json["data"][0]["personId"]
            .as_str()
            .expect("an id")
            .to_owned(),
    };
    let before = snapshot(&service, &foreign).await;

    service.key = Some(ours.key.clone());
    for operation in operations()
        .into_iter()
        .filter(|operation| operation.access() == Access::Tenant)
    {
        // Below the other's id, and below our own id with the other's things.
        for tenant_id in [&foreign.tenant_id, &ours.id] {
            let path = operation
                .path
                .replace("{tenantId}", tenant_id)
                .replace("{phoneNumberId}", &foreign.phone_number_id)
                .replace("{messageId}", &foreign.message_id)
                .replace("{endpointId}", &foreign.endpoint_id)
                .replace("{keyId}", &foreign.key_id)
                .replace("{replayId}", &foreign.replay_id)
                .replace("{redriveId}", &foreign.redrive_id)
                .replace("{erasureId}", &foreign.erasure_id)
                .replace("{signupId}", &foreign.signup_id)
                .replace("{conversationId}", &foreign.conversation_id)
                .replace("{personId}", &foreign.person_id);
            let body = example_for(operation.value);
            let answer = service
                .call(request(operation.method.clone(), &path, body.as_ref()))
                .await;
            let names_their_thing = operation.path.matches('{').count() > 1;
            if *tenant_id == foreign.tenant_id || names_their_thing {
                assert_eq!(answer.status, 404, "{} {path}: {}", operation.method, answer.text);
            }
            for secret in [
                "their canary",
                "919222222222",
                &foreign.message_id,
                &foreign.redrive_id,
                &foreign.erasure_id,
                &foreign.signup_id,
                &foreign.endpoint_id,
                &foreign.key_id,
                &foreign.replay_id,
                "their-canary",
                "Tenant B",
            ] {
                assert!(
                    !answer.text.contains(secret),
                    "{} {path}: {}",
                    operation.method,
                    answer.text
                );
            }
        }
    }
    service.key = Some(theirs.key.clone());
    assert_eq!(snapshot(&service, &foreign).await, before);
}

#[tokio::test]
async fn sending_from_anothers_number_is_not_found_and_keys_are_each_tenants_own() {
    let service = Service::open();
    let ours = service.register("Tenant A", "111111111111111").await;
    let theirs = service.register("Tenant B", "222222222222222").await;
    let message = json!({"to": "+919111111111", "text": "x", "from": theirs.phone_number_id});
    let answer = service.post(&format!("/tenants/{}/send", ours.id), &message).await;
    assert_eq!(answer.outcome(), (404, "phone_number_not_found"));
    assert!(service.queue.is_empty());

    let message = json!({"to": "+919111111111", "text": "x", "idempotency_key": "order-1"});
    let first = service.post(&format!("/tenants/{}/send", ours.id), &message).await;
    let second = service.post(&format!("/tenants/{}/send", theirs.id), &message).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (202, 202));
    assert_ne!(first.json["messageId"], second.json["messageId"]);
}

/// What a webhook of Meta says about a message from a person.
fn inbound(phone_number_id: &str, from: &str) -> Value {
    json!({"entry": [{"changes": [{"value": {
        "metadata": {"phone_number_id": phone_number_id},
        "messages": [{"from": from, "id": "wamid.1", "type": "text", "text": {"body": "their canary"}}],
    }}]}]})
}

/// The first example of the operation, if it takes a body.
fn example_for(operation: &Value) -> Option<Value> {
    let content = operation["requestBody"]["content"].get("application/json")?;
    let named = content["examples"]
        .as_object()
        .and_then(|examples| examples.values().next());
    named
        .map(|example| &example["value"])
        .or_else(|| content.get("example"))
        .cloned()
}

/// Everything that the other tenant sees of itself.
async fn snapshot(service: &Service, foreign: &Foreign) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [
        "",
        "/messages",
        "/conversations",
        "/people",
        "/events",
        "/dead-letters",
        "/dead-letters/redrives",
        "/phone-numbers",
        "/endpoints",
        "/keys",
    ] {
        let path = format!("/tenants/{}{path}", foreign.tenant_id);
        seen.push(service.call(request(Method::GET, &path, None)).await.json);
    }
    seen
}
