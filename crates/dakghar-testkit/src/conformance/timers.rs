//! The suite of [`TimerStore`](dakghar_core::ports::TimerStore): whose timer ran out, and who is held.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::message::Priority;
use dakghar_core::domain::{Message, Status, Timestamp};
use dakghar_core::ports::{DUE_BYTES_MAX, QueueEntry};

use super::stores::{Stores, accept_all, accept_as, ids, load, save};
use crate::samples::{With as _, at, outbound, phone, tenant_id};

/// Runs the suite of `TimerStore`: `timer_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! timer_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, timers:
            due_messages_come_most_overdue_first
            messages_are_due_at_their_time_and_not_before
            due_can_be_limited_to_a_status
            due_stops_at_its_limit
            due_and_ahead_stop_at_their_bytes
            released_messages_are_those_that_were_enqueued
            a_changed_timer_is_what_counts
            what_a_clock_ahead_has_changed_is_found
            held_messages_are_woken
            held_messages_of_one_number_are_woken
            nobody_else_is_woken
        }
    };
}

/// More than any case has.
const LIMIT: u32 = 1_000;

fn waking(at: Timestamp) -> Message {
    outbound(tenant_id()).with(|message| message.delivery.wake_at = Some(at))
}

async fn due(stores: &Stores, until: Timestamp, status: Option<Status>, limit: u32) -> Vec<Message> {
    stores
        .timers
        .due(until, status, limit)
        .await
        .expect("the store answers")
}

pub async fn due_messages_come_most_overdue_first(stores: Stores) {
    let messages = [30, 10, 40, 20].map(|ms| waking(at(ms)));
    accept_all(&stores, &messages).await;
    accept_all(&stores, &[outbound(tenant_id())]).await;
    let [third, first, fourth, second] = messages;
    assert_eq!(due(&stores, at(100), None, LIMIT).await, [first, second, third, fourth]);
}

pub async fn messages_are_due_at_their_time_and_not_before(stores: Stores) {
    let message = waking(at(50));
    accept_all(&stores, std::slice::from_ref(&message)).await;
    assert_eq!(due(&stores, at(49), None, LIMIT).await, []);
    assert_eq!(due(&stores, at(50), None, LIMIT).await, [message]);
}

pub async fn what_a_clock_ahead_has_changed_is_found(stores: Stores) {
    let changed = |changed_at, timer: Timestamp| {
        outbound(tenant_id()).with(|message| {
            message.delivery.updated_at = changed_at;
            message.delivery.slot_at = Some(timer);
            message.delivery.wake_at = Some(timer);
        })
    };
    let ahead = changed(at(200), at(300));
    let waits_long = changed(at(100), at(300));
    let is_due = changed(at(200), at(100));
    accept_all(&stores, &[ahead.clone(), waits_long, is_due]).await;
    let mut expected = vec![ahead.accepted.id];
    for status in [Status::Held, Status::Sending, Status::InDoubt] {
        let message = accept_as(&stores, status, changed(at(200), at(300))).await;
        expected.push(message.accepted.id);
    }
    let find = async |of, limit| stores.timers.ahead(of, limit).await.expect("the store answers");
    let mut found = ids(&find(at(100), LIMIT).await);
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(find(at(100), 2).await.len(), 2);
    assert_eq!(find(at(200), LIMIT).await, []);
}

pub async fn due_can_be_limited_to_a_status(stores: Stores) {
    let queued = waking(at(1));
    accept_all(&stores, std::slice::from_ref(&queued)).await;
    let held = accept_as(&stores, Status::Held, waking(at(2))).await;
    let sending = accept_as(&stores, Status::Sending, waking(at(3))).await;
    assert_eq!(due(&stores, at(9), Some(Status::Queued), LIMIT).await, [queued]);
    assert_eq!(due(&stores, at(9), Some(Status::Held), LIMIT).await, [held]);
    assert_eq!(due(&stores, at(9), Some(Status::Sending), LIMIT).await, [sending]);
    assert_eq!(due(&stores, at(9), Some(Status::InDoubt), LIMIT).await, []);
    assert_eq!(due(&stores, at(9), None, LIMIT).await.len(), 3);
}

pub async fn due_stops_at_its_limit(stores: Stores) {
    let messages = [5, 1, 4, 2, 3].map(|ms| waking(at(ms)));
    accept_all(&stores, &messages).await;
    let three = due(&stores, at(9), None, 3).await;
    assert_eq!(
        ids(&three),
        [
            messages[1].accepted.id,
            messages[3].accepted.id,
            messages[4].accepted.id
        ]
    );
    let of_status = due(&stores, at(9), Some(Status::Queued), 2).await;
    assert_eq!(ids(&of_status), [messages[1].accepted.id, messages[3].accepted.id]);
}

pub async fn due_and_ahead_stop_at_their_bytes(stores: Stores) {
    let bytes = DUE_BYTES_MAX / 4;
    let mut expected = Vec::new();
    for ms in 1..=7 {
        let message = waking(at(ms)).with(|message| {
            message.delivery.updated_at = at(1_000);
            message.accepted.content.body = format!("{{\"body\":\"{}\"}}", "x".repeat(bytes)).into();
        });
        accept_all(&stores, std::slice::from_ref(&message)).await;
        expected.push(message.accepted.id);
    }
    assert_eq!(ids(&due(&stores, at(9), None, LIMIT).await), expected[..4]);
    let ahead = stores.timers.ahead(at(0), LIMIT).await;
    assert_eq!(ahead.expect("the store answers").len(), 4);
    assert_eq!(ids(&due(&stores, at(9), None, 3).await), expected[..3]);
}

pub async fn released_messages_are_those_that_were_enqueued(stores: Stores) {
    let enqueued = |ms| {
        waking(at(ms)).with(|message| {
            message.delivery.enqueued_at = Some(at(1));
            message.delivery.drive = 3;
        })
    };
    let second = enqueued(20).with(|message| message.delivery.slot_at = Some(at(15)));
    let first = enqueued(10).with(|message| message.accepted.priority = Priority::High);
    let waits = waking(at(5));
    accept_all(&stores, &[second.clone(), first.clone(), waits, enqueued(31)]).await;
    accept_as(&stores, Status::Held, enqueued(6)).await;
    let expected = [QueueEntry::of(&first), QueueEntry::of(&second)];
    assert_eq!(stores.timers.released(at(30), 9).await, Ok(expected.to_vec()));
    assert_eq!(stores.timers.released(at(30), 1).await, Ok(expected[..1].to_vec()));
    assert_eq!(stores.timers.released(at(30), 0).await, Ok(Vec::new()));
}

pub async fn a_changed_timer_is_what_counts(stores: Stores) {
    let mut message = waking(at(50));
    accept_all(&stores, std::slice::from_ref(&message)).await;
    message.delivery.wake_at = Some(at(70));
    save(&stores, &mut message).await;
    assert_eq!(due(&stores, at(69), None, LIMIT).await, []);
    assert_eq!(due(&stores, at(70), None, LIMIT).await, [message.clone()]);
    message.delivery.wake_at = None;
    save(&stores, &mut message).await;
    assert_eq!(due(&stores, at(1_000_000), None, LIMIT).await, []);
}

pub async fn held_messages_are_woken(stores: Stores) {
    let tenant = tenant_id();
    let mut held = Vec::new();
    for wake_at in [None, Some(at(900)), Some(at(1))] {
        let message = outbound(tenant).with(|message| message.delivery.wake_at = wake_at);
        held.push(accept_as(&stores, Status::Held, message).await);
    }
    let ahead = outbound(tenant).with(|message| message.delivery.updated_at = at(1_000));
    held.push(accept_as(&stores, Status::Held, ahead).await);
    assert_eq!(stores.timers.wake_held(&tenant, None, at(5)).await, Ok(4));
    let woken = due(&stores, at(5), Some(Status::Held), LIMIT).await;
    assert_eq!(woken.len(), 4);
    for (message, woken) in held.iter().zip(load_all(&stores, &held).await) {
        // A store may count waking as a save; whoever saves next must have read what is there now.
        let expected = message.clone().with(|message| {
            message.delivery.wake_at = Some(at(5));
            message.delivery.updated_at = message.delivery.updated_at.max(at(5));
            message.delivery.version = woken.delivery.version;
        });
        assert_eq!(woken, expected);
        save(&stores, &mut woken.clone()).await;
    }
}

pub async fn held_messages_of_one_number_are_woken(stores: Stores) {
    let tenant = tenant_id();
    let on = |number: &str| outbound(tenant).with(|message| message.accepted.phone_number_id = phone(number));
    let mine = accept_as(&stores, Status::Held, on("1")).await;
    let other = accept_as(&stores, Status::Held, on("2")).await;
    assert_eq!(stores.timers.wake_held(&tenant, Some(&phone("1")), at(5)).await, Ok(1));
    assert_eq!(stores.timers.wake_held(&tenant, Some(&phone("3")), at(6)).await, Ok(0));
    let wake_at: Vec<_> = load_all(&stores, &[mine, other])
        .await
        .iter()
        .map(|m| m.delivery.wake_at)
        .collect();
    assert_eq!(wake_at, [Some(at(5)), None]);
}

pub async fn nobody_else_is_woken(stores: Stores) {
    let tenant = tenant_id();
    let mut others = Vec::new();
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Held) {
        others.push(accept_as(&stores, status, outbound(tenant)).await);
    }
    others.push(accept_as(&stores, Status::Held, outbound(tenant_id())).await);
    assert_eq!(stores.timers.wake_held(&tenant, None, at(5)).await, Ok(0));
    assert_eq!(load_all(&stores, &others).await, others);
}

async fn load_all(stores: &Stores, messages: &[Message]) -> Vec<Message> {
    let mut loaded = Vec::new();
    for message in messages {
        loaded.push(load(stores, message.key()).await.expect("stored"));
    }
    loaded
}
