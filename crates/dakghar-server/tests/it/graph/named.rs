//! Messages that name others by gateway ids: Meta's ids are in their place when they are sent, and the order is kept.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use super::{PATIENCE, World, hello};
use crate::harness::request;

#[tokio::test]
async fn what_names_a_message_goes_after_it_and_by_metas_id() {
    let world = World::new(PATIENCE).await;
    let first = world.queue(&hello("+919111111111")).await;
    let answer = world
        .queue(&json!({"to": "+919111111111", "type": "text", "text": {"body": "and"},
            "context": {"message_id": first}}))
        .await;
    let reaction = world
        .queue(&json!({"to": "+919111111111", "type": "reaction",
            "reaction": {"message_id": first, "emoji": "👍"}}))
        .await;
    world.work();
    world.until_status(&answer, "sent").await;
    world.until_status(&reaction, "sent").await;
    let seen = world.graph.seen.lock().clone();
    let kinds: Vec<&str> = seen.iter().map(|message| &*message.accepted.content.kind).collect();
    assert_eq!((kinds[0], kinds.len()), ("text", 3));
    for message in &seen[1..] {
        let content = &message.accepted.content;
        match &*content.kind {
            "reaction" => assert_eq!(&*content.body, r#"{"emoji":"👍","message_id":"wamid.META1"}"#),
            _ => assert_eq!(
                content.envelope.as_deref(),
                Some(r#"{"context":{"message_id":"wamid.META1"}}"#)
            ),
        }
    }
    // The client's own words stay.
    let stored = world.message(&reaction).await;
    assert_eq!(stored["content"]["message_id"], json!(first));
}

#[tokio::test]
async fn what_names_a_message_that_waits_does_so_too() {
    let world = World::new(PATIENCE).await;
    let first = world.queue(&hello("+919111111111")).await;
    let path = |what: &str| format!("/tenants/{}/{what}", world.tenant.id);
    let held = world
        .queue(
            &json!({"to": "+919222222222", "type": "text", "text": {"body": "later"},
            "sendAt": (world.service.app.wall() + Duration::from_secs(3600)).to_string()}),
        )
        .await;
    let answer = world
        .queue(
            &json!({"to": "+919222222222", "type": "text", "text": {"body": "and"}, "context": {"message_id": held}}),
        )
        .await;
    world.work();
    world.until_status(&first, "sent").await;
    for _ in 0..20 {
        world.service.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let waiting = world.message(&answer).await;
    assert_eq!(waiting["status"], "queued", "{waiting}");
    let entries = waiting["timeline"].as_array().expect("a timeline").clone();
    let last = entries.last().expect("an entry");
    assert_eq!(last["reason"], "message_named_is_not_sent_yet");
    assert_eq!(world.graph.seen.lock().len(), 1);
    // It is cancelled, and so will never have an id: the answer goes without a quote.
    let cancel = path(&format!("messages/{held}/cancel"));
    world.service.call(request(Method::POST, &cancel, None)).await;
    world.until_status(&answer, "sent").await;
    assert_eq!(world.graph.seen.lock()[1].accepted.content.envelope, None);
}

#[tokio::test]
async fn a_reaction_to_what_was_never_sent_is_refused_without_a_call() {
    let world = World::new(PATIENCE).await;
    let other = world.service.register("Tenant B", "222222222222222").await;
    let first = world.queue(&hello("+919111111111")).await;
    let foreign = world.service.send(&other, "+919111111111", "hello").await;
    let cancel = format!("/tenants/{}/messages/{first}/cancel", world.tenant.id);
    world.service.call(request(Method::POST, &cancel, None)).await;
    world.work();
    let foreign = format!("wamid.dakghar.{foreign}");
    let nothing = "wamid.dakghar.msg_00000000000000000000000009".to_owned();
    for id in [first, foreign, nothing] {
        let answer = world
            .send(&json!({"to": "+919111111111", "type": "reaction", "reaction": {"message_id": id, "emoji": "👍"}}))
            .await;
        assert_eq!(super::refused(&answer), (400, 131_009), "{id}: {}", answer.text);
        // Ours, as Meta was not asked.
        let trace = answer.json["error"]["fbtrace_id"].as_str();
        assert_eq!(trace, answer.header("x-request-id"), "{}", answer.text);
    }
    let seen = world.graph.seen.lock().clone();
    assert!(
        seen.iter().all(|message| &*message.accepted.content.kind == "text"),
        "{seen:?}"
    );
}
