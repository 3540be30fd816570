//! The suite of [`EventStore`].
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::sync::Arc;

use dakghar_core::domain::{EventId, EventReason, TenantId, WebhookEvent};
use dakghar_core::ports::EventStore;

use super::read_pages;
use crate::samples::{event, event_bare, tenant_id};

/// What the cases are run against.
pub type Store = Arc<dyn EventStore>;

/// Runs the suite of `EventStore`: `event_store_suite!(factory)`, where the factory is an async function without
/// arguments that gives `(Arc<dyn EventStore>, guard)` or an `Option` of that. See [`conformance`](crate::conformance).
#[macro_export]
macro_rules! event_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, event_store:
            every_field_of_an_event_survives
            every_reason_of_an_event_survives
            a_known_fingerprint_is_absorbed
            a_fingerprint_twice_in_a_batch_is_kept_once
            ten_at_once_of_one_fingerprint_keep_one
            events_are_listed_newest_first
            events_show_to_their_tenant_only
            pages_of_events_have_no_gaps_and_no_repeats
        }
    };
}

async fn record(store: &Store, events: &[WebhookEvent]) {
    store.record(events).await.expect("the store answers");
}

async fn list(store: &Store, tenant: Option<&TenantId>) -> Vec<WebhookEvent> {
    store.list(tenant, None, 200).await.expect("the store answers")
}

pub async fn every_field_of_an_event_survives(store: Store) {
    let tenant = tenant_id();
    let (routed, bare) = (event(tenant), event_bare());
    record(&store, &[routed.clone(), bare.clone()]).await;
    assert_eq!(list(&store, Some(&tenant)).await, [routed]);
    assert_eq!(list(&store, None).await, [bare]);
    record(&store, &[]).await;
}

pub async fn every_reason_of_an_event_survives(store: Store) {
    let mut events: Vec<_> = EventReason::ALL
        .into_iter()
        .map(|reason| WebhookEvent { reason, ..event_bare() })
        .collect();
    record(&store, &events).await;
    events.reverse();
    assert_eq!(list(&store, None).await, events);
}

pub async fn a_known_fingerprint_is_absorbed(store: Store) {
    let tenant = tenant_id();
    let first = event(tenant);
    let other = event(tenant);
    record(&store, std::slice::from_ref(&first)).await;
    let again = WebhookEvent {
        fingerprint: first.fingerprint,
        ..event(tenant)
    };
    record(&store, &[again, other.clone()]).await;
    assert_eq!(list(&store, Some(&tenant)).await, [other, first]);
}

pub async fn a_fingerprint_twice_in_a_batch_is_kept_once(store: Store) {
    let tenant = tenant_id();
    let first = event(tenant);
    let again = WebhookEvent {
        fingerprint: first.fingerprint,
        ..event(tenant)
    };
    let other = event(tenant);
    record(&store, &[first, again, other.clone()]).await;
    let kept = list(&store, Some(&tenant)).await;
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0], other);
}

pub async fn ten_at_once_of_one_fingerprint_keep_one(store: Store) {
    let tenant = tenant_id();
    let fingerprint = event(tenant).fingerprint;
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let store = store.clone();
            let event = WebhookEvent {
                fingerprint,
                ..event(tenant)
            };
            tokio::spawn(async move { store.record(&[event]).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    assert_eq!(list(&store, Some(&tenant)).await.len(), 1);
}

pub async fn events_are_listed_newest_first(store: Store) {
    let tenant = tenant_id();
    let events = [event(tenant), event(tenant), event(tenant)];
    let [first, second, third] = events.clone();
    record(&store, &[second.clone(), third.clone()]).await;
    record(&store, std::slice::from_ref(&first)).await;
    assert_eq!(
        list(&store, Some(&tenant)).await,
        [third.clone(), second.clone(), first.clone()]
    );
    let page = async |before: Option<EventId>, limit| {
        store
            .list(Some(&tenant), before, limit)
            .await
            .expect("the store answers")
    };
    assert_eq!(page(None, 2).await, [third.clone(), second.clone()]);
    assert_eq!(page(Some(third.id), 200).await, [second, first.clone()]);
    assert_eq!(page(Some(first.id), 200).await, []);
}

pub async fn events_show_to_their_tenant_only(store: Store) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let (mine, theirs, unrouted) = (event(tenant), event(other), event_bare());
    record(&store, &[mine.clone(), theirs.clone(), unrouted.clone()]).await;
    assert_eq!(list(&store, Some(&tenant)).await, [mine]);
    assert_eq!(list(&store, Some(&other)).await, [theirs]);
    assert_eq!(list(&store, None).await, [unrouted]);
    assert_eq!(list(&store, Some(&tenant_id())).await, []);
}

fn event_of_a_stranger() -> WebhookEvent {
    event(tenant_id())
}

pub async fn pages_of_events_have_no_gaps_and_no_repeats(store: Store) {
    let tenant = tenant_id();
    for owner in [Some(tenant), None] {
        let mut expected = Vec::new();
        for _ in 0..11 {
            let event = WebhookEvent {
                tenant_id: owner,
                ..event_bare()
            };
            record(&store, &[event.clone(), event_of_a_stranger()]).await;
            expected.push(event.id);
        }
        expected.reverse();
        let fetch = async |before| store.list(owner.as_ref(), before, 4).await.expect("the store answers");
        let seen = read_pages(4, fetch, |event| event.id).await;
        assert_eq!(seen.iter().map(|event| event.id).collect::<Vec<_>>(), expected);
    }
}
