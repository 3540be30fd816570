//! The suite of [`EventStore`](dakghar_core::ports::EventStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{Amendment, EventId, EventReason, TenantId, WebhookEvent};

use super::read_pages;
use super::stores::Stores;
use crate::samples::{amendment, event, event_bare, phone, phone_number_id, tenant_id, wamid};

/// Runs the suite of `EventStore`: `event_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! event_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, events:
            every_field_of_an_event_survives
            every_reason_of_an_event_survives
            a_known_fingerprint_is_absorbed
            a_fingerprint_twice_in_a_batch_is_kept_once
            ten_at_once_of_one_fingerprint_keep_one
            events_are_listed_newest_first
            events_show_to_their_tenant_only
            pages_of_events_have_no_gaps_and_no_repeats
            a_page_of_events_ends_at_its_bytes
            the_amendments_of_a_message_are_found_the_strongest_first
            amendments_of_many_messages_are_found_at_once
        }
    };
}

async fn record(stores: &Stores, events: &[WebhookEvent]) {
    stores.events.record(events).await.expect("the store answers");
}

async fn list(stores: &Stores, tenant: Option<&TenantId>) -> Vec<WebhookEvent> {
    page(stores, tenant, None, PageLimit::items(200)).await.items
}

async fn page(
    stores: &Stores,
    tenant: Option<&TenantId>,
    before: Option<EventId>,
    limit: PageLimit,
) -> Listed<WebhookEvent> {
    let listed = stores.events.list(tenant, before, limit).await;
    listed.expect("the store answers")
}

pub async fn every_field_of_an_event_survives(stores: Stores) {
    let tenant = tenant_id();
    let (routed, bare) = (event(tenant), event_bare());
    record(&stores, &[routed.clone(), bare.clone()]).await;
    assert_eq!(list(&stores, Some(&tenant)).await, [routed]);
    assert_eq!(list(&stores, None).await, [bare]);
    record(&stores, &[]).await;
}

pub async fn every_reason_of_an_event_survives(stores: Stores) {
    let mut events: Vec<_> = EventReason::ALL
        .into_iter()
        .map(|reason| WebhookEvent { reason, ..event_bare() })
        .collect();
    record(&stores, &events).await;
    events.reverse();
    assert_eq!(list(&stores, None).await, events);
}

pub async fn a_known_fingerprint_is_absorbed(stores: Stores) {
    let tenant = tenant_id();
    let first = event(tenant);
    let other = event(tenant);
    record(&stores, std::slice::from_ref(&first)).await;
    let again = WebhookEvent {
        fingerprint: first.fingerprint,
        ..event(tenant)
    };
    record(&stores, &[again, other.clone()]).await;
    assert_eq!(list(&stores, Some(&tenant)).await, [other, first]);
}

pub async fn a_fingerprint_twice_in_a_batch_is_kept_once(stores: Stores) {
    let tenant = tenant_id();
    let first = event(tenant);
    let again = WebhookEvent {
        fingerprint: first.fingerprint,
        ..event(tenant)
    };
    let other = event(tenant);
    record(&stores, &[first, again, other.clone()]).await;
    let kept = list(&stores, Some(&tenant)).await;
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0], other);
}

pub async fn ten_at_once_of_one_fingerprint_keep_one(stores: Stores) {
    let tenant = tenant_id();
    let fingerprint = event(tenant).fingerprint;
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let stores = stores.clone();
            let event = WebhookEvent {
                fingerprint,
                ..event(tenant)
            };
            tokio::spawn(async move { stores.events.record(&[event]).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    assert_eq!(list(&stores, Some(&tenant)).await.len(), 1);
}

pub async fn events_are_listed_newest_first(stores: Stores) {
    let tenant = tenant_id();
    let events = [event(tenant), event(tenant), event(tenant)];
    let [first, second, third] = events.clone();
    record(&stores, &[second.clone(), third.clone()]).await;
    record(&stores, std::slice::from_ref(&first)).await;
    assert_eq!(
        list(&stores, Some(&tenant)).await,
        [third.clone(), second.clone(), first.clone()]
    );
    let page = async |before, limit| {
        page(&stores, Some(&tenant), before, PageLimit::items(limit))
            .await
            .items
    };
    assert_eq!(page(None, 2).await, [third.clone(), second.clone()]);
    assert_eq!(page(Some(third.id), 200).await, [second, first.clone()]);
    assert_eq!(page(Some(first.id), 200).await, []);
}

pub async fn events_show_to_their_tenant_only(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let (mine, theirs, unrouted) = (event(tenant), event(other), event_bare());
    record(&stores, &[mine.clone(), theirs.clone(), unrouted.clone()]).await;
    assert_eq!(list(&stores, Some(&tenant)).await, [mine]);
    assert_eq!(list(&stores, Some(&other)).await, [theirs]);
    assert_eq!(list(&stores, None).await, [unrouted]);
    assert_eq!(list(&stores, Some(&tenant_id())).await, []);
}

fn event_of_a_stranger() -> WebhookEvent {
    event(tenant_id())
}

pub async fn pages_of_events_have_no_gaps_and_no_repeats(stores: Stores) {
    let tenant = tenant_id();
    for owner in [Some(tenant), None] {
        let mut expected = Vec::new();
        for _ in 0..11 {
            let event = WebhookEvent {
                tenant_id: owner,
                ..event_bare()
            };
            record(&stores, &[event.clone(), event_of_a_stranger()]).await;
            expected.push(event.id);
        }
        expected.reverse();
        let fetch = async |before| page(&stores, owner.as_ref(), before, PageLimit::items(4)).await;
        let seen = read_pages(4, fetch).await;
        assert_eq!(seen.iter().map(|event| event.id).collect::<Vec<_>>(), expected);
    }
}

pub async fn a_page_of_events_ends_at_its_bytes(stores: Stores) {
    let tenant = tenant_id();
    for owner in [Some(tenant), None] {
        let events: Vec<WebhookEvent> = (0..8)
            .map(|_| WebhookEvent {
                tenant_id: owner,
                raw: "x".repeat(100_000).into(),
                ..event_bare()
            })
            .collect();
        record(&stores, &events).await;
        let limit = PageLimit {
            bytes: 250_000,
            ..PageLimit::items(200)
        };
        let fetch = async |before| {
            let page = page(&stores, owner.as_ref(), before, limit).await;
            assert_eq!(page.items.len(), if page.next.is_some() { 3 } else { 2 });
            page
        };
        let mut seen = read_pages(3, fetch).await;
        seen.reverse();
        assert_eq!(seen, events);
    }
}

fn amending(tenant: TenantId, amends: &Amendment) -> WebhookEvent {
    WebhookEvent {
        amends: Some(amends.clone()),
        ..event(tenant)
    }
}

pub async fn the_amendments_of_a_message_are_found_the_strongest_first(stores: Stores) {
    let tenant = tenant_id();
    let sorted = [
        amendment("wamid.1", "wamid.r", 5, None),
        amendment("wamid.1", "wamid.e3", 9, Some("3")),
        amendment("wamid.1", "wamid.e2", 9, Some("2")),
        amendment("wamid.1", "wamid.e1", 8, Some("1")),
    ];
    let order = [2, 0, 3, 1];
    record(&stores, &order.map(|n| amending(tenant, &sorted[n]))).await;
    let elsewhere = [
        amending(tenant, &amendment("wamid.2", "wamid.x", 99, None)),
        amending(tenant_id(), &amendment("wamid.1", "wamid.y", 99, None)),
        WebhookEvent {
            phone_number_id: Some(phone("999")),
            ..amending(tenant, &amendment("wamid.1", "wamid.z", 99, None))
        },
        WebhookEvent {
            amends: None,
            ..event(tenant)
        },
    ];
    record(&stores, &elsewhere).await;
    let asked = [(phone_number_id(), wamid("wamid.1"))];
    for each in [1, 2, 4, 64] {
        let found = stores.events.amendments(&tenant, &asked, each).await;
        let expected = sorted[..4.min(each as usize)].to_vec();
        assert_eq!(found, Ok(vec![expected]));
    }
}

pub async fn amendments_of_many_messages_are_found_at_once(stores: Stores) {
    let tenant = tenant_id();
    assert_eq!(stores.events.amendments(&tenant, &[], 1).await, Ok(Vec::new()));
    // One that was edited more often than anybody reads does not hide the others.
    let of = |n: usize| format!("wamid.{n}");
    let mut events = Vec::new();
    for n in 0..600 {
        let edit = amendment(&of(0), &format!("wamid.e{n:03}"), n, Some("x"));
        events.push(amending(tenant, &edit));
    }
    for n in 1..200 {
        events.push(amending(tenant, &amendment(&of(n), &format!("wamid.a{n}"), 1, None)));
    }
    record(&stores, &events).await;
    let asked: Vec<_> = (0..210).rev().map(|n| (phone_number_id(), wamid(&of(n)))).collect();
    let found = stores
        .events
        .amendments(&tenant, &asked, 1)
        .await
        .expect("the store answers");
    let by: Vec<_> = found
        .iter()
        .map(|found| found.first().map(|first| first.by.to_string()))
        .rev()
        .collect();
    let expected: Vec<_> = (0..210)
        .map(|n| match n {
            0 => Some("wamid.e599".to_owned()),
            1..200 => Some(format!("wamid.a{n}")),
            _ => None,
        })
        .collect();
    assert_eq!(by, expected);
    assert!(found.iter().all(|found| found.len() < 2));
}
