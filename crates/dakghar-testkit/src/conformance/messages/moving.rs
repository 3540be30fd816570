//! Received messages move their conversations.

use dakghar_core::domain::{ConversationId, ConversationTouch, Direction, MessageId, TenantId, Timestamp, WaId};
use dakghar_core::ports::{Received, ReceivedMessage};

use super::super::stores::{Stores, touch};
use crate::samples::{at, inbound, person, phone_number_id, tenant_id};

/// A message from a person, with what it does to their conversation.
fn received(tenant: TenantId, wamid: &str, peer: &WaId, ms: u64) -> ReceivedMessage {
    let message = inbound(tenant, wamid);
    let touch = ConversationTouch {
        message_id: message.accepted.id,
        ..touch(tenant, peer, at(ms), Direction::Inbound)
    };
    ReceivedMessage {
        message,
        touch: Some(touch),
    }
}

async fn receive(stores: &Stores, batch: &[&ReceivedMessage]) -> Vec<Received> {
    let answers = stores
        .messages
        .receive(batch.iter().map(|&each| each.clone()).collect())
        .await;
    answers
        .into_iter()
        .map(|answer| answer.expect("the store answers"))
        .collect()
}

/// The newest message of the conversation, and when it came.
async fn newest(stores: &Stores, tenant: TenantId, peer: &WaId) -> Option<(MessageId, Timestamp)> {
    let id = ConversationId::of(&tenant, &phone_number_id(), peer);
    let conversation = stores
        .conversations
        .find(&tenant, &id)
        .await
        .expect("the store answers")?;
    Some((conversation.last_message_id, conversation.last_message_at))
}

pub async fn receiving_moves_the_conversation(stores: Stores) {
    let tenant = tenant_id();
    let (peer, other) = (person("1"), person("2"));
    let first = received(tenant, "wamid.1", &peer, 10);
    let second = received(tenant, "wamid.2", &peer, 20);
    receive(&stores, &[&second, &first]).await;
    assert_eq!(
        newest(&stores, tenant, &peer).await,
        Some((second.message.accepted.id, at(20)))
    );

    // Of a conversation that exists and one that does not, and one message of nobody.
    let late = received(tenant, "wamid.3", &peer, 15);
    let third = received(tenant, "wamid.4", &peer, 30);
    let elsewhere = received(tenant, "wamid.5", &other, 25);
    let nobodys = inbound(tenant, "wamid.6").into();
    let answers = receive(&stores, &[&late, &nobodys, &third, &elsewhere]).await;
    assert_eq!(answers, [Received::New; 4]);
    assert_eq!(
        newest(&stores, tenant, &peer).await,
        Some((third.message.accepted.id, at(30)))
    );
    assert_eq!(
        newest(&stores, tenant, &other).await,
        Some((elsewhere.message.accepted.id, at(25)))
    );
}

pub async fn a_repetition_moves_the_conversation_to_the_message_that_is_stored(stores: Stores) {
    let tenant = tenant_id();
    let (peer, other) = (person("1"), person("2"));
    let first = received(tenant, "wamid.1", &peer, 10);
    receive(&stores, &[&first]).await;
    let again = received(tenant, "wamid.1", &peer, 10);
    let answers = receive(&stores, &[&again]).await;
    assert_eq!(answers, [Received::Duplicate(Some(first.message.key()))]);
    assert_eq!(
        newest(&stores, tenant, &peer).await,
        Some((first.message.accepted.id, at(10)))
    );

    // The process died between message and conversation.
    let without = received(tenant, "wamid.2", &other, 20);
    receive(&stores, &[&without.message.clone().into()]).await;
    assert_eq!(newest(&stores, tenant, &other).await, None);
    let again = received(tenant, "wamid.2", &other, 20);
    receive(&stores, &[&again]).await;
    let (id, moved_at) = newest(&stores, tenant, &other)
        .await
        .expect("the conversation is there");
    assert_eq!(id, without.message.accepted.id);
    assert!((at(20)..=at(21)).contains(&moved_at), "{moved_at:?}");

    // The number has changed hands since: nobody's conversation moves to what its former owner received.
    let heir = tenant_id();
    let own = received(heir, "wamid.3", &peer, 30);
    receive(&stores, &[&own]).await;
    receive(&stores, &[&received(heir, "wamid.1", &peer, 40)]).await;
    assert_eq!(
        newest(&stores, heir, &peer).await,
        Some((own.message.accepted.id, at(30)))
    );
    assert_eq!(
        newest(&stores, tenant, &peer).await,
        Some((first.message.accepted.id, at(10)))
    );
    let next = tenant_id();
    let theirs = received(next, "wamid.4", &other, 60);
    receive(&stores, &[&received(next, "wamid.1", &peer, 50), &theirs]).await;
    assert_eq!(newest(&stores, next, &peer).await, None);
    assert_eq!(
        newest(&stores, next, &other).await,
        Some((theirs.message.accepted.id, at(60)))
    );
}
