//! Feeds, and the records that their entries name.

use std::sync::Arc;

use dakghar_core::domain::message::StatusRecord;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{FeedBounds, Place, WebhookEvent};

use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::conformance::feed::place_all;
use crate::conformance::stores::accept_all;
use crate::samples::{event, outbound, status_record_full, tenant_id};

/// Covers `FeedStore::entries` and `FeedStore::bounds`.
pub async fn entries_beside_it_are_read(port: Breakable) {
    let tenant = tenant_id();
    for _ in 0..MIXED {
        // Each in a record of its own.
        port.stores
            .events
            .record(&[event(tenant)])
            .await
            .expect("the store answers");
        place_all(&port.stores).await;
    }
    let places: Vec<u64> = (1..=MIXED as u64).collect();
    let (mut whole, broken) = thirds(places);
    // The bounds are known by the places of the first and the last.
    let broken: Vec<u64> = broken
        .into_iter()
        .filter(|place| (2..MIXED as u64).contains(place))
        .collect();
    whole.extend(
        (1..=MIXED as u64)
            .filter(|place| !broken.contains(place) && !whole.contains(place))
            .collect::<Vec<_>>(),
    );
    whole.sort_unstable();
    port.break_all(broken.iter().map(|place| Record::Entry(tenant, Place::new(*place))))
        .await;
    let read = port
        .stores
        .feed
        .entries(&tenant, Place::START, PageLimit::items(200))
        .await;
    let read: Vec<u64> = (read.expect("the store answers").items.iter())
        .map(|placed| placed.place.number())
        .collect();
    assert_eq!(read, whole);
    let bounds = FeedBounds {
        first: Place::new(1),
        last: Place::new(MIXED as u64),
    };
    assert_eq!(port.stores.feed.bounds(&tenant).await, Ok(bounds));
}

/// Covers `StatusStore::find_reports`.
pub async fn reports_beside_it_are_found(port: Breakable) {
    let message = outbound(tenant_id());
    accept_all(&port.stores, std::slice::from_ref(&message)).await;
    let statuses: Vec<StatusRecord> = (0..MIXED).map(|_| status_record_full(message.key())).collect();
    for recorded in port.stores.statuses.record_statuses(&statuses).await {
        recorded.expect("the store answers");
    }
    let wanted = |statuses: &[StatusRecord]| -> Vec<_> {
        let wanted = statuses
            .iter()
            .map(|status| (status.key, Arc::<str>::from(status.digest())));
        wanted.collect()
    };
    let (whole, broken) = thirds(statuses);
    port.break_all(broken.iter().map(|status| Record::Status(status.id())))
        .await;
    let asked = [wanted(&broken), wanted(&whole)].concat();
    let found = port.stores.statuses.find_reports(&asked).await;
    let (of_broken, of_whole) = found.split_at(broken.len());
    assert!(of_broken.iter().all(is_unreadable), "{of_broken:?}");
    let expected: Vec<_> = whole.into_iter().map(|status| Ok(Some(status))).collect();
    assert_eq!(of_whole, expected);
}

/// Covers `EventStore::find_events`.
pub async fn events_beside_it_are_found(port: Breakable) {
    let tenant = tenant_id();
    let events: Vec<WebhookEvent> = (0..MIXED).map(|_| event(tenant)).collect();
    port.stores.events.record(&events).await.expect("the store answers");
    let (whole, broken) = thirds(events);
    port.break_all(broken.iter().map(|event| Record::Event(event.id))).await;
    let asked: Vec<_> = broken.iter().chain(&whole).map(|event| event.id).collect();
    let found = port.stores.events.find_events(&tenant, &asked).await;
    let (of_broken, of_whole) = found.split_at(broken.len());
    assert!(of_broken.iter().all(is_unreadable), "{of_broken:?}");
    let expected: Vec<_> = whole.into_iter().map(|event| Ok(Some(event))).collect();
    assert_eq!(of_whole, expected);
}
