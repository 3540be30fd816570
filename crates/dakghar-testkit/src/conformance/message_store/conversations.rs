//! Threads only ever move forward, whatever the order and number of the touches.

use std::collections::BTreeSet;

use dakghar_core::domain::{
    Conversation, ConversationId, ConversationTouch, Direction, Message, MessageId, TenantId, Timestamp, WaId,
};
use dakghar_core::ports::{Received, ReceivedMessage};

use super::super::read_pages;
use super::Store;
use crate::samples::{at, inbound, outbound, person, phone_number_id, tenant_id};

/// A touch by a new message.
fn touch(tenant: TenantId, wa_id: &WaId, at: Timestamp, direction: Direction) -> ConversationTouch {
    let Message { accepted, .. } = outbound(tenant);
    ConversationTouch {
        id: ConversationId::of(&tenant, &phone_number_id(), wa_id),
        tenant_id: tenant,
        phone_number_id: phone_number_id(),
        wa_id: wa_id.clone(),
        message_id: accepted.id,
        at,
        direction,
    }
}

/// The thread as `newest` left it.
fn thread(newest: &ConversationTouch, last_inbound_at: Option<Timestamp>) -> Conversation {
    Conversation {
        id: newest.id,
        tenant_id: newest.tenant_id,
        phone_number_id: newest.phone_number_id.clone(),
        wa_id: newest.wa_id.clone(),
        last_message_id: newest.message_id,
        last_message_at: newest.at,
        last_inbound_at,
    }
}

async fn apply(store: &Store, touches: &[ConversationTouch]) {
    store.touch_conversations(touches).await.expect("the store answers");
}

async fn check(store: &Store, expected: &Conversation) {
    let found = store.conversation(&expected.tenant_id, &expected.id).await;
    assert_eq!(found, Ok(Some(expected.clone())));
}

pub async fn a_touch_creates_a_conversation(store: Store) {
    let tenant = tenant_id();
    let sent = touch(tenant, &person("1"), at(10), Direction::Outbound);
    let received = touch(tenant, &person("2"), at(20), Direction::Inbound);
    apply(&store, &[sent.clone(), received.clone()]).await;
    check(&store, &thread(&sent, None)).await;
    check(&store, &thread(&received, Some(at(20)))).await;
    let unknown = ConversationId::of(&tenant, &phone_number_id(), &person("3"));
    assert_eq!(store.conversation(&tenant, &unknown).await, Ok(None));
    apply(&store, &[]).await;
}

pub async fn a_later_touch_moves_a_conversation_forward(store: Store) {
    let tenant = tenant_id();
    let peer = person("1");
    let first = touch(tenant, &peer, at(10), Direction::Inbound);
    let second = touch(tenant, &peer, at(20), Direction::Outbound);
    let third = touch(tenant, &peer, at(30), Direction::Inbound);
    apply(&store, &[first]).await;
    apply(&store, std::slice::from_ref(&second)).await;
    check(&store, &thread(&second, Some(at(10)))).await;
    apply(&store, std::slice::from_ref(&third)).await;
    check(&store, &thread(&third, Some(at(30)))).await;
}

pub async fn a_late_touch_does_not_move_it_back(store: Store) {
    let tenant = tenant_id();
    let peer = person("1");
    let late = touch(tenant, &peer, at(10), Direction::Outbound);
    let late_inbound = touch(tenant, &peer, at(20), Direction::Inbound);
    let newest = touch(tenant, &peer, at(30), Direction::Inbound);
    apply(&store, std::slice::from_ref(&newest)).await;
    apply(&store, &[late]).await;
    apply(&store, &[late_inbound]).await;
    check(&store, &thread(&newest, Some(at(30)))).await;
}

pub async fn a_late_inbound_touch_still_opens_the_window(store: Store) {
    let tenant = tenant_id();
    let peer = person("1");
    let received = touch(tenant, &peer, at(10), Direction::Inbound);
    let newest = touch(tenant, &peer, at(30), Direction::Outbound);
    apply(&store, std::slice::from_ref(&newest)).await;
    apply(&store, &[received]).await;
    check(&store, &thread(&newest, Some(at(10)))).await;
}

pub async fn touches_of_one_batch_all_count(store: Store) {
    let tenant = tenant_id();
    let (peer, other) = (person("1"), person("2"));
    let first = touch(tenant, &peer, at(10), Direction::Outbound);
    let newest = touch(tenant, &peer, at(30), Direction::Outbound);
    let received = touch(tenant, &peer, at(20), Direction::Inbound);
    let elsewhere = touch(tenant, &other, at(25), Direction::Inbound);
    apply(&store, &[newest.clone(), elsewhere.clone(), received, first]).await;
    check(&store, &thread(&newest, Some(at(20)))).await;
    check(&store, &thread(&elsewhere, Some(at(25)))).await;
}

pub async fn touches_can_be_repeated(store: Store) {
    let tenant = tenant_id();
    let received = touch(tenant, &person("1"), at(10), Direction::Inbound);
    let sent = touch(tenant, &person("1"), at(20), Direction::Outbound);
    for batch in [
        vec![received.clone(), sent.clone()],
        vec![received.clone()],
        vec![sent.clone(), received],
    ] {
        apply(&store, &batch).await;
        check(&store, &thread(&sent, Some(at(10)))).await;
    }
}

/// A store may expect of the next threads what the last ones were: all new, all known, or some of each.
pub async fn touches_count_whatever_those_before_were_like(store: Store) {
    let tenant = tenant_id();
    let people: Vec<WaId> = (1..=30).map(|digits: u32| person(&digits.to_string())).collect();
    let batches = [0..10, 10..20, 0..20, 20..30, 0..20, 5..25, 0..30];
    let mut newest: Vec<Option<ConversationTouch>> = vec![None; people.len()];
    for (minute, batch) in batches.into_iter().enumerate() {
        let touches: Vec<_> = people[batch.clone()]
            .iter()
            .map(|peer| touch(tenant, peer, at(minute as u64), Direction::Inbound))
            .collect();
        apply(&store, &touches).await;
        for (place, touch) in batch.zip(touches) {
            newest[place] = Some(touch);
        }
        for touch in newest.iter().flatten() {
            check(&store, &thread(touch, Some(touch.at))).await;
        }
    }
}

/// A message from a person, with what it does to their thread.
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

async fn receive(store: &Store, batch: &[&ReceivedMessage]) -> Vec<Received> {
    let answers = store.receive(batch.iter().map(|&each| each.clone()).collect()).await;
    answers
        .into_iter()
        .map(|answer| answer.expect("the store answers"))
        .collect()
}

/// The newest message of the thread, and when it came.
async fn newest(store: &Store, tenant: TenantId, peer: &WaId) -> Option<(MessageId, Timestamp)> {
    let id = ConversationId::of(&tenant, &phone_number_id(), peer);
    let thread = store.conversation(&tenant, &id).await.expect("the store answers")?;
    Some((thread.last_message_id, thread.last_message_at))
}

pub async fn receiving_moves_the_thread(store: Store) {
    let tenant = tenant_id();
    let (peer, other) = (person("1"), person("2"));
    let first = received(tenant, "wamid.1", &peer, 10);
    let second = received(tenant, "wamid.2", &peer, 20);
    receive(&store, &[&second, &first]).await;
    assert_eq!(
        newest(&store, tenant, &peer).await,
        Some((second.message.accepted.id, at(20)))
    );

    // Of a thread that exists and one that does not, and one message of nobody.
    let late = received(tenant, "wamid.3", &peer, 15);
    let third = received(tenant, "wamid.4", &peer, 30);
    let elsewhere = received(tenant, "wamid.5", &other, 25);
    let nobodys = inbound(tenant, "wamid.6").into();
    let answers = receive(&store, &[&late, &nobodys, &third, &elsewhere]).await;
    assert_eq!(answers, [Received::New; 4]);
    assert_eq!(
        newest(&store, tenant, &peer).await,
        Some((third.message.accepted.id, at(30)))
    );
    assert_eq!(
        newest(&store, tenant, &other).await,
        Some((elsewhere.message.accepted.id, at(25)))
    );
}

pub async fn a_repetition_moves_the_thread_to_the_message_that_is_stored(store: Store) {
    let tenant = tenant_id();
    let (peer, other) = (person("1"), person("2"));
    let first = received(tenant, "wamid.1", &peer, 10);
    receive(&store, &[&first]).await;
    let again = received(tenant, "wamid.1", &peer, 10);
    let answers = receive(&store, &[&again]).await;
    assert_eq!(answers, [Received::Duplicate(Some(first.message.key()))]);
    assert_eq!(
        newest(&store, tenant, &peer).await,
        Some((first.message.accepted.id, at(10)))
    );

    // The process died between message and thread.
    let without = received(tenant, "wamid.2", &other, 20);
    receive(&store, &[&without.message.clone().into()]).await;
    assert_eq!(newest(&store, tenant, &other).await, None);
    let again = received(tenant, "wamid.2", &other, 20);
    receive(&store, &[&again]).await;
    let (id, moved_at) = newest(&store, tenant, &other).await.expect("the thread is there");
    assert_eq!(id, without.message.accepted.id);
    assert!((at(20)..=at(21)).contains(&moved_at), "{moved_at:?}");

    // The number has changed hands since: nobody's thread moves to what its former owner received.
    let heir = tenant_id();
    let own = received(heir, "wamid.3", &peer, 30);
    receive(&store, &[&own]).await;
    receive(&store, &[&received(heir, "wamid.1", &peer, 40)]).await;
    assert_eq!(
        newest(&store, heir, &peer).await,
        Some((own.message.accepted.id, at(30)))
    );
    assert_eq!(
        newest(&store, tenant, &peer).await,
        Some((first.message.accepted.id, at(10)))
    );
    let next = tenant_id();
    let theirs = received(next, "wamid.4", &other, 60);
    receive(&store, &[&received(next, "wamid.1", &peer, 50), &theirs]).await;
    assert_eq!(newest(&store, next, &peer).await, None);
    assert_eq!(
        newest(&store, next, &other).await,
        Some((theirs.message.accepted.id, at(60)))
    );
}

pub async fn twenty_touches_at_once_leave_the_newest(store: Store) {
    let tenant = tenant_id();
    let peer = person("1");
    let touches: Vec<_> = (0..20)
        .map(|index| {
            let direction = if index % 2 == 0 {
                Direction::Inbound
            } else {
                Direction::Outbound
            };
            touch(tenant, &peer, at(index), direction)
        })
        .collect();
    let tasks: Vec<_> = touches
        .iter()
        .map(|touch| {
            let (store, touch) = (store.clone(), touch.clone());
            tokio::spawn(async move { store.touch_conversations(&[touch]).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    check(&store, &thread(&touches[19], Some(at(18)))).await;
    let all = store.conversations(&tenant, None, 10).await.expect("the store answers");
    assert_eq!(all.len(), 1);
}

pub async fn conversations_come_with_the_newest_first(store: Store) {
    let tenant = tenant_id();
    let [first, second, third] =
        ["1", "2", "3"].map(|digits| touch(tenant, &person(digits), at(10), Direction::Inbound));
    apply(&store, &[first, second.clone(), third.clone()]).await;
    let second = ConversationTouch { at: at(30), ..second };
    let third = ConversationTouch { at: at(20), ..third };
    apply(&store, &[third.clone(), second.clone()]).await;
    let all = store.conversations(&tenant, None, 10).await.expect("the store answers");
    let order: Vec<ConversationId> = all.iter().map(|thread| thread.id).collect();
    assert_eq!(order[..2], [second.id, third.id]);
    assert_eq!(order.len(), 3);
    let two = store.conversations(&tenant, None, 2).await.expect("the store answers");
    assert_eq!(two, all[..2]);
}

pub async fn pages_of_conversations_have_no_gaps_and_no_repeats(store: Store) {
    let tenant = tenant_id();
    // Many threads share a time, so the id must decide, the same way on every page.
    let touches: Vec<_> = (0..23)
        .map(|index| touch(tenant, &person(&index.to_string()), at(index / 5), Direction::Inbound))
        .collect();
    apply(&store, &touches).await;
    apply(&store, &[touch(tenant_id(), &person("1"), at(2), Direction::Inbound)]).await;
    let expected: BTreeSet<ConversationId> = touches.iter().map(|touch| touch.id).collect();
    for limit in [1, 4, 100] {
        let fetch = async |before| {
            let page = store.conversations(&tenant, before, limit).await;
            page.expect("the store answers")
        };
        let seen = read_pages(limit, fetch, |thread| (thread.last_message_at, thread.id)).await;
        assert!(seen.is_sorted_by(|a, b| a.last_message_at >= b.last_message_at));
        assert_eq!(seen.len(), 23, "pages of {limit}");
        assert_eq!(seen.iter().map(|thread| thread.id).collect::<BTreeSet<_>>(), expected);
    }
}

pub async fn a_foreign_tenant_sees_no_conversation(store: Store) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let mine = touch(tenant, &person("1"), at(10), Direction::Inbound);
    apply(&store, std::slice::from_ref(&mine)).await;
    assert_eq!(store.conversation(&other, &mine.id).await, Ok(None));
    assert_eq!(store.conversations(&other, None, 10).await, Ok(Vec::new()));
    check(&store, &thread(&mine, Some(at(10)))).await;
}
