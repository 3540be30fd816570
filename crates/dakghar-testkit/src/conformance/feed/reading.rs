//! Feeds as they are read, aged and erased.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::sync::Arc;

use dakghar_core::domain::message::{EvidenceStatus, StatusRecord};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{FeedBounds, Place, PlacedEntry, TenantId, WebhookEvent};
use dakghar_core::ports::{Aged, AgedPortion, LOAD_BYTES_MAX, StoreError};

use super::{events, feed, of_events, page, place_all, record, told};
use crate::conformance::stores::{Stores, accept_all};
use crate::samples::{at, event, outbound, status_record, status_record_full, tenant_id};

async fn bounds(stores: &Stores, tenant_id: &TenantId) -> (u64, u64) {
    let FeedBounds { first, last } = stores.feed.bounds(tenant_id).await.expect("the store answers");
    (first.number(), last.number())
}

pub async fn places_count_from_one_for_each_tenant(stores: Stores) {
    let [one, other, none] = [(); 3].map(|()| tenant_id());
    let mut expected = Vec::new();
    for count in [1, 5, 2] {
        expected.extend(of_events(&events(&stores, one, count).await));
        let foreign = events(&stores, other, 1).await;
        record(&stores, &foreign).await;
        place_all(&stores).await;
    }
    assert_eq!(told(&stores, &one).await, expected);
    assert_eq!(told(&stores, &other).await.len(), 3);
    assert_eq!(told(&stores, &none).await, []);
}

pub async fn pages_of_a_feed_have_no_gaps_and_no_repeats(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    // Placed together and one by one.
    for count in [7, 1, 1, 4] {
        events(&stores, tenant, count).await;
        events(&stores, other, 2).await;
        place_all(&stores).await;
    }
    let whole = feed(&stores, &tenant).await;
    assert_eq!(whole.len(), 13);
    for limit in [1, 2, 3, 5, 13, 50] {
        let mut read: Vec<PlacedEntry> = Vec::new();
        loop {
            let after = read.last().map_or(0, |last| last.place.number());
            let page = page(&stores, &tenant, after, limit).await;
            assert!(page.len() <= limit as usize);
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, whole, "in pages of {limit}");
    }
    for after in 0..15 {
        let expected: Vec<PlacedEntry> = whole.iter().skip(after).cloned().collect();
        assert_eq!(
            page(&stores, &tenant, after as u64, 50).await,
            expected,
            "behind {after}"
        );
    }
    let next = stores
        .feed
        .entries(&tenant, Place::START, PageLimit::items(5))
        .await
        .expect("the store answers")
        .next;
    assert_eq!(next, Some(Place::new(5)), "there are more");
}

pub async fn bounds_are_those_of_what_is_there(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    assert_eq!(bounds(&stores, &tenant).await, (1, 0));
    events(&stores, tenant, 3).await;
    events(&stores, other, 1).await;
    place_all(&stores).await;
    assert_eq!(bounds(&stores, &tenant).await, (1, 3));
    assert_eq!(bounds(&stores, &other).await, (1, 1));
}

pub async fn ends_are_those_of_what_was_appended(stores: Stores) {
    let tenants: Vec<TenantId> = (0..12).map(|_| tenant_id()).collect();
    for (tenant, count) in tenants.iter().zip(0..) {
        if count > 0 {
            events(&stores, *tenant, count).await;
        }
    }
    place_all(&stores).await;
    let ends = stores.feed.ends(&tenants).await.expect("the store answers");
    let expected: Vec<Place> = (0..12).map(Place::new).collect();
    assert_eq!(ends, expected);
    assert_eq!(stores.feed.ends(&[]).await, Ok(Vec::new()));
}

pub async fn old_entries_are_erased_but_the_last(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let made = |tenant: TenantId, ms: u64| WebhookEvent {
        received_at: at(ms),
        ..event(tenant)
    };
    for ms in [1, 2, 3, 30, 4] {
        record(&stores, &[made(tenant, ms), made(other, ms)]).await;
        place_all(&stores).await;
    }
    let erase = |before, limit| {
        let portion = AgedPortion {
            tenant_id: Some(tenant),
            kind: Aged::Feed,
            before: at(before),
            from: None,
            limit,
        };
        let stores = &stores;
        async move { stores.erasure.erase_aged(&portion).await.expect("the store answers") }
    };
    assert_eq!(erase(2, 10).await.erased, 1);
    assert_eq!(bounds(&stores, &tenant).await, (2, 5));
    assert_eq!(page(&stores, &tenant, 0, 10).await.len(), 4);
    // Not past one that is younger, which keeps the places of a feed together.
    assert_eq!(erase(10, 1).await.erased, 1);
    assert_eq!(erase(10, 10).await.erased, 1);
    assert_eq!(bounds(&stores, &tenant).await, (4, 5));
    erase(100, 10).await;
    assert_eq!(bounds(&stores, &tenant).await, (5, 5));
    erase(100, 10).await;
    assert_eq!(
        bounds(&stores, &tenant).await,
        (5, 5),
        "the next place follows from the last one"
    );
    record(&stores, &[made(tenant, 200)]).await;
    place_all(&stores).await;
    assert_eq!(bounds(&stores, &tenant).await, (5, 6));
    assert_eq!(bounds(&stores, &other).await, (1, 5));
}

pub async fn a_feed_is_erased_with_its_tenant(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    for _ in 0..3 {
        events(&stores, tenant, 2).await;
        events(&stores, other, 2).await;
        place_all(&stores).await;
    }
    // These have no place yet, where places are given later.
    events(&stores, tenant, 2).await;
    for round in 0..100 {
        assert!(round < 99, "it comes to an end");
        if stores.erasure.erase(&tenant, 3).await.expect("the store answers") == 0 {
            break;
        }
    }
    assert_eq!(feed(&stores, &tenant).await, []);
    assert_eq!(told(&stores, &other).await.len(), 6);
}

pub async fn reports_are_found_by_their_entries(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let (message, foreign) = (outbound(tenant), outbound(other));
    accept_all(&stores, &[message.clone(), foreign.clone()]).await;
    let (one, two) = (
        status_record(message.key(), EvidenceStatus::Sent),
        status_record_full(message.key()),
    );
    let theirs = status_record(foreign.key(), EvidenceStatus::Read);
    stores
        .statuses
        .record_statuses(&[one.clone(), two.clone(), theirs.clone()])
        .await;
    let digest = |report: &StatusRecord| Arc::<str>::from(report.digest());
    let wanted = [
        (message.key(), digest(&two)),
        (message.key(), digest(&theirs)),
        (foreign.key(), digest(&theirs)),
        (message.key(), digest(&one)),
        (message.key(), digest(&two)),
    ];
    let found = stores.statuses.find_reports(&wanted).await;
    let expected = [Some(two.clone()), None, Some(theirs), Some(one), Some(two)];
    assert_eq!(found, expected.map(Ok));
    assert_eq!(stores.statuses.find_reports(&[]).await, []);
}

pub async fn events_are_found_by_their_entries(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let [one, two] = [event(tenant), event(tenant)];
    let theirs = event(other);
    record(&stores, &[one.clone(), two.clone(), theirs.clone()]).await;
    let wanted = [two.id, theirs.id, event(tenant).id, one.id, two.id];
    let found = stores.events.find_events(&tenant, &wanted).await;
    let expected = [Some(two.clone()), None, None, Some(one), Some(two)];
    assert_eq!(found, expected.map(Ok));
    assert_eq!(stores.events.find_events(&tenant, &[]).await, []);
}

pub async fn found_records_end_at_their_bytes(stores: Stores) {
    let tenant = tenant_id();
    let message = outbound(tenant);
    accept_all(&stores, std::slice::from_ref(&message)).await;
    let raw = |n: usize| -> Arc<str> { format!("\"{n}{}\"", "x".repeat(LOAD_BYTES_MAX / 3)).into() };
    let (mut wanted, mut large) = (Vec::new(), Vec::new());
    for n in 0..5 {
        let report = status_record(message.key(), EvidenceStatus::Read);
        let report = StatusRecord { raw: raw(n), ..report };
        wanted.push((message.key(), Arc::<str>::from(report.digest())));
        stores.statuses.record_statuses(&[report]).await;
        let event = WebhookEvent {
            raw: raw(n),
            ..event(tenant)
        };
        record(&stores, std::slice::from_ref(&event)).await;
        large.push(event.id);
    }
    let cut = |read: usize| read > 0 && read < 5;
    let reports = stores.statuses.find_reports(&wanted).await;
    assert!(cut(reports
        .iter()
        .filter(|report| matches!(report, Ok(Some(_))))
        .count()));
    assert!(
        reports
            .iter()
            .all(|report| matches!(report, Ok(Some(_)) | Err(StoreError::NotReadYet)))
    );
    let events = stores.events.find_events(&tenant, &large).await;
    assert!(cut(events.iter().filter(|event| matches!(event, Ok(Some(_)))).count()));
    assert!(
        events
            .iter()
            .all(|event| matches!(event, Ok(Some(_)) | Err(StoreError::NotReadYet)))
    );
}
