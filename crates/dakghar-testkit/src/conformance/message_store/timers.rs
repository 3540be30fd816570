//! What the reconciler asks: whose timer ran out, who is held, whether statuses flow.

use crate::samples::With as _;
use dakghar_core::domain::{Message, Status, Timestamp};

use super::{Store, accept_all, accept_as, ids, load, receive_all, save};
use crate::samples::{at, inbound, outbound, phone, tenant_id};

/// More than any case has.
const LIMIT: u32 = 1_000;

fn waking(at: Timestamp) -> Message {
    outbound(tenant_id()).with(|message| message.delivery.wake_at = Some(at))
}

async fn due(store: &Store, until: Timestamp, status: Option<Status>, limit: u32) -> Vec<Message> {
    store.due(until, status, limit).await.expect("the store answers")
}

pub async fn due_messages_come_most_overdue_first(store: Store) {
    let messages = [30, 10, 40, 20].map(|ms| waking(at(ms)));
    accept_all(&store, &messages).await;
    accept_all(&store, &[outbound(tenant_id())]).await;
    let [third, first, fourth, second] = messages;
    assert_eq!(due(&store, at(100), None, LIMIT).await, [first, second, third, fourth]);
}

pub async fn messages_are_due_at_their_time_and_not_before(store: Store) {
    let message = waking(at(50));
    accept_all(&store, std::slice::from_ref(&message)).await;
    assert_eq!(due(&store, at(49), None, LIMIT).await, []);
    assert_eq!(due(&store, at(50), None, LIMIT).await, [message]);
}

pub async fn due_can_be_limited_to_a_status(store: Store) {
    let queued = waking(at(1));
    accept_all(&store, std::slice::from_ref(&queued)).await;
    let held = accept_as(&store, Status::Held, waking(at(2))).await;
    let sending = accept_as(&store, Status::Sending, waking(at(3))).await;
    assert_eq!(due(&store, at(9), Some(Status::Queued), LIMIT).await, [queued]);
    assert_eq!(due(&store, at(9), Some(Status::Held), LIMIT).await, [held]);
    assert_eq!(due(&store, at(9), Some(Status::Sending), LIMIT).await, [sending]);
    assert_eq!(due(&store, at(9), Some(Status::InDoubt), LIMIT).await, []);
    assert_eq!(due(&store, at(9), None, LIMIT).await.len(), 3);
}

pub async fn due_stops_at_its_limit(store: Store) {
    let messages = [5, 1, 4, 2, 3].map(|ms| waking(at(ms)));
    accept_all(&store, &messages).await;
    let three = due(&store, at(9), None, 3).await;
    assert_eq!(
        ids(&three),
        [
            messages[1].accepted.id,
            messages[3].accepted.id,
            messages[4].accepted.id
        ]
    );
    let of_status = due(&store, at(9), Some(Status::Queued), 2).await;
    assert_eq!(ids(&of_status), [messages[1].accepted.id, messages[3].accepted.id]);
}

pub async fn a_changed_timer_is_what_counts(store: Store) {
    let mut message = waking(at(50));
    accept_all(&store, std::slice::from_ref(&message)).await;
    message.delivery.wake_at = Some(at(70));
    save(&store, &mut message).await;
    assert_eq!(due(&store, at(69), None, LIMIT).await, []);
    assert_eq!(due(&store, at(70), None, LIMIT).await, [message.clone()]);
    message.delivery.wake_at = None;
    save(&store, &mut message).await;
    assert_eq!(due(&store, at(1_000_000), None, LIMIT).await, []);
}

pub async fn held_messages_are_woken(store: Store) {
    let tenant = tenant_id();
    let mut held = Vec::new();
    for wake_at in [None, Some(at(900)), Some(at(1))] {
        let message = outbound(tenant).with(|message| message.delivery.wake_at = wake_at);
        held.push(accept_as(&store, Status::Held, message).await);
    }
    assert_eq!(store.wake_held(&tenant, None, at(5)).await, Ok(3));
    let woken = due(&store, at(5), Some(Status::Held), LIMIT).await;
    assert_eq!(woken.len(), 3);
    for (message, woken) in held.iter().zip(load_all(&store, &held).await) {
        // Whether waking counts as a save is up to the store; whoever saves next must have read what is there now.
        let expected = message.clone().with(|message| {
            message.delivery.wake_at = Some(at(5));
            message.delivery.version = woken.delivery.version;
        });
        assert_eq!(woken, expected);
        save(&store, &mut woken.clone()).await;
    }
}

pub async fn held_messages_of_one_number_are_woken(store: Store) {
    let tenant = tenant_id();
    let on = |number: &str| outbound(tenant).with(|message| message.accepted.phone_number_id = phone(number));
    let mine = accept_as(&store, Status::Held, on("1")).await;
    let other = accept_as(&store, Status::Held, on("2")).await;
    assert_eq!(store.wake_held(&tenant, Some(&phone("1")), at(5)).await, Ok(1));
    assert_eq!(store.wake_held(&tenant, Some(&phone("3")), at(6)).await, Ok(0));
    let wake_at: Vec<_> = load_all(&store, &[mine, other])
        .await
        .iter()
        .map(|m| m.delivery.wake_at)
        .collect();
    assert_eq!(wake_at, [Some(at(5)), None]);
}

pub async fn nobody_else_is_woken(store: Store) {
    let tenant = tenant_id();
    let mut others = Vec::new();
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Held) {
        others.push(accept_as(&store, status, outbound(tenant)).await);
    }
    others.push(accept_as(&store, Status::Held, outbound(tenant_id())).await);
    assert_eq!(store.wake_held(&tenant, None, at(5)).await, Ok(0));
    assert_eq!(load_all(&store, &others).await, others);
}

pub async fn statuses_flow_after_a_later_call_was_reported_on(store: Store) {
    let tenant = tenant_id();
    let number = outbound(tenant).accepted.phone_number_id;
    let first = outbound(tenant);
    let flow = async |after| {
        store
            .statuses_flow(&first.key(), &number, after)
            .await
            .expect("the store answers")
    };
    let mut message = outbound(tenant).with(|message| message.delivery.called_at = Some(at(50)));
    accept_all(&store, &[message.clone(), outbound(tenant)]).await;
    assert!(!flow(at(10)).await, "nothing was reported");
    message.delivery.status_seen_at = Some(at(80));
    save(&store, &mut message).await;
    assert!(flow(at(49)).await);
    assert!(!flow(at(50)).await, "the call was not after that");
    assert!(!flow(at(60)).await, "the report was, but the call was not");
}

pub async fn statuses_flow_for_one_number_of_one_tenant(store: Store) {
    let tenant = tenant_id();
    let seen = outbound(tenant).with(|message| {
        message.delivery.called_at = Some(at(50));
        message.delivery.status_seen_at = Some(at(80));
    });
    let (number, key) = (seen.accepted.phone_number_id.clone(), seen.key());
    let foreign = outbound(tenant_id()).key();
    accept_all(&store, &[seen]).await;
    assert_eq!(store.statuses_flow(&key, &number, at(1)).await, Ok(true));
    assert_eq!(store.statuses_flow(&key, &phone("999"), at(1)).await, Ok(false));
    assert_eq!(store.statuses_flow(&foreign, &number, at(1)).await, Ok(false));
}

pub async fn a_backlog_does_not_hide_that_statuses_flow(store: Store) {
    let tenant = tenant_id();
    let in_doubt = outbound(tenant);
    let seen = outbound(tenant).with(|message| {
        message.delivery.called_at = Some(at(50));
        message.delivery.status_seen_at = Some(at(80));
    });
    let (number, key) = (seen.accepted.phone_number_id.clone(), in_doubt.key());
    accept_all(&store, &[in_doubt, seen]).await;
    let backlog: Vec<Message> = (0..300).map(|_| outbound(tenant)).collect();
    accept_all(&store, &backlog).await;
    assert_eq!(store.statuses_flow(&key, &number, at(10)).await, Ok(true));
    assert_eq!(store.statuses_flow(&key, &number, at(50)).await, Ok(false));
}

pub async fn unsettled_messages_are_counted(store: Store) {
    let tenant = tenant_id();
    for status in Status::ALL {
        accept_as(&store, status, outbound(tenant)).await;
    }
    receive_all(&store, &[inbound(tenant, "wamid.A")]).await;
    accept_all(&store, &[outbound(tenant_id())]).await;
    assert_eq!(store.count_unsettled(&tenant, LIMIT).await, Ok(4));
    assert_eq!(store.count_unsettled(&tenant_id(), LIMIT).await, Ok(0));
}

pub async fn unsettled_messages_are_counted_up_to_the_limit(store: Store) {
    let tenant = tenant_id();
    accept_all(&store, &[0; 7].map(|_| outbound(tenant))).await;
    assert_eq!(store.count_unsettled(&tenant, 5).await, Ok(5));
    assert_eq!(store.count_unsettled(&tenant, 7).await, Ok(7));
    assert_eq!(store.count_unsettled(&tenant, 8).await, Ok(7));
}

async fn load_all(store: &Store, messages: &[Message]) -> Vec<Message> {
    let mut loaded = Vec::new();
    for message in messages {
        loaded.push(load(store, message.key()).await.expect("stored"));
    }
    loaded
}
