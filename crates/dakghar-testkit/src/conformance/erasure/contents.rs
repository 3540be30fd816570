//! The cases of contents, which go before their messages.

use dakghar_core::domain::Message;
use dakghar_core::domain::amendment::KEPT_LONGER;
use dakghar_core::domain::message::{Content, DeadReason, REMOVED_BODY, Status};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::domain::{EventId, TenantId, WebhookEvent};
use dakghar_core::ports::{Acceptance, Aged, Save, Saved};

use super::{changed_at, erase_aged};
use crate::conformance::stores::{Stores, accept_as, load, receive_all, save};
use crate::samples::{With as _, at, event, inbound, outbound, tenant_id, with_key};

const CONTENTS: Aged = Aged::Contents { removed_at: REMOVED_AT };
const REMOVED_AT: Timestamp = Timestamp::from_millis(9_000);

fn without_content(message: &Message) -> Content {
    Content {
        body: REMOVED_BODY.into(),
        envelope: None,
        frame: None,
        removed_at: Some(REMOVED_AT),
        ..message.accepted.content.clone()
    }
}

pub async fn old_contents_are_removed_and_all_else_of_the_messages_stays(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let mut all = Vec::new();
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Received) {
        for time in [99, 100] {
            let message = changed_at(with_key(tenant, &format!("{status:?}{time}")), time);
            let is_old = time < 100 && !status.is_unsettled();
            all.push((is_old, accept_as(&stores, status, message).await));
        }
    }
    let received = changed_at(inbound(tenant, "wamid.A"), 99);
    receive_all(&stores, std::slice::from_ref(&received)).await;
    all.push((true, received));
    let others = accept_as(&stores, Status::Sent, changed_at(outbound(other), 1)).await;

    let old = all.iter().filter(|(is_old, _)| *is_old).count() as u64;
    assert_eq!(erase_aged(&stores, Some(tenant), CONTENTS, 100, 4).await.0, old);
    for (is_old, message) in &all {
        let found = load(&stores, message.key()).await.expect("it stays");
        let mut expected = message.clone();
        if *is_old {
            expected.accepted.content = without_content(message);
            expected.delivery.version = found.delivery.version;
            assert!(
                found.delivery.version > message.delivery.version,
                "who read it before cannot save it"
            );
        }
        assert_eq!(found, expected);
    }
    assert_eq!(load(&stores, others.key()).await, Some(others));
    // Its key still guards an old message.
    let (_, oldest) = &all[all.iter().position(|(is_old, _)| *is_old).expect("one is old")];
    let key = oldest.accepted.idempotency.as_ref().expect("a key").key.clone();
    let repeated = stores.messages.accept(vec![with_key(tenant, key.as_str())]).await;
    assert!(matches!(repeated[0], Ok(Acceptance::Replay { .. })), "{repeated:?}");

    assert_eq!(erase_aged(&stores, Some(tenant), CONTENTS, 100, 4).await.0, 0);
    assert_eq!(erase_aged(&stores, None, CONTENTS, 1_000, 4).await, (0, 1));
}

pub async fn who_read_a_message_before_its_content_went_cannot_save_it(stores: Stores) {
    let tenant = tenant_id();
    let letter = changed_at(outbound(tenant), 50);
    let letter = letter.with(|message| message.delivery.dead_reason = Some(DeadReason::AttemptsExhausted));
    let mut letter = accept_as(&stores, Status::Dead, letter).await;
    assert_eq!(erase_aged(&stores, Some(tenant), CONTENTS, 100, 4).await.0, 1);
    letter.delivery.status = Status::Queued;
    letter.delivery.dead_reason = None;
    let saved = stores.messages.save(&[Save::quiet(&letter)]).await;
    assert_eq!(saved, [Ok(Saved::Stale)]);
    let kept = load(&stores, letter.key()).await.expect("it stays");
    assert_eq!(kept.delivery.status, Status::Dead);
}

pub async fn a_walk_over_contents_misses_nothing_that_ends_later(stores: Stores) {
    let tenant = tenant_id();
    let mut waits = Vec::new();
    for n in 0..10 {
        let status = if n % 3 == 1 { Status::Queued } else { Status::Delivered };
        let message = accept_as(&stores, status, changed_at(outbound(tenant), 1)).await;
        if status == Status::Queued {
            waits.push(message);
        }
    }
    assert_eq!(erase_aged(&stores, Some(tenant), CONTENTS, 100, 3).await, (7, 4));
    // What waits holds up nothing behind it, and what is behind it is not walked past.
    for message in &mut waits {
        message.delivery.status = Status::Cancelled;
        message.delivery.updated_at = at(150);
        save(&stores, message).await;
    }
    assert_eq!(erase_aged(&stores, Some(tenant), CONTENTS, 100, 3).await.0, 0);
    assert_eq!(erase_aged(&stores, Some(tenant), CONTENTS, 200, 3).await.0, 3);
    // Behind what it went through it begins anew.
    assert_eq!(erase_aged(&stores, Some(tenant), CONTENTS, 200, 3).await, (0, 1));
    accept_as(&stores, Status::Delivered, changed_at(outbound(tenant), 1)).await;
    assert_eq!(erase_aged(&stores, Some(tenant), CONTENTS, 200, 3).await, (1, 1));
}

/// Ids of the events that are left, the oldest first.
async fn left(stores: &Stores, owner: Option<&TenantId>) -> Vec<EventId> {
    let listed = stores.events.list(owner, None, PageLimit::items(50)).await;
    let mut ids: Vec<_> = listed
        .expect("the store answers")
        .items
        .iter()
        .map(|event| event.id)
        .collect();
    ids.reverse();
    ids
}

pub async fn old_events_that_tell_contents_are_erased_and_no_others(stores: Stores) {
    const ECHO: &str = r#"{"id":"1","changes":[{"field":"messages","value":{"message_echoes":[{"id":"w"}]}}]}"#;
    const PAYMENT: &str = r#"{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",
        "metadata":{},"statuses":[{"id":"w","type":"payment"}]}}]}"#;
    let (tenant, other) = (tenant_id(), tenant_id());
    let longer = u64::try_from(KEPT_LONGER.as_millis()).expect("days");
    let before = 100 + longer;
    let made = |owner: Option<TenantId>, field: &str, raw: &str, time: u64| WebhookEvent {
        tenant_id: owner,
        field: field.into(),
        raw: raw.into(),
        received_at: at(time),
        amends: None,
        ..event(tenant)
    };
    let mut kept = Vec::new();
    let mut stays = async |is_kept: bool, event: WebhookEvent| {
        let recorded = stores.events.record(std::slice::from_ref(&event)).await;
        recorded.expect("the store answers");
        if is_kept && event.tenant_id == Some(tenant) {
            kept.push(event.id);
        }
    };
    stays(true, made(Some(tenant), "account_update", "{}", 98)).await;
    stays(false, made(Some(tenant), "messages", ECHO, 98)).await;
    let amends = event(tenant).amends;
    let amendment = |time| WebhookEvent {
        amends: amends.clone(),
        ..made(Some(tenant), "messages", ECHO, time)
    };
    stays(false, amendment(99)).await;
    stays(true, amendment(100)).await;
    stays(true, made(Some(tenant), "messages", PAYMENT, 101)).await;
    stays(false, made(Some(tenant), "", "no json", 102)).await;
    stays(true, made(Some(other), "messages", ECHO, 102)).await;
    stays(true, made(None, "messages", ECHO, 102)).await;
    stays(true, made(Some(tenant), "messages", ECHO, before)).await;
    for limit in [1, 100] {
        erase_aged(&stores, Some(tenant), Aged::Written, before, limit).await;
        assert_eq!(left(&stores, Some(&tenant)).await, kept);
    }
    assert_eq!(left(&stores, Some(&other)).await.len(), 1);
    assert_eq!(erase_aged(&stores, None, Aged::Written, before, 4).await.0, 1);
    assert_eq!(left(&stores, None).await, Vec::new());
    // The amendment goes later, though a walk went by.
    assert_eq!(
        erase_aged(&stores, Some(tenant), Aged::Written, before + 1, 4).await.0,
        2
    );
}
