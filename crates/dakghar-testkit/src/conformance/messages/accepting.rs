//! Outbound messages are stored once for each key of a tenant.

use std::collections::HashSet;

use dakghar_core::domain::message::{Content, Idempotency};
use dakghar_core::domain::{Message, MessageId, MessageKey, Status, TraceContext};
use dakghar_core::ports::Acceptance;

use super::super::stores::{Stores, accept_all, load, save};
use crate::samples::{With as _, outbound, outbound_full, tenant_id, with_key};

/// The answer to a repetition of `first`.
fn replay_of(first: &Message) -> Acceptance {
    Acceptance::Replay {
        message_id: first.accepted.id,
        status: first.delivery.status,
        fingerprint: first.accepted.idempotency.as_ref().expect("a key").fingerprint,
    }
}

pub async fn accepted_messages_can_be_loaded(stores: Stores) {
    let tenant = tenant_id();
    let messages = [outbound(tenant), with_key(tenant, "k"), outbound(tenant_id())];
    accept_all(&stores, &messages).await;
    for message in messages {
        assert_eq!(load(&stores, message.key()).await, Some(message));
    }
    assert_eq!(stores.messages.accept(Vec::new()).await, []);
}

pub async fn every_field_of_an_outbound_message_survives(stores: Stores) {
    let tenant = tenant_id();
    let bare = outbound(tenant).with(|message| {
        message.accepted.peer = None;
        message.accepted.peer_id = None;
        message.delivery.timeline = Vec::new();
    });
    let full = outbound_full(tenant).with(|message| {
        message.accepted.trace = TraceContext::new([1; 16], [2; 8], false);
    });
    accept_all(&stores, &[bare.clone(), full.clone()]).await;
    assert_eq!(load(&stores, bare.key()).await, Some(bare));
    assert_eq!(load(&stores, full.key()).await, Some(full));
}

pub async fn what_a_message_says_survives_to_the_byte(stores: Stores) {
    let tenant = tenant_id();
    let long = format!("{{\"body\":\"{}\"}}", "দীর্ঘ ".repeat(6_000));
    let bodies = [
        "{}",
        "{ \"b\" : 1 , \"a\" : 2 }",
        "{\"a\":1,\"a\":2}",
        "{\"n\":100000000000000000000000000000000000000001}",
        "{\"n\":1.0,\"m\":1e2}",
        "{\"$where\":\"1\",\"a.b\":{\"$ne\":null},\"\":0}",
        "{\"body\":\"'; DROP TABLE messages; --\"}",
        "{\"body\":\"\\u0000\\ud83d\\ude00 \u{1F600} \u{202E}\"}",
        &long,
    ];
    let messages = bodies.map(|body| {
        outbound(tenant).with(|message| {
            message.accepted.content = Content {
                kind: "text".into(),
                body: body.into(),
                envelope: Some(body.into()),
                frame: None,
                removed_at: None,
            };
            message.accepted.metadata = Some(body.into());
            message.accepted.client_opaque = Some(body.into());
        })
    });
    accept_all(&stores, &messages).await;
    for message in messages {
        assert_eq!(load(&stores, message.key()).await, Some(message));
    }
}

pub async fn a_key_used_before_is_a_replay(stores: Stores) {
    let tenant = tenant_id();
    let first = with_key(tenant, "k");
    accept_all(&stores, std::slice::from_ref(&first)).await;

    let same = outbound(tenant).with(|message| message.accepted.idempotency.clone_from(&first.accepted.idempotency));
    let different = with_key(tenant, "k");
    assert_ne!(
        first.accepted.idempotency, different.accepted.idempotency,
        "another fingerprint"
    );
    for second in [same, different] {
        assert_eq!(
            stores.messages.accept(vec![second.clone()]).await,
            [Ok(replay_of(&first))]
        );
        assert_eq!(load(&stores, second.key()).await, None);
    }
    assert_eq!(load(&stores, first.key()).await, Some(first));
}

pub async fn a_replay_tells_the_present_status(stores: Stores) {
    let tenant = tenant_id();
    let mut first = with_key(tenant, "k");
    accept_all(&stores, std::slice::from_ref(&first)).await;
    for status in [Status::Sending, Status::Delivered, Status::Dead] {
        first.delivery.status = status;
        save(&stores, &mut first).await;
        assert_eq!(
            stores.messages.accept(vec![with_key(tenant, "k")]).await,
            [Ok(replay_of(&first))]
        );
    }
}

pub async fn a_batch_is_answered_in_its_order(stores: Stores) {
    let tenant = tenant_id();
    let (old_a, old_b) = (with_key(tenant, "a"), with_key(tenant, "b"));
    accept_all(&stores, &[old_a.clone(), old_b.clone()]).await;
    let new = [with_key(tenant, "c"), outbound(tenant), with_key(tenant, "d")];
    let batch = vec![
        with_key(tenant, "b"),
        new[0].clone(),
        new[1].clone(),
        with_key(tenant, "a"),
        new[2].clone(),
    ];
    assert_eq!(
        stores.messages.accept(batch).await,
        [
            Ok(replay_of(&old_b)),
            Ok(Acceptance::Stored),
            Ok(Acceptance::Stored),
            Ok(replay_of(&old_a)),
            Ok(Acceptance::Stored),
        ]
    );
    for message in new {
        assert_eq!(load(&stores, message.key()).await, Some(message));
    }
}

pub async fn a_key_used_twice_in_a_batch_is_stored_once(stores: Stores) {
    let tenant = tenant_id();
    let batch = ["k", "k", "other", "k"].map(|key| with_key(tenant, key));
    let answers = stores.messages.accept(batch.to_vec()).await;

    // Which of the three is stored is up to the store; that it is one, and that the others name it, is not.
    let same_key = [0, 1, 3];
    let stored: Vec<usize> = same_key
        .into_iter()
        .filter(|index| answers[*index] == Ok(Acceptance::Stored))
        .collect();
    assert_eq!(stored.len(), 1, "{answers:?}");
    let winner = &batch[stored[0]];
    for index in same_key {
        let message = &batch[index];
        if index == stored[0] {
            assert_eq!(load(&stores, message.key()).await.as_ref(), Some(message));
        } else {
            assert_eq!(answers[index], Ok(replay_of(winner)));
            assert_eq!(load(&stores, message.key()).await, None);
        }
    }
    assert_eq!(answers[2], Ok(Acceptance::Stored));
}

pub async fn keys_belong_to_their_tenant(stores: Stores) {
    let messages = [with_key(tenant_id(), "k"), with_key(tenant_id(), "k")];
    accept_all(&stores, &messages).await;
    for message in messages {
        assert_eq!(load(&stores, message.key()).await, Some(message));
    }
}

pub async fn keys_are_compared_exactly(stores: Stores) {
    let tenant = tenant_id();
    let long = "k".repeat(255);
    let keys = ["k", "K", "k ", " k", "k\\", "k'", "$k", "k.k", &long, &long[1..]];
    accept_all(&stores, &keys.map(|key| with_key(tenant, key))).await;
    for key in keys {
        let again = stores.messages.accept(vec![with_key(tenant, key)]).await;
        assert!(
            matches!(again[..], [Ok(Acceptance::Replay { .. })]),
            "{key:?}: {again:?}"
        );
    }
}

pub async fn messages_without_a_key_are_never_replays(stores: Stores) {
    let tenant = tenant_id();
    accept_all(&stores, &[outbound(tenant), outbound(tenant)]).await;
    accept_all(&stores, &[outbound(tenant)]).await;
}

pub async fn an_insert_that_is_repeated_is_stored_once_and_leaves_what_is_there(stores: Stores) {
    let tenant = tenant_id();
    let mut messages = [outbound(tenant), with_key(tenant, "k"), outbound(tenant)];
    accept_all(&stores, &messages[..2]).await;
    let first = messages.clone();
    for message in &mut messages[..2] {
        message.delivery.status = Status::Cancelled;
        save(&stores, message).await;
    }
    // The third was not there before.
    for _ in 0..2 {
        let again = stores.messages.accept(first.to_vec()).await;
        assert_eq!(again, vec![Ok(Acceptance::Stored); 3]);
    }
    for message in &messages {
        assert_eq!(load(&stores, message.key()).await.as_ref(), Some(message));
    }
}

pub async fn an_insert_that_is_repeated_under_a_key_of_another_is_a_replay(stores: Stores) {
    let tenant = tenant_id();
    let (first, second) = (with_key(tenant, "k"), with_key(tenant, "k"));
    accept_all(&stores, std::slice::from_ref(&first)).await;
    for _ in 0..2 {
        let answers = stores.messages.accept(vec![second.clone(), first.clone()]).await;
        assert_eq!(answers, [Ok(replay_of(&first)), Ok(Acceptance::Stored)]);
    }
    assert_eq!(load(&stores, second.key()).await, None);
}

pub async fn twenty_at_once_under_one_id_store_one(stores: Stores) {
    let message = outbound(tenant_id());
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (stores, message) = (stores.clone(), message.clone());
            tokio::spawn(async move { stores.messages.accept(vec![message]).await.remove(0) })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Ok(Acceptance::Stored));
    }
    assert_eq!(load(&stores, message.key()).await, Some(message));
}

pub async fn fifty_at_once_under_one_key_store_one(stores: Stores) {
    let tenant = tenant_id();
    let messages: Vec<Message> = (0..50).map(|_| with_key(tenant, "k")).collect();
    let tasks: Vec<_> = messages
        .iter()
        .map(|message| {
            let (stores, message) = (stores.clone(), message.clone());
            tokio::spawn(async move {
                (
                    message.accepted.id,
                    stores.messages.accept(vec![message]).await.remove(0),
                )
            })
        })
        .collect();

    let mut stored = Vec::new();
    let mut replays_of = HashSet::new();
    for task in tasks {
        match task.await.expect("no panic") {
            (id, Ok(Acceptance::Stored)) => stored.push(id),
            (_, Ok(Acceptance::Replay { message_id, .. })) => {
                replays_of.insert(message_id);
            }
            (_, Err(error)) => panic!("{error}"),
        }
    }
    assert_eq!(stored.len(), 1, "stored: {stored:?}");
    assert_eq!(Vec::from_iter(replays_of), stored);
    assert_eq!(present(&stores, &messages).await, stored);
}

pub async fn a_thousand_in_one_batch_are_all_stored(stores: Stores) {
    let tenant = tenant_id();
    let messages: Vec<Message> = (0..1000)
        .map(|index| {
            outbound(tenant).with(|message| {
                message.accepted.idempotency = (index % 2 == 0).then(|| Idempotency {
                    key: crate::samples::idempotency_key(&index.to_string()),
                    fingerprint: [1; 32],
                });
            })
        })
        .collect();
    accept_all(&stores, &messages).await;
    assert_eq!(present(&stores, &messages).await.len(), 1000);
}

/// Which of the messages are in the store.
async fn present(stores: &Stores, messages: &[Message]) -> Vec<MessageId> {
    let keys: Vec<MessageKey> = messages.iter().map(Message::key).collect();
    let loaded = stores.messages.load(&keys).await;
    let loaded = loaded.into_iter().map(|loaded| loaded.expect("the store answers"));
    loaded.flatten().map(|message| message.accepted.id).collect()
}
