//! The suite of [`Erasure`](dakghar_core::ports::Erasure), which reaches over the ports of a tenant's messages,
//! conversations, events and redrives.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

mod contents;
mod messages;

use dakghar_core::domain::ConversationKind;
use dakghar_core::domain::amendment::KEPT_LONGER;
use dakghar_core::domain::message::Status;
use dakghar_core::domain::page::{MessageQuery, PageLimit};
use dakghar_core::domain::{ConversationId, ConversationTouch, Message, TenantId, WebhookEvent};
use dakghar_core::ports::{Aged, AgedPortion, TenantSaved};

use super::stores::{Stores, accept_all, accept_as, deliver, receive_all};
use crate::samples::{
    With as _, at, event, inbound, outbound, person, phone, phone_number_id, redrive, status_record_full, tenant,
    tenant_id, wamid, with_key,
};

pub use contents::*;
pub use messages::*;

/// Runs the suite of `Erasure`: `erasure_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! erasure_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, erasure:
            nothing_to_erase_is_none
            everything_of_a_tenant_is_erased
            nobody_else_loses_anything
            what_callbacks_left_of_a_removed_tenant_is_found
            what_was_erased_can_come_again
            old_messages_that_are_settled_are_erased_and_no_others
            old_dead_letters_are_erased_by_their_class
            a_dead_letter_that_was_sent_again_is_not_old
            a_conversation_goes_with_its_last_message
            old_events_are_erased_and_nobody_elses
            an_amendment_outlives_its_message
            what_is_old_is_walked_portion_by_portion
            old_contents_are_removed_and_all_else_of_the_messages_stays
            who_read_a_message_before_its_content_went_cannot_save_it
            a_walk_over_contents_misses_nothing_that_ends_later
            old_events_that_tell_contents_are_erased_and_no_others
            the_retention_time_is_kept_and_never_goes_back
        }
    };
}

/// Seven messages under two keys, two reports on them, three conversations, four events, two redrives, and of each of two
/// endpoints its progress, two exceptions and a log.
const THINGS: u64 = 7 + 2 + 3 + 4 + 2 + 2 * 4;

async fn fill(stores: &Stores, tenant: TenantId) {
    let sent = [
        with_key(tenant, "a"),
        with_key(tenant, "b"),
        outbound(tenant),
        outbound(tenant),
        outbound(tenant),
    ];
    accept_all(stores, &sent).await;
    for of in &sent[..2] {
        let recorded = stores.statuses.record_statuses(&[status_record_full(of.key())]).await;
        assert!(matches!(recorded[..], [Ok(Some(_))]), "{recorded:?}");
    }
    receive_all(stores, &[inbound(tenant, "wamid.A"), inbound(tenant, "wamid.B")]).await;
    let touches = ["1", "2", "3"].map(|digits| ConversationTouch {
        also: Vec::new(),
        name: None,
        kind: ConversationKind::Person,
        id: ConversationId::of(&tenant, &phone_number_id(), &person(digits)),
        tenant_id: tenant,
        phone_number_id: phone_number_id(),
        wa_id: person(digits),
        message_id: sent[0].accepted.id,
        at: at(1),
        opens_window: true,
    });
    stores.conversations.touch(&touches).await.expect("the store answers");
    let recorded = stores.events.record(&[0; 4].map(|_| event(tenant))).await;
    recorded.expect("the store answers");
    for _ in 0..2 {
        deliver(stores, tenant).await;
        let inserted = stores.redrives.insert_redrive(&redrive(Some(tenant))).await;
        inserted.expect("the store answers");
    }
}

/// The numbers of messages, conversations, events and redrives that are there.
async fn count(stores: &Stores, tenant: &TenantId) -> [usize; 4] {
    let query = MessageQuery {
        limit: PageLimit::items(200),
        ..MessageQuery::default()
    };
    let messages = stores.lists.messages(tenant, &query).await;
    [
        messages.expect("the store answers").items.len(),
        stores
            .conversations
            .list(tenant, None, PageLimit::items(200))
            .await
            .expect("the store answers")
            .items
            .len(),
        stores
            .events
            .list(Some(tenant), None, PageLimit::items(200))
            .await
            .expect("the store answers")
            .items
            .len(),
        stores
            .redrives
            .list_redrives(Some(tenant), None, PageLimit::items(200))
            .await
            .expect("the store answers")
            .items
            .len(),
    ]
}

async fn erase(stores: &Stores, tenant: &TenantId, limit: u32) -> u64 {
    let mut erased = 0;
    loop {
        let count = stores.erasure.erase(tenant, limit).await.expect("the store answers");
        assert!(count <= u64::from(limit), "{count} at once");
        if count == 0 {
            return erased;
        }
        erased += count;
    }
}

pub async fn nothing_to_erase_is_none(stores: Stores) {
    fill(&stores, tenant_id()).await;
    assert_eq!(stores.erasure.erase(&tenant_id(), 100).await, Ok(0));
}

pub async fn everything_of_a_tenant_is_erased(stores: Stores) {
    for limit in [1, 3, 1_000] {
        let tenant = tenant_id();
        fill(&stores, tenant).await;
        assert_eq!(count(&stores, &tenant).await, [7, 3, 4, 2]);
        // Beside the entries of its feed, of which stores have several in one record.
        assert!(erase(&stores, &tenant, limit).await >= THINGS);
        assert_eq!(count(&stores, &tenant).await, [0, 0, 0, 0]);
    }
}

pub async fn what_callbacks_left_of_a_removed_tenant_is_found(stores: Stores) {
    let (there, gone) = (tenant(), tenant_id());
    let inserted = stores.tenants.insert(&there).await;
    assert_eq!(inserted, Ok(TenantSaved::Done));
    for tenant in [there.id, gone] {
        deliver(&stores, tenant).await;
    }
    assert_eq!(stores.erasure.left_behind(10).await, Ok(vec![gone]));
    assert_eq!(stores.erasure.left_behind(0).await, Ok(Vec::new()));
    assert_eq!(erase(&stores, &gone, 1).await, 4);
    assert_eq!(stores.erasure.left_behind(10).await, Ok(Vec::new()));
}

pub async fn nobody_else_loses_anything(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    fill(&stores, tenant).await;
    accept_all(&stores, &[with_key(other, "a")]).await;
    let unrouted = WebhookEvent {
        tenant_id: None,
        ..event(other)
    };
    stores
        .events
        .record(&[event(other), unrouted])
        .await
        .expect("the store answers");
    let of_the_operator = redrive(None);
    let inserted = stores.redrives.insert_redrive(&of_the_operator).await;
    inserted.expect("the store answers");
    erase(&stores, &tenant, 5).await;
    let found = stores.redrives.find_redrive(&of_the_operator.id).await;
    assert_eq!(found, Ok(Some(of_the_operator)));
    assert_eq!(count(&stores, &other).await, [1, 0, 1, 0]);
    assert_eq!(
        stores
            .events
            .list(None, None, PageLimit::items(10))
            .await
            .expect("the store answers")
            .items
            .len(),
        1
    );
}

pub async fn what_was_erased_can_come_again(stores: Stores) {
    let tenant = tenant_id();
    fill(&stores, tenant).await;
    erase(&stores, &tenant, 5).await;
    let reference = (phone_number_id(), wamid("wamid.A"));
    assert_eq!(stores.messages.find_by_wamid(&[reference]).await, Ok(vec![None]));
    // Neither the keys nor the wamids are remembered.
    fill(&stores, tenant).await;
    assert_eq!(count(&stores, &tenant).await, [7, 3, 4, 2]);
}

/// Erases what is older than `at(before)` in portions of this size. Returns how many records, and in how many portions.
async fn erase_aged(stores: &Stores, tenant_id: Option<TenantId>, kind: Aged, before: u64, limit: u32) -> (u64, usize) {
    let mut portion = AgedPortion {
        tenant_id,
        kind,
        before: at(before),
        from: None,
        limit,
    };
    let mut erased = 0;
    for portions in 1..100 {
        let done = stores.erasure.erase_aged(&portion).await.expect("the store answers");
        assert!(done.erased <= u64::from(limit), "{done:?}");
        erased += done.erased;
        portion.from = done.next;
        if portion.from.is_none() {
            return (erased, portions);
        }
    }
    panic!("the portions do not end");
}

/// A message that last changed at this time.
fn changed_at(message: Message, time: u64) -> Message {
    message.with(|message| message.delivery.updated_at = at(time))
}

async fn ids(stores: &Stores, tenant: &TenantId) -> Vec<String> {
    let query = MessageQuery {
        limit: PageLimit::items(200),
        ..MessageQuery::default()
    };
    let listed = stores.lists.messages(tenant, &query).await.expect("the store answers");
    listed
        .items
        .iter()
        .map(|message| message.accepted.id.to_string())
        .collect()
}

pub async fn a_conversation_goes_with_its_last_message(stores: Stores) {
    let tenant = tenant_id();
    let touch = |digits: &str, time| ConversationTouch {
        also: Vec::new(),
        name: None,
        kind: ConversationKind::Person,
        id: ConversationId::of(&tenant, &phone_number_id(), &person(digits)),
        tenant_id: tenant,
        phone_number_id: phone_number_id(),
        wa_id: person(digits),
        message_id: outbound(tenant).accepted.id,
        at: at(time),
        opens_window: true,
    };
    // Two without a message, one with a message of another number, one with its own, one that is not old.
    let touches = [
        touch("1", 10),
        touch("2", 10),
        touch("3", 20),
        touch("4", 20),
        touch("5", 100),
    ];
    stores.conversations.touch(&touches).await.expect("the store answers");
    let to = |digits: &str, number| {
        outbound(tenant).with(|message| {
            message.accepted.peer_id = Some(person(digits));
            message.accepted.phone_number_id = number;
        })
    };
    accept_all(&stores, &[to("3", phone("77777")), to("4", phone_number_id())]).await;
    let left = async || {
        let listed = stores.conversations.list(&tenant, None, PageLimit::items(10)).await;
        let mut left: Vec<_> = listed
            .expect("the store answers")
            .items
            .iter()
            .map(|one| one.wa_id.to_string())
            .collect();
        left.sort();
        left
    };
    for limit in [1, 2, 100] {
        erase_aged(&stores, Some(tenant), Aged::Conversations, 100, limit).await;
    }
    assert_eq!(left().await, ["4", "5"]);
    assert_eq!(erase_aged(&stores, None, Aged::Conversations, 1_000, 4).await, (0, 1));
}

pub async fn old_events_are_erased_and_nobody_elses(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let received = |owner: Option<TenantId>, time| WebhookEvent {
        tenant_id: owner,
        received_at: at(time),
        amends: None,
        ..event(tenant)
    };
    let owners = [Some(tenant), Some(other), None];
    for time in [98, 99, 100] {
        let events = owners.map(|owner| received(owner, time));
        stores.events.record(&events).await.expect("the store answers");
    }
    let count = async |owner: Option<TenantId>| {
        let listed = stores.events.list(owner.as_ref(), None, PageLimit::items(10)).await;
        listed.expect("the store answers").items.len()
    };
    assert_eq!(erase_aged(&stores, Some(tenant), Aged::Events, 100, 1).await.0, 2);
    assert_eq!(
        [count(owners[0]).await, count(owners[1]).await, count(None).await],
        [1, 3, 3]
    );
    assert_eq!(erase_aged(&stores, None, Aged::Events, 99, 100).await.0, 1);
    assert_eq!([count(owners[1]).await, count(None).await], [3, 2]);
}

pub async fn an_amendment_outlives_its_message(stores: Stores) {
    let tenant = tenant_id();
    let longer = u64::try_from(KEPT_LONGER.as_millis()).expect("days");
    let mut expected = Vec::new();
    for (n, time) in (0..).zip([0, 99, 100, 101, 102, longer]) {
        // Events of both kinds by turns, the older ones first.
        let one = WebhookEvent {
            received_at: at(time),
            ..event(tenant)
        };
        let one = if n % 2 == 0 {
            one
        } else {
            WebhookEvent { amends: None, ..one }
        };
        stores
            .events
            .record(std::slice::from_ref(&one))
            .await
            .expect("the store answers");
        if time >= 100 && n % 2 == 0 {
            expected.push(one);
        }
    }
    for limit in [1, 2, 100] {
        erase_aged(&stores, Some(tenant), Aged::Events, 100 + longer, limit).await;
    }
    expected.reverse();
    let listed = stores.events.list(Some(&tenant), None, PageLimit::items(10)).await;
    assert_eq!(listed.expect("the store answers").items, expected);
}

pub async fn what_is_old_is_walked_portion_by_portion(stores: Stores) {
    let tenant = tenant_id();
    for n in 0..10 {
        let status = if n % 2 == 0 { Status::Queued } else { Status::Delivered };
        accept_as(&stores, status, changed_at(outbound(tenant), 1)).await;
    }
    // What stays does not hold up what is behind it.
    assert_eq!(erase_aged(&stores, Some(tenant), Aged::Messages, 100, 3).await, (5, 4));
    let large = format!("{{\"body\":\"{}\"}}", "x".repeat(200_000));
    for _ in 0..20 {
        let message =
            changed_at(outbound(tenant), 1).with(|message| message.accepted.content.body = large.as_str().into());
        accept_as(&stores, Status::Delivered, message).await;
    }
    assert_eq!(erase_aged(&stores, Some(tenant), Aged::Messages, 100, 200).await.0, 20);
}

pub async fn the_retention_time_is_kept_and_never_goes_back(stores: Stores) {
    let erasure = &stores.erasure;
    assert_eq!(erasure.retention_time().await, Ok(None));
    for (keep, kept) in [(500, 500), (900, 900), (700, 900), (901, 901)] {
        assert_eq!(erasure.keep_retention_time(at(keep)).await, Ok(()));
        assert_eq!(erasure.retention_time().await, Ok(Some(at(kept))));
    }
}
