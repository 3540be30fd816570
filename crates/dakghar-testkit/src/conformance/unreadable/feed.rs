//! Feeds, and the records that their entries name.

use std::sync::Arc;

use dakghar_core::domain::message::StatusRecord;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{FeedBounds, FeedEntry, Place, PlacedEntry, Subject, WebhookEvent};

use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::conformance::feed::place_all;
use crate::conformance::stores::accept_all;
use crate::samples::{event, outbound, status_record_full, tenant_id};

/// Covers `FeedStore::entries` and `FeedStore::bounds`.
pub async fn a_place_says_that_its_entry_cannot_be_read(port: Breakable) {
    let tenant = tenant_id();
    let events: Vec<WebhookEvent> = (0..MIXED).map(|_| event(tenant)).collect();
    for event in &events {
        // Each in a record of its own.
        let recorded = port.stores.events.record(std::slice::from_ref(event)).await;
        recorded.expect("the store answers");
        place_all(&port.stores).await;
    }
    let all: Vec<PlacedEntry> = events
        .iter()
        .zip(1..)
        .map(|(event, place)| PlacedEntry {
            place: Place::new(place),
            entry: FeedEntry::of_event(event).expect("it is of a tenant"),
        })
        .collect();
    // The first is among the broken ones.
    let (_, broken) = thirds(all.clone());
    port.break_all(broken.iter().map(|placed| Record::Entry(tenant, placed.place)))
        .await;
    for (after, items) in [(0, 200), (0, 1), (1, 1), (4, 3), (MIXED as u64 - 2, 1)] {
        let mut read: Vec<PlacedEntry> = Vec::new();
        loop {
            let from = read.last().map_or(Place::new(after), |last| last.place);
            let listed = port.stores.feed.entries(&tenant, from, PageLimit::items(items)).await;
            let listed = listed.expect("the store answers");
            read.extend(listed.items);
            if listed.next.is_none() {
                break;
            }
        }
        let places: Vec<u64> = read.iter().map(|placed| placed.place.number()).collect();
        assert_eq!(
            places,
            (after + 1..=MIXED as u64).collect::<Vec<_>>(),
            "none is passed over"
        );
        let mut told = 0;
        for placed in read {
            let is_told = placed.entry.subject == Subject::Unreadable(placed.place);
            let is_own = all.contains(&placed);
            assert!(
                is_own || (is_told && broken.iter().any(|broken| broken.place == placed.place)),
                "{placed:?}"
            );
            told += usize::from(is_told);
        }
        assert!(
            after > 0 || told > broken.len() / 2,
            "{told} of {} are told of",
            broken.len()
        );
    }
    let bounds = port.stores.feed.bounds(&tenant).await.expect("the store answers");
    let (first, last) = (Place::new(1), Place::new(MIXED as u64));
    assert_eq!(bounds, FeedBounds { first, last });
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
