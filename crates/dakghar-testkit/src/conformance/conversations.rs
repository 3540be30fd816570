//! The suite of [`ConversationStore`](dakghar_core::ports::ConversationStore): conversations only ever move forward,
//! whatever the order and number of the touches.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod calls;

use std::collections::BTreeSet;

use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{
    Conversation, ConversationId, ConversationKind, ConversationTouch, Direction, PersonName, Timestamp, WaId,
};

use super::read_pages;
use super::stores::{Stores, touch};
use crate::samples::{at, person, phone, phone_number_id, tenant_id};

pub use calls::*;

/// Runs the suite of `ConversationStore`: `conversation_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! conversation_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, conversations:
            a_touch_creates_a_conversation
            a_later_touch_moves_a_conversation_forward
            a_late_touch_does_not_move_it_back
            a_late_inbound_touch_still_opens_the_window
            touches_of_one_batch_all_count
            touches_can_be_repeated
            touches_count_whatever_those_before_were_like
            twenty_touches_at_once_leave_the_newest
            conversations_come_with_the_newest_first
            pages_of_conversations_have_no_gaps_and_no_repeats
            a_foreign_tenant_sees_no_conversation
            a_group_stays_a_group
            what_is_told_of_a_person_only_grows_whatever_the_order
            conversations_of_people_are_found_by_any_of_their_ids
            a_call_opens_the_window_and_moves_nothing_else
        }
    };
}

/// The conversation as `newest` left it.
fn conversation(newest: &ConversationTouch, last_inbound_at: Option<Timestamp>) -> Conversation {
    Conversation {
        id: newest.id,
        tenant_id: newest.tenant_id,
        phone_number_id: newest.phone_number_id.clone(),
        kind: newest.kind,
        wa_id: newest.wa_id.clone(),
        last_message_id: newest.message_id,
        last_message_at: newest.at,
        last_inbound_at,
        first_message_at: Some(newest.at),
        also: newest.also.clone(),
        name: newest.name.clone(),
    }
}

async fn apply(stores: &Stores, touches: &[ConversationTouch]) {
    stores.conversations.touch(touches).await.expect("the store answers");
}

/// Checks all but the time of the first message.
async fn check(stores: &Stores, expected: &Conversation) {
    let found = stores.conversations.find(&expected.tenant_id, &expected.id).await;
    let found = found.expect("the store answers").expect("it is there");
    let expected = Conversation {
        first_message_at: found.first_message_at,
        ..expected.clone()
    };
    assert_eq!(found, expected);
}

pub async fn a_touch_creates_a_conversation(stores: Stores) {
    let tenant = tenant_id();
    let sent = touch(tenant, &person("1"), at(10), Direction::Outbound);
    let received = touch(tenant, &person("2"), at(20), Direction::Inbound);
    apply(&stores, &[sent.clone(), received.clone()]).await;
    check(&stores, &conversation(&sent, None)).await;
    check(&stores, &conversation(&received, Some(at(20)))).await;
    let unknown = ConversationId::of(&tenant, &phone_number_id(), &person("3"));
    assert_eq!(stores.conversations.find(&tenant, &unknown).await, Ok(None));
    apply(&stores, &[]).await;
}

pub async fn a_later_touch_moves_a_conversation_forward(stores: Stores) {
    let tenant = tenant_id();
    let peer = person("1");
    let first = touch(tenant, &peer, at(10), Direction::Inbound);
    let second = touch(tenant, &peer, at(20), Direction::Outbound);
    let third = touch(tenant, &peer, at(30), Direction::Inbound);
    apply(&stores, &[first]).await;
    apply(&stores, std::slice::from_ref(&second)).await;
    check(&stores, &conversation(&second, Some(at(10)))).await;
    apply(&stores, std::slice::from_ref(&third)).await;
    check(&stores, &conversation(&third, Some(at(30)))).await;
}

pub async fn a_late_touch_does_not_move_it_back(stores: Stores) {
    let tenant = tenant_id();
    let peer = person("1");
    let late = touch(tenant, &peer, at(10), Direction::Outbound);
    let late_inbound = touch(tenant, &peer, at(20), Direction::Inbound);
    let newest = touch(tenant, &peer, at(30), Direction::Inbound);
    apply(&stores, std::slice::from_ref(&newest)).await;
    apply(&stores, &[late]).await;
    apply(&stores, &[late_inbound]).await;
    check(&stores, &conversation(&newest, Some(at(30)))).await;
}

pub async fn a_late_inbound_touch_still_opens_the_window(stores: Stores) {
    let tenant = tenant_id();
    let peer = person("1");
    let received = touch(tenant, &peer, at(10), Direction::Inbound);
    let newest = touch(tenant, &peer, at(30), Direction::Outbound);
    apply(&stores, std::slice::from_ref(&newest)).await;
    apply(&stores, &[received]).await;
    check(&stores, &conversation(&newest, Some(at(10)))).await;
}

pub async fn touches_of_one_batch_all_count(stores: Stores) {
    let tenant = tenant_id();
    let (peer, other) = (person("1"), person("2"));
    let first = touch(tenant, &peer, at(10), Direction::Outbound);
    let newest = touch(tenant, &peer, at(30), Direction::Outbound);
    let received = touch(tenant, &peer, at(20), Direction::Inbound);
    let elsewhere = touch(tenant, &other, at(25), Direction::Inbound);
    apply(&stores, &[newest.clone(), elsewhere.clone(), received, first]).await;
    check(&stores, &conversation(&newest, Some(at(20)))).await;
    check(&stores, &conversation(&elsewhere, Some(at(25)))).await;
}

pub async fn touches_can_be_repeated(stores: Stores) {
    let tenant = tenant_id();
    let received = touch(tenant, &person("1"), at(10), Direction::Inbound);
    let sent = touch(tenant, &person("1"), at(20), Direction::Outbound);
    for batch in [
        vec![received.clone(), sent.clone()],
        vec![received.clone()],
        vec![sent.clone(), received],
    ] {
        apply(&stores, &batch).await;
        check(&stores, &conversation(&sent, Some(at(10)))).await;
    }
}

/// A store may expect of the next conversations what the last ones were: all new, all known, or some of each.
pub async fn touches_count_whatever_those_before_were_like(stores: Stores) {
    let tenant = tenant_id();
    let people: Vec<WaId> = (1..=30).map(|digits: u32| person(&digits.to_string())).collect();
    let batches = [0..10, 10..20, 0..20, 20..30, 0..20, 5..25, 0..30];
    let mut newest: Vec<Option<ConversationTouch>> = vec![None; people.len()];
    for (minute, batch) in batches.into_iter().enumerate() {
        let touches: Vec<_> = people[batch.clone()]
            .iter()
            .map(|peer| touch(tenant, peer, at(minute as u64), Direction::Inbound))
            .collect();
        apply(&stores, &touches).await;
        for (place, touch) in batch.zip(touches) {
            newest[place] = Some(touch);
        }
        for touch in newest.iter().flatten() {
            check(&stores, &conversation(touch, Some(touch.at))).await;
        }
    }
}

pub async fn twenty_touches_at_once_leave_the_newest(stores: Stores) {
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
            let (stores, touch) = (stores.clone(), touch.clone());
            tokio::spawn(async move { stores.conversations.touch(&[touch]).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    check(&stores, &conversation(&touches[19], Some(at(18)))).await;
    let all = stores
        .conversations
        .list(&tenant, None, PageLimit::items(10))
        .await
        .expect("the store answers")
        .items;
    assert_eq!(all.len(), 1);
}

pub async fn conversations_come_with_the_newest_first(stores: Stores) {
    let tenant = tenant_id();
    let [first, second, third] =
        ["1", "2", "3"].map(|digits| touch(tenant, &person(digits), at(10), Direction::Inbound));
    apply(&stores, &[first, second.clone(), third.clone()]).await;
    let second = ConversationTouch { at: at(30), ..second };
    let third = ConversationTouch { at: at(20), ..third };
    apply(&stores, &[third.clone(), second.clone()]).await;
    let all = stores
        .conversations
        .list(&tenant, None, PageLimit::items(10))
        .await
        .expect("the store answers")
        .items;
    let order: Vec<ConversationId> = all.iter().map(|conversation| conversation.id).collect();
    assert_eq!(order[..2], [second.id, third.id]);
    assert_eq!(order.len(), 3);
    let two = stores
        .conversations
        .list(&tenant, None, PageLimit::items(2))
        .await
        .expect("the store answers")
        .items;
    assert_eq!(two, all[..2]);
}

pub async fn pages_of_conversations_have_no_gaps_and_no_repeats(stores: Stores) {
    let tenant = tenant_id();
    // Many conversations share a time, so the id must decide, the same way on every page.
    let touches: Vec<_> = (0..23)
        .map(|index| touch(tenant, &person(&index.to_string()), at(index / 5), Direction::Inbound))
        .collect();
    apply(&stores, &touches).await;
    apply(&stores, &[touch(tenant_id(), &person("1"), at(2), Direction::Inbound)]).await;
    let expected: BTreeSet<ConversationId> = touches.iter().map(|touch| touch.id).collect();
    let small = PageLimit {
        bytes: 1,
        ..PageLimit::items(100)
    };
    for limit in [1, 4, 100].map(PageLimit::items).into_iter().chain([small]) {
        let fetch = async |before| {
            let page = stores.conversations.list(&tenant, before, limit).await;
            page.expect("the store answers")
        };
        let items_max = if limit == small { 1 } else { limit.items };
        let seen = read_pages(items_max, fetch).await;
        assert!(seen.is_sorted_by(|a, b| a.last_message_at >= b.last_message_at));
        assert_eq!(seen.len(), 23, "pages of {limit:?}");
        assert_eq!(
            seen.iter().map(|conversation| conversation.id).collect::<BTreeSet<_>>(),
            expected
        );
    }
}

pub async fn a_foreign_tenant_sees_no_conversation(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let mine = touch(tenant, &person("1"), at(10), Direction::Inbound);
    apply(&stores, std::slice::from_ref(&mine)).await;
    assert_eq!(stores.conversations.find(&other, &mine.id).await, Ok(None));
    assert_eq!(
        stores.conversations.list(&other, None, PageLimit::items(10)).await,
        Ok(Listed::empty())
    );
    check(&stores, &conversation(&mine, Some(at(10)))).await;
}

pub async fn a_group_stays_a_group(stores: Stores) {
    let tenant = tenant_id();
    let first = ConversationTouch {
        kind: ConversationKind::Group,
        ..touch(tenant, &person("Y2Fw"), at(10), Direction::Outbound)
    };
    let second = ConversationTouch {
        at: at(20),
        ..first.clone()
    };
    for touch in [&first, &second] {
        apply(&stores, std::slice::from_ref(touch)).await;
        check(&stores, &conversation(touch, None)).await;
    }
    let listed = stores.conversations.list(&tenant, None, PageLimit::items(9)).await;
    let expected = Conversation {
        first_message_at: Some(first.at),
        ..conversation(&second, None)
    };
    assert_eq!(listed.expect("the store answers").items, [expected]);
}

fn told(ms: u64, name: Option<&str>, username: Option<&str>) -> PersonName {
    PersonName {
        at: at(ms),
        name: name.map(Into::into),
        username: username.map(Into::into),
    }
}

pub async fn what_is_told_of_a_person_only_grows_whatever_the_order(stores: Stores) {
    let peer = person("1");
    for turn in 0..4 {
        let tenant = tenant_id();
        let touch = |ms, also: &[&str], name| ConversationTouch {
            also: also.iter().map(|id| person(id)).collect(),
            name,
            ..touch(tenant, &peer, at(ms), Direction::Inbound)
        };
        let mut touches = vec![
            touch(30, &["US.2"], Some(told(30, Some("B"), None))),
            touch(20, &[], None),
            touch(10, &["US.1", "US.2"], Some(told(40, None, Some("late")))),
            touch(40, &["US.0"], Some(told(40, Some("A"), None))),
        ];
        let newest = touches[3].clone();
        touches.rotate_left(turn);
        // One by one, then all at once, and again.
        for touch in &touches {
            apply(&stores, std::slice::from_ref(touch)).await;
        }
        apply(&stores, &touches).await;
        let expected = Conversation {
            first_message_at: Some(at(10)),
            also: ["US.0", "US.1", "US.2"].map(person).to_vec(),
            name: Some(told(40, Some("A"), None)),
            ..conversation(&newest, Some(at(40)))
        };
        let found = stores.conversations.find(&tenant, &expected.id).await;
        assert_eq!(found, Ok(Some(expected.clone())));
        let listed = stores.conversations.list(&tenant, None, PageLimit::items(9)).await;
        assert_eq!(listed.expect("the store answers").items, [expected]);
    }
}

pub async fn conversations_of_people_are_found_by_any_of_their_ids(stores: Stores) {
    let tenant = tenant_id();
    let of = |tenant, key: &str, also: &[&str]| ConversationTouch {
        also: also.iter().map(|id| person(id)).collect(),
        ..touch(tenant, &person(key), at(10), Direction::Inbound)
    };
    let group = ConversationTouch {
        kind: ConversationKind::Group,
        ..of(tenant, "US.1", &["9"])
    };
    let group = ConversationTouch {
        id: ConversationId::of(&tenant, &phone("999"), &group.wa_id),
        phone_number_id: phone("999"),
        ..group
    };
    let touches = [
        of(tenant, "1", &["US.1", "US.2"]),
        of(tenant, "US.1", &[]),
        of(tenant, "2", &["US.3"]),
        of(tenant_id(), "1", &["US.1"]),
        group,
    ];
    apply(&stores, &touches).await;
    let found = async |ids: &[&str], limit| {
        let ids: Vec<_> = ids.iter().map(|id| person(id)).collect();
        let found = stores.conversations.of_people(&tenant, &ids, limit).await;
        let mut keys: Vec<_> = found
            .expect("the store answers")
            .iter()
            .map(|one| one.wa_id.to_string())
            .collect();
        keys.sort();
        keys
    };
    assert_eq!(found(&[], 9).await, [""; 0]);
    assert_eq!(found(&["7"], 9).await, [""; 0]);
    assert_eq!(found(&["US.1"], 9).await, ["1", "US.1"]);
    assert_eq!(found(&["1", "US.2"], 9).await, ["1"]);
    assert_eq!(found(&["US.3", "US.2"], 9).await, ["1", "2"]);
    assert_eq!(found(&["1", "2", "US.1"], 2).await.len(), 2);
}
