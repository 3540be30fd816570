//! Messages that delivery, a client or Meta asks for.

use std::collections::HashSet;
use std::time::Duration;

use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::listening::CallSpan;
use dakghar_core::domain::message::Timings;
use dakghar_core::domain::{ConversationTouch, Direction, Message, MessageKey, Status, TenantId};
use dakghar_core::ports::{Acceptance, Disposition, JobKey, Received, ReceivedMessage, Saved, StoreError};

use super::super::stores::{accept_all, ids, receive_all, touch};
use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::samples::{With as _, at, inbound, outbound, person, phone_number_id, saves, tenant_id, wamid, with_key};

/// Covers `MessageStore::load`.
pub async fn it_is_loaded_as_an_error_of_its_own(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = port.mixed(MIXED, |index| with_key(tenant, &index.to_string())).await;
    let keys: Vec<MessageKey> = broken.iter().chain(&whole).map(Message::key).collect();
    let loaded = port.stores.messages.load(&keys).await;
    let (first, last) = loaded.split_at(broken.len());
    for loaded in first {
        assert!(is_unreadable(loaded), "{loaded:?}");
    }
    let whole_again: Vec<_> = whole.into_iter().map(|message| Ok(Some(message))).collect();
    assert_eq!(last, whole_again);
    let foreign = MessageKey {
        tenant_id: tenant_id(),
        ..broken[0].key()
    };
    let of_both = [foreign, keys[keys.len() - 1]];
    assert_eq!(port.stores.messages.load(&of_both).await[0], Ok(None));
}

/// Covers `MessageStore::accept`.
pub async fn a_repetition_of_its_key_costs_no_other_message(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = port
        .mixed(MIXED, |index| with_key(tenant, &format!("key {index}")))
        .await;
    let again = |first: &Message| {
        outbound(tenant).with(|message| message.accepted.idempotency.clone_from(&first.accepted.idempotency))
    };
    // Of another tenant, and in one batch with the repetitions.
    let new = with_key(tenant_id(), "key 0");
    let mut batch: Vec<Message> = broken.iter().map(again).collect();
    batch.extend([new.clone(), again(&whole[0])]);
    let answers = port.stores.messages.accept(batch).await;
    let (of_broken, others) = answers.split_at(broken.len());
    let [of_new, of_whole] = others else {
        panic!("{others:?}")
    };
    assert_eq!(*of_new, Ok(Acceptance::Stored));
    assert!(matches!(of_whole, Ok(Acceptance::Replay { message_id, .. }) if *message_id == whole[0].accepted.id));
    let mut unreadable = 0;
    for (answer, first) in of_broken.iter().zip(&broken) {
        // Broken in a field that the answer does not need.
        let is_replay = matches!(answer, Ok(Acceptance::Replay { message_id, .. }) if *message_id == first.accepted.id);
        assert!(is_replay || is_unreadable(answer), "{answer:?}");
        unreadable += usize::from(is_unreadable(answer));
    }
    assert!(unreadable > 0, "no way broke what the answer needs");
    assert_eq!(port.stores.messages.load(&[new.key()]).await, [Ok(Some(new))]);
}

/// Covers `MessageStore::receive`.
pub async fn a_repetition_of_what_was_received_costs_no_other_message(port: Breakable) {
    let tenant = tenant_id();
    let messages: Vec<Message> = (0..MIXED).map(|n| inbound(tenant, &format!("wamid.{n}"))).collect();
    receive_all(&port.stores, &messages).await;
    let (whole, broken) = thirds(messages);
    port.break_messages(&broken).await;
    // Their keys are still taken, by nobody knows whom.
    port.break_all(broken[..2].iter().map(|message| Record::Sender(message.key())))
        .await;
    let again = |message: &Message| ReceivedMessage {
        message: inbound(tenant, message.delivery.wamid.as_ref().expect("set").as_str()),
        touch: Some(touch_of(tenant)),
    };
    let new = ReceivedMessage {
        message: inbound(tenant_id(), "wamid.new"),
        touch: None,
    };
    for _ in 0..2 {
        let batch = broken.iter().chain(&whole).map(again).chain([new.clone()]).collect();
        let answers = port.stores.messages.receive(batch).await;
        for (answer, message) in answers[broken.len()..].iter().zip(&whole) {
            assert_eq!(*answer, Ok(Received::Duplicate(Some(message.key()))));
        }
        for answer in &answers[..broken.len()] {
            assert!(answer.is_ok(), "{answer:?}");
        }
        assert!(answers[answers.len() - 1].is_ok(), "{answers:?}");
    }
}

fn touch_of(tenant: TenantId) -> ConversationTouch {
    touch(tenant, &person("1"), at(10), Direction::Inbound)
}

/// Covers `MessageStore::save`.
pub async fn a_save_of_it_costs_no_other_save(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = port.mixed(MIXED, |_| outbound(tenant)).await;
    let change = |message: &Message, n: usize| {
        message.clone().with(|message| {
            message.delivery.strikes = 2;
            message.delivery.wamid = Some(wamid(&format!("wamid.{n}")));
            message.delivery.wamids = vec![wamid(&format!("wamid.{n}"))];
        })
    };
    let changed: Vec<Message> = (0..)
        .zip(broken.iter().chain(&whole))
        .map(|(n, message)| change(message, n))
        .collect();
    let saved = port.stores.messages.save(&saves(&changed)).await;
    check_broken(&saved[..broken.len()]);
    check_whole(&port, &changed[broken.len()..], &saved[broken.len()..]).await;
}

/// Covers `MessageStore::claim`.
pub async fn a_claim_of_it_costs_no_other_claim(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = port.mixed(MIXED, |_| outbound(tenant)).await;
    let claim = |message: &Message| {
        let mut claimed = message.clone();
        let is_due = claimed.claim(at(1_000_000), &"worker-7".into(), &Timings::default());
        is_due.expect("it is due");
        claimed
    };
    let claimed: Vec<Message> = broken.iter().chain(&whole).map(claim).collect();
    let saved = port.stores.messages.claim(&saves(&claimed)).await;
    assert!(
        claimed
            .iter()
            .all(|message| matches!(message.delivery.lease, Some(Lease { .. })))
    );
    check_broken(&saved[..broken.len()]);
    check_whole(&port, &claimed[broken.len()..], &saved[broken.len()..]).await;
}

/// Asserts that nothing failed here but single messages, each by itself.
fn check_broken(saved: &[Result<Saved, StoreError>]) {
    for saved in saved {
        assert!(saved.is_ok() || is_unreadable(saved), "{saved:?}");
    }
}

/// Asserts that these were saved as they are.
async fn check_whole(port: &Breakable, whole: &[Message], saved: &[Result<Saved, StoreError>]) {
    assert_eq!(saved, vec![Ok(Saved::Done); whole.len()]);
    for message in whole {
        let expected = message.clone().with(|message| message.delivery.version += 1);
        assert_eq!(port.stores.messages.load(&[message.key()]).await, [Ok(Some(expected))]);
    }
}

/// Covers `MessageStore::find_by_wamid`.
pub async fn it_does_not_hide_the_wamid_of_another(port: Breakable) {
    let tenant = tenant_id();
    let sent = |index| {
        outbound(tenant).with(|message| {
            message.delivery.status = Status::Sent;
            message.delivery.wamid = Some(wamid(&format!("wamid.{index}")));
            message.delivery.wamids = vec![wamid(&format!("wamid.{index}"))];
        })
    };
    let (whole, broken) = port.mixed(MIXED, sent).await;
    // Newer ones under the same wamids, of nobody knows whom.
    let lost: Vec<Message> = (0..2).map(sent).collect();
    accept_all(&port.stores, &lost).await;
    port.break_all(lost.iter().map(|message| Record::Sender(message.key())))
        .await;
    let refs: Vec<_> = broken
        .iter()
        .chain(&whole)
        .map(|message| (phone_number_id(), message.delivery.wamid.clone().expect("it was sent")))
        .collect();
    let found = port.stores.messages.find_by_wamid(&refs).await;
    let found = found.expect("the store answers");
    let whole: Vec<_> = whole.iter().map(|message| Some(message.key())).collect();
    assert_eq!(found[broken.len()..], whole);
}

/// Covers `MessageStore::find_by_idempotency_key`.
pub async fn its_key_is_an_error_for_the_one_who_asks(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = port
        .mixed(MIXED, |index| with_key(tenant, &format!("key {index}")))
        .await;
    let key = |message: &Message| message.accepted.idempotency.clone().expect("it has a key").key;
    for message in &broken {
        let found = port
            .stores
            .messages
            .find_by_idempotency_key(&tenant, &key(message))
            .await;
        assert!(is_unreadable(&found), "{found:?}");
    }
    for message in whole {
        let found = port
            .stores
            .messages
            .find_by_idempotency_key(&tenant, &key(&message))
            .await;
        assert_eq!(found, Ok(Some(message)));
    }
}

/// Covers `MessageStore::statuses_arrived`.
pub async fn it_does_not_hide_that_statuses_arrived(port: Breakable) {
    let tenant = tenant_id();
    let silent = outbound(tenant);
    accept_all(&port.stores, std::slice::from_ref(&silent)).await;
    let seen = |index| {
        outbound(tenant).with(|message| {
            message.delivery.called_at = Some(at(1_000));
            // Only the whole ones saw a status.
            message.delivery.status_seen_at = (index % 3 == 2).then(|| at(2_000));
        })
    };
    port.mixed(MIXED, seen).await;
    let calls = CallSpan {
        from: at(500),
        until: at(1_500),
    };
    let arrived = port
        .stores
        .messages
        .statuses_arrived(&silent.key(), &phone_number_id(), calls)
        .await;
    assert_eq!(arrived, Ok(true));
}

/// Covers `TimerStore::due`.
pub async fn what_is_due_behind_it_is_found(port: Breakable) {
    let waking = |index: usize| outbound(tenant_id()).with(|message| message.delivery.wake_at = Some(at(index as u64)));
    let (whole, _) = port.mixed(MIXED, waking).await;
    for (limit, status) in [(4, None), (10, Some(Status::Queued)), (100, None)] {
        let due = port.stores.timers.due(at(1_000), status, limit).await;
        let wanted = whole.len().min(limit as usize);
        assert_eq!(ids(&due.expect("the store answers")), ids(&whole[..wanted]), "{limit}");
    }
}

/// Covers `TimerStore::ahead`.
pub async fn what_a_clock_ahead_has_changed_is_found_beside_it(port: Breakable) {
    let changed = |index: usize| {
        let later = at(1_000 + index as u64);
        outbound(tenant_id()).with(|message| {
            message.delivery.updated_at = later;
            message.delivery.slot_at = Some(later);
            message.delivery.wake_at = Some(later);
        })
    };
    let (whole, _) = port.mixed(MIXED, changed).await;
    for limit in [4, 100] {
        let ahead = port.stores.timers.ahead(at(500), limit).await;
        let ahead = ids(&ahead.expect("the store answers"));
        assert_eq!(ahead.len(), whole.len().min(limit as usize), "{limit}");
        assert!(ahead.iter().all(|id| ids(&whole).contains(id)), "{limit}");
    }
}

/// Covers `TimerStore::released`.
pub async fn what_was_released_is_found_beside_it(port: Breakable) {
    let released = |index: usize| {
        outbound(tenant_id()).with(|message| {
            message.delivery.wake_at = Some(at(index as u64));
            message.delivery.enqueued_at = Some(at(0));
        })
    };
    let (whole, _) = port.mixed(MIXED, released).await;
    let wanted: Vec<JobKey> = whole.iter().map(|message| JobKey::Send(message.key())).collect();
    for limit in [4, 100] {
        let released = port.stores.timers.released(at(1_000), limit).await;
        let released = released.expect("the store answers").into_iter().map(|entry| entry.key);
        // What is broken beside a place in time does not matter here.
        let released: Vec<JobKey> = released.filter(|key| limit < 100 || wanted.contains(key)).collect();
        if limit == 100 {
            assert_eq!(released, wanted);
        } else {
            assert_eq!(released.len(), 4);
        }
    }
}

/// Covers `TimerStore::wake_held`.
pub async fn held_messages_beside_it_wake(port: Breakable) {
    let tenant = tenant_id();
    let held = |_| outbound(tenant).with(|message| message.delivery.status = Status::Held);
    let (whole, _) = port.mixed(MIXED, held).await;
    let woken = port.stores.timers.wake_held(&tenant, None, at(77)).await;
    assert!(woken.expect("the store answers") >= whole.len() as u64);
    let keys: Vec<MessageKey> = whole.iter().map(Message::key).collect();
    for loaded in port.stores.messages.load(&keys).await {
        let message = loaded.expect("it is whole").expect("it is there");
        assert_eq!(message.delivery.wake_at, Some(at(77)));
    }
}

/// Covers `Queue::take`, of a queue that reads the store itself.
pub async fn the_queue_gives_out_what_is_beside_it(port: Breakable) {
    let Some(queue) = &port.queue else { return };
    let due = |_| outbound(tenant_id()).with(|message| message.delivery.slot_at = Some(at(0)));
    let (whole, _) = port.mixed(MIXED, due).await;
    let mut wanted: HashSet<MessageKey> = whole.iter().map(Message::key).collect();
    let mut taken = Vec::new();
    while !wanted.is_empty() {
        let jobs = tokio::time::timeout(Duration::from_mins(1), queue.take(7)).await;
        for job in jobs.expect("a job comes in a minute").expect("the queue answers") {
            let JobKey::Send(key) = job.key;
            wanted.remove(&key);
            taken.push(job);
        }
    }
    for job in taken {
        job.finish(Disposition::Done);
    }
}
