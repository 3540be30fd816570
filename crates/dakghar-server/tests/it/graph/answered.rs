//! A client is told of its messages, and answered again, by the ids that it was answered with.

use std::collections::BTreeSet;
use std::time::Duration;

use dakghar_core::domain::message::Message;
use dakghar_core::domain::{MessageId, MessageKey, TenantId};
use dakghar_core::ports::{MessageStore as _, StoreError};
use serde_json::{Value, json};
use tokio::join;
use tokio::time::sleep;

use super::{NUMBER, PATIENCE, World, hello, id_of, messages};

/// What an endpoint of the format `meta` is told, entry by entry.
async fn told(world: &World) -> Vec<Value> {
    let id = TenantId::parse(&world.tenant.id).expect("an id");
    let reading = &world.service.app.reading;
    let page = reading.feed(&id, None, 100).await.expect("a page");
    let body = reading.meta_body(&id, &page.items).await.expect("no outage");
    let body: Value = serde_json::from_str(&body.expect("something was posted")).expect("JSON");
    let entries = body["entry"].as_array().expect("a list").iter();
    entries.map(|entry| entry["changes"][0]["value"].clone()).collect()
}

async fn stored(world: &World, gateway_id: &str) -> Message {
    let key = MessageKey {
        tenant_id: TenantId::parse(&world.tenant.id).expect("an id"),
        message_id: MessageId::of_gateway_id(gateway_id).expect("a gateway id"),
    };
    let found = world.service.store.load(&[key]).await.remove(0);
    found.expect("no outage").expect("it is stored")
}

fn found(told: &[Value], path: &str) -> BTreeSet<String> {
    let found = told.iter().filter_map(|value| value.pointer(path)?.as_str());
    found.map(str::to_owned).collect()
}

async fn posts(world: &World, messages: Value, statuses: Value) {
    let value = json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": NUMBER},
        "messages": messages, "statuses": statuses});
    let body = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "900", "changes": [{"field": "messages", "value": value}]}]});
    let posted = world.service.post("/whatsapp/webhook", &body).await;
    assert_eq!(posted.status.as_u16(), 200, "{}", posted.text);
}

#[tokio::test]
async fn a_message_is_told_of_by_the_id_that_its_client_was_answered_with() {
    let world = World::at_work().await;
    let queued = world.queue(&hello("+919111111111")).await;
    let wamid = world.until_status(&queued, "sent").await["wamid"].clone();
    let waited = id_of(&world.send(&hello("+919111111111")).await);
    assert!(waited.starts_with("wamid.META"), "{waited}");
    let quote = |id: &str, quoted: &Value| {
        json!({"from": "919111111111", "id": id, "timestamp": "1760000000", "type": "text", "text": {"body": "yes"},
            "context": {"from": "15550783881", "id": quoted}})
    };
    let reaction = json!({"from": "919111111111", "id": "wamid.a3", "timestamp": "1760000000", "type": "reaction",
        "reaction": {"message_id": wamid, "emoji": "👍"}});
    let status = |id: &Value| json!({"id": id, "status": "delivered", "timestamp": "1760000000", "recipient_id": "919111111111"});
    let metas = json!(waited);
    let written = json!([quote("wamid.a1", &wamid), quote("wamid.a2", &metas), reaction]);
    posts(&world, written, json!([status(&wamid), status(&metas)])).await;

    let told = told(&world).await;
    let both = BTreeSet::from([queued.clone(), waited]);
    assert_eq!(found(&told, "/statuses/0/id"), both);
    assert_eq!(found(&told, "/messages/0/context/id"), both);
    let reacted = found(&told, "/messages/0/reaction/message_id");
    assert_eq!(reacted, BTreeSet::from([queued.clone()]));
    // What a person wrote has Meta's own ids, and the API shows them of everything.
    let own = ["wamid.a1", "wamid.a2", "wamid.a3"].map(str::to_owned);
    assert_eq!(found(&told, "/messages/0/id"), BTreeSet::from(own));
    assert_eq!(world.message(&queued).await["wamid"], wamid);
}

#[tokio::test]
async fn a_repetition_is_answered_with_the_id_of_the_first_answer() {
    let (path, body) = (messages(NUMBER), hello("+919111111111"));
    let key = ("idempotency-key", "order-1");
    let world = World::new(Duration::from_millis(50)).await;
    let first = id_of(&world.post(&path, &body, &[key]).await);
    assert!(first.starts_with("wamid.dakghar."), "the time was over: {first}");
    world.work();
    world.until_status(&first, "sent").await;
    let again = world.post(&path, &body, &[key]).await;
    assert_eq!(
        (id_of(&again), again.header("x-dakghar-answer")),
        (first, Some("queue"))
    );

    let world = World::at_work().await;
    let first = id_of(&world.post(&path, &body, &[key]).await);
    assert!(first.starts_with("wamid.META"), "{first}");
    let again = world.post(&path, &body, &[key, ("x-dakghar-answer", "queue")]).await;
    assert_eq!((id_of(&again), again.header("x-dakghar-answer")), (first, Some("wait")));
}

#[tokio::test]
async fn a_store_that_is_away_when_the_wait_ends_is_no_error() {
    let world = World::new(Duration::from_millis(300)).await;
    let goes_away = async {
        let list = format!("/tenants/{}/messages", world.tenant.id);
        while world.service.get(&list).await.json["data"] == json!([]) {
            sleep(Duration::from_millis(5)).await;
        }
        world
            .service
            .store
            .fail_with(Some(StoreError::Unavailable("it is away".into())));
    };
    let body = hello("+919111111111");
    let (answer, ()) = join!(world.send(&body), goes_away);
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let id = id_of(&answer);
    assert!(id.starts_with("wamid.dakghar."), "{id}");
    world.service.store.fail_with(None);
    world.work();
    world.until_status(&id, "sent").await;
}

#[tokio::test]
async fn a_gateway_id_is_durable_before_it_is_answered() {
    let world = World::new(Duration::from_millis(50)).await;
    let body = hello("+919111111111");
    let (queued, waited) = (world.queue(&body).await, id_of(&world.send(&body).await));
    let later = json!({"to": "+919111111111", "type": "text", "text": {"body": "later"},
        "sendAt": (world.service.app.wall() + PATIENCE).to_string()});
    let later = id_of(&world.send(&later).await);
    for id in [queued, waited, later] {
        let known = stored(&world, &id).await.gateway_id();
        assert_eq!(known.map(|known| known.to_string()), Some(id));
    }
}
