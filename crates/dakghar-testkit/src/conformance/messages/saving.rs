//! Messages are loaded for their tenant, and saved only over the version that was read.

use dakghar_core::domain::message::{DeadReason, TIMELINE_ENTRIES_MAX, TimelineEntry, TimelineEvent, Timings};
use dakghar_core::domain::{HoldReason, Message, MessageKey, Status};
use dakghar_core::ports::{LOAD_BYTES_MAX, Save, Saved, StoreError};

use super::super::stores::{Stores, accept_all, load, receive_all, save};
use crate::samples::{
    With as _, at, inbound, outbound, outbound_full, saves, send_error_full, tenant_id, wamid, with_key,
};

/// `message` with everything that delivery changes as `from` has it.
fn delivered_as(message: &Message, from: &Message) -> Message {
    message.clone().with(|message| {
        let (expires_at, version) = (message.delivery.expires_at, message.delivery.version);
        message.delivery = from.delivery.clone();
        (message.delivery.expires_at, message.delivery.version) = (expires_at, version);
    })
}

pub async fn messages_load_in_the_order_of_the_keys(stores: Stores) {
    let tenant = tenant_id();
    let messages = [outbound(tenant), outbound(tenant), inbound(tenant, "wamid.A")];
    accept_all(&stores, &messages[..2]).await;
    receive_all(&stores, &messages[2..]).await;
    let [first, second, third] = messages;
    let keys = [&third, &outbound(tenant), &first, &second, &first].map(Message::key);
    let loaded = stores.messages.load(&keys).await;
    assert_eq!(
        loaded,
        [Some(third), None, Some(first.clone()), Some(second), Some(first)].map(Ok)
    );
    assert_eq!(stores.messages.load(&[]).await, []);
}

pub async fn a_load_ends_with_its_bytes_and_the_rest_is_asked_for_again(stores: Stores) {
    let tenant = tenant_id();
    let body = format!("{{\"body\":\"{}\"}}", "x".repeat(LOAD_BYTES_MAX / 8));
    let large = || outbound(tenant).with(|message| message.accepted.content.body = body.as_str().into());
    let messages: Vec<Message> = (0..20).map(|_| large()).collect();
    for messages in messages.chunks(4) {
        accept_all(&stores, messages).await;
    }
    let mut left: Vec<&Message> = messages.iter().collect();
    // One alone has more than all the bytes, and is read all the same.
    let larger = format!("{{\"body\":\"{}\"}}", "x".repeat(LOAD_BYTES_MAX + 1));
    let larger = outbound(tenant).with(|message| message.accepted.content.body = larger.as_str().into());
    accept_all(&stores, std::slice::from_ref(&larger)).await;
    left.insert(0, &larger);
    left.push(&messages[0]);
    let mut loads = 0;
    while !left.is_empty() {
        let keys: Vec<MessageKey> = left.iter().map(|message| message.key()).collect();
        let loaded = stores.messages.load(&keys).await;
        let before = left.len();
        let mut answers = loaded.into_iter();
        left.retain(|message| match answers.next().expect("an answer for each") {
            Ok(Some(loaded)) => {
                assert_eq!(loaded, **message);
                false
            }
            answer => {
                assert_eq!(answer, Err(StoreError::NotReadYet));
                true
            }
        });
        // One of them is asked for twice.
        assert!((1..=9).contains(&(before - left.len())), "{before} and {}", left.len());
        loads += 1;
    }
    assert!(loads >= 3, "{loads}");
}

pub async fn a_foreign_tenant_loads_nothing(stores: Stores) {
    let message = outbound(tenant_id());
    accept_all(&stores, std::slice::from_ref(&message)).await;
    let foreign = MessageKey {
        tenant_id: tenant_id(),
        ..message.key()
    };
    let loaded = stores.messages.load(&[foreign, message.key()]).await;
    assert_eq!(loaded, [Ok(None), Ok(Some(message))]);
}

pub async fn a_save_keeps_every_field_that_delivery_changes(stores: Stores) {
    let tenant = tenant_id();
    let accepted = with_key(tenant, "k");
    let mut message = delivered_as(&accepted, &outbound_full(tenant));
    accept_all(&stores, &[accepted]).await;
    save(&stores, &mut message).await;
    assert_eq!(load(&stores, message.key()).await, Some(message));
}

pub async fn a_save_clears_what_is_no_longer_set(stores: Stores) {
    let tenant = tenant_id();
    let full = outbound_full(tenant);
    let bare = outbound(tenant).with(|message| message.delivery.timeline = Vec::new());
    let mut message = delivered_as(&full, &bare);
    accept_all(&stores, &[full]).await;
    save(&stores, &mut message).await;
    assert_eq!(load(&stores, message.key()).await, Some(message));
}

pub async fn every_status_and_reason_survives(stores: Stores) {
    let mut message = outbound(tenant_id());
    accept_all(&stores, std::slice::from_ref(&message)).await;
    for status in Status::ALL {
        message.delivery.status = status;
        save(&stores, &mut message).await;
        assert_eq!(load(&stores, message.key()).await.as_ref(), Some(&message));
    }
    for reason in HoldReason::ALL {
        message.delivery.hold_reason = Some(reason);
        save(&stores, &mut message).await;
        assert_eq!(load(&stores, message.key()).await.as_ref(), Some(&message));
    }
    for reason in DeadReason::ALL {
        message.delivery.dead_reason = Some(reason);
        save(&stores, &mut message).await;
        assert_eq!(load(&stores, message.key()).await.as_ref(), Some(&message));
    }
}

pub async fn a_long_timeline_survives(stores: Stores) {
    let mut message = outbound(tenant_id());
    accept_all(&stores, std::slice::from_ref(&message)).await;
    message.delivery.timeline = (0..TIMELINE_ENTRIES_MAX)
        .map(|index| TimelineEntry {
            at: at(index as u64),
            event: TimelineEvent::ALL[index % TimelineEvent::ALL.len()],
            attempt: (index % 2 == 0).then_some(7),
            detail: Some("d".repeat(200).into()),
            until: (index % 3 == 0).then(|| at(1_000)),
            error: (index % 5 == 0).then(send_error_full),
        })
        .collect();
    save(&stores, &mut message).await;
    assert_eq!(load(&stores, message.key()).await, Some(message));
}

pub async fn a_save_raises_the_version_each_time(stores: Stores) {
    let mut message = outbound(tenant_id());
    accept_all(&stores, std::slice::from_ref(&message)).await;
    for version in 0..5 {
        let loaded = load(&stores, message.key()).await.expect("stored");
        assert_eq!(loaded.delivery.version, version);
        // Nothing but the version changes, and that counts as well.
        save(&stores, &mut message).await;
    }
}

/// `message` as its worker claims it.
fn claimed(message: &Message, attempt: u32) -> Message {
    let mut claimed = message.clone().with(|message| {
        message.delivery.status = Status::Queued;
        message.delivery.expires_at = None;
        message.delivery.slot_at = None;
        message.delivery.attempt = attempt - 1;
    });
    claimed
        .claim(at(5_000), &"worker-7".into(), &Timings::default())
        .expect("it is due");
    claimed
}

pub async fn claims_are_saved_like_any_change(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    // Of two tenants, of several versions and attempts, and more than share a statement or a command.
    let mut messages: Vec<Message> = (0..300)
        .map(|n| {
            with_key(if n % 3 == 0 { other } else { tenant }, &n.to_string()).with(|message| {
                message.delivery.expires_at = None;
                message.delivery.enqueued_at = (n % 2 == 0).then(|| at(40 + n));
                message.delivery.wake_at = Some(at(7_000 + n));
            })
        })
        .collect();
    accept_all(&stores, &messages).await;
    for message in messages.iter_mut().step_by(7) {
        *message = delivered_as(message, &outbound_full(tenant)).with(|message| {
            message.delivery.status = Status::Queued;
            message.delivery.slot_at = None;
            message.delivery.expires_at = None;
            message.delivery.attempt = 3;
        });
        save(&stores, message).await;
    }
    let mut batch: Vec<Message> = messages
        .iter()
        .map(|message| claimed(message, message.delivery.attempt + 1))
        .collect();
    assert_eq!(
        stores.messages.claim(&saves(&batch)).await,
        vec![Ok(Saved::Done); batch.len()]
    );
    for message in &mut batch {
        message.delivery.version += 1;
    }
    let keys: Vec<MessageKey> = batch.iter().map(Message::key).collect();
    let stored: Vec<_> = stores
        .messages
        .load(&keys)
        .await
        .into_iter()
        .map(|loaded| loaded.expect("stored"))
        .collect();
    assert_eq!(stored, batch.into_iter().map(Some).collect::<Vec<_>>());
    assert_eq!(stores.messages.claim(&[]).await, []);
}

pub async fn a_claim_of_what_changed_meanwhile_is_stale(stores: Stores) {
    let tenant = tenant_id();
    let mut messages = [0; 3].map(|_| outbound(tenant));
    accept_all(&stores, &messages).await;
    let mut batch: Vec<Message> = messages.iter().map(|message| claimed(message, 1)).collect();
    batch.push(claimed(&outbound(tenant), 1));
    messages[1].delivery.strikes = 1;
    save(&stores, &mut messages[1]).await;

    let (done, stale) = (Ok(Saved::Done), Ok(Saved::Stale));
    assert_eq!(
        stores.messages.claim(&saves(&batch)).await,
        [done.clone(), stale.clone(), done, stale.clone()]
    );
    assert_eq!(load(&stores, messages[1].key()).await.as_ref(), Some(&messages[1]));
    // Whoever comes second finds it taken.
    assert_eq!(stores.messages.claim(&saves(&batch[..1])).await, [stale]);
}

fn sent(message: &mut Message) {
    message.delivery.status = Status::Sent;
    message.delivery.wamid = Some(wamid("wamid.A"));
    message.delivery.wamids = vec![wamid("wamid.A")];
}

pub async fn a_client_knows_a_message_by_its_gateway_id_unless_meta_has_given_it_one(stores: Stores) {
    let tenant = tenant_id();
    let [answered, waited, mut taken] = [0; 3].map(|_| outbound(tenant));
    let answered = answered.with(|message| message.accepted.by_gateway_id = true);
    accept_all(&stores, &[answered.clone(), waited.clone(), taken.clone()]).await;
    sent(&mut taken);
    save(&stores, &mut taken).await;
    let received = inbound(tenant, "wamid.IN");
    receive_all(&stores, std::slice::from_ref(&received)).await;

    let foreign = MessageKey {
        tenant_id: tenant_id(),
        ..waited.key()
    };
    assert_eq!(stores.messages.know_by_gateway_id(&foreign).await, Ok(false));
    assert_eq!(load(&stores, waited.key()).await.as_ref(), Some(&waited));
    // The answer to the first may be lost.
    for _ in 0..2 {
        for (message, is_known) in [
            (&answered, true),
            (&waited, true),
            (&taken, false),
            (&received, false),
            (&outbound(tenant), false),
        ] {
            let noted = stores.messages.know_by_gateway_id(&message.key()).await;
            assert_eq!(noted, Ok(is_known), "{message:?}");
        }
    }
    let waited = waited.with(|message| message.accepted.by_gateway_id = true);
    for message in [answered, waited, taken, received] {
        assert_eq!(load(&stores, message.key()).await, Some(message));
    }
}

pub async fn that_a_client_knows_a_message_by_its_gateway_id_is_in_nobodys_way(stores: Stores) {
    let tenant = tenant_id();
    let [mut saved, taken] = [0; 2].map(|_| outbound(tenant));
    accept_all(&stores, &[saved.clone(), taken.clone()]).await;
    for message in [&saved, &taken] {
        assert_eq!(stores.messages.know_by_gateway_id(&message.key()).await, Ok(true));
    }
    // Both were read before.
    sent(&mut saved);
    save(&stores, &mut saved).await;
    let claimed = claimed(&taken, 1);
    assert_eq!(stores.messages.claim(&saves([&claimed])).await, [Ok(Saved::Done)]);
    for key in [saved.key(), taken.key()] {
        let loaded = load(&stores, key).await.expect("stored");
        assert!(loaded.accepted.by_gateway_id, "{loaded:?}");
        assert_eq!(stores.messages.know_by_gateway_id(&key).await, Ok(true), "for good");
    }
}

pub async fn a_stale_save_changes_nothing(stores: Stores) {
    let mut first = outbound(tenant_id());
    let mut second = first.clone();
    accept_all(&stores, std::slice::from_ref(&first)).await;
    first.delivery.epoch = 1;
    save(&stores, &mut first).await;

    second.delivery.epoch = 2;
    for version in [0, 2, u64::from(u32::MAX)] {
        second.delivery.version = version;
        assert_eq!(stores.messages.save(&[Save::quiet(&second)]).await, [Ok(Saved::Stale)]);
    }
    assert_eq!(load(&stores, first.key()).await, Some(first));
}

pub async fn what_was_never_stored_cannot_be_saved(stores: Stores) {
    let message = outbound(tenant_id());
    assert_eq!(stores.messages.save(&[Save::quiet(&message)]).await, [Ok(Saved::Stale)]);
    assert_eq!(load(&stores, message.key()).await, None);
    assert_eq!(stores.messages.save(&[]).await, []);
}

pub async fn a_foreign_tenant_saves_nothing(stores: Stores) {
    let message = outbound(tenant_id());
    accept_all(&stores, std::slice::from_ref(&message)).await;
    let foreign = message.clone().with(|message| {
        message.accepted.tenant_id = tenant_id();
        message.delivery.epoch = 9;
    });
    assert_eq!(stores.messages.save(&[Save::quiet(&foreign)]).await, [Ok(Saved::Stale)]);
    assert_eq!(load(&stores, message.key()).await, Some(message));
}

pub async fn a_foreign_tenant_saves_nothing_beside_the_owner(stores: Stores) {
    let (mut own, other) = (outbound(tenant_id()), outbound(tenant_id()));
    accept_all(&stores, &[own.clone(), other.clone()]).await;
    own.delivery.epoch = 5;
    let foreign = other.clone().with(|message| {
        message.accepted.tenant_id = own.accepted.tenant_id;
        message.delivery.epoch = 9;
    });
    // Both tenants are in the batch, but not with each other's messages.
    let mut second = outbound(other.accepted.tenant_id);
    accept_all(&stores, std::slice::from_ref(&second)).await;
    second.delivery.epoch = 5;
    let answers = stores
        .messages
        .save(&saves(&[own.clone(), foreign, second.clone()]))
        .await;
    assert_eq!(answers, [Ok(Saved::Done), Ok(Saved::Stale), Ok(Saved::Done)]);
    assert_eq!(load(&stores, other.key()).await, Some(other));
    for saved in [own, second] {
        assert_eq!(load(&stores, saved.key()).await.expect("stored").delivery.epoch, 5);
    }
}

pub async fn a_stale_save_does_not_spoil_its_batch(stores: Stores) {
    let tenant = tenant_id();
    let mut messages = [0; 4].map(|_| outbound(tenant));
    accept_all(&stores, &messages).await;
    save(&stores, &mut messages[1]).await;

    let mut batch = messages.clone();
    batch[1].delivery.version = 0;
    for message in &mut batch {
        message.delivery.epoch = 5;
    }
    let answers: Vec<Result<Saved, StoreError>> = stores.messages.save(&saves(&batch)).await;
    let (done, stale) = (Ok(Saved::Done), Ok(Saved::Stale));
    assert_eq!(answers, [done.clone(), stale, done.clone(), done]);
    for (index, message) in messages.iter().enumerate() {
        let loaded = load(&stores, message.key()).await.expect("stored");
        assert_eq!(
            (loaded.delivery.epoch, loaded.delivery.version),
            if index == 1 { (0, 1) } else { (5, 1) }
        );
    }
}

pub async fn twenty_at_once_from_one_version_save_one(stores: Stores) {
    let message = outbound(tenant_id());
    accept_all(&stores, std::slice::from_ref(&message)).await;
    let tasks: Vec<_> = (1..=20)
        .map(|epoch| {
            let copy = message.clone().with(|message| message.delivery.epoch = epoch);
            let stores = stores.clone();
            tokio::spawn(async move { (epoch, stores.messages.save(&[Save::quiet(&copy)]).await.remove(0)) })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        if let (epoch, Ok(Saved::Done)) = task.await.expect("no panic") {
            winners.push(epoch);
        }
    }
    let loaded = load(&stores, message.key()).await.expect("stored");
    assert_eq!(winners, [loaded.delivery.epoch]);
    assert_eq!(loaded.delivery.version, 1);
}
