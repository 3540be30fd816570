//! The suite of [`ArrivalStore`](dakghar_core::ports::ArrivalStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::feed::{Arrival, Chunk};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{
    EventId, FeedEntry, Partitions, Place, PlacedEntry, Status, Subject, TenantId, Timestamp, WebhookEvent,
};
use dakghar_core::ports::{Appended, ArrivalStore, Attendant, Save, Saved, StoreError};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::feed::place_all;
use super::stores::{Stores, accept_all};
use crate::samples::{at, event, outbound, tenant_id};

/// Runs the suite of `ArrivalStore`: `arrival_store_suite!(factory)`, where the factory gives `Stores` that have the port.
/// See [`conformance`](crate::conformance).
#[macro_export]
macro_rules! arrival_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, arrivals:
            entries_wait_until_they_are_placed
            what_became_durable_together_arrives_together
            who_waits_for_arrivals_is_told_when_they_can_be_read
            arrivals_of_other_partitions_are_left_alone
            a_place_is_given_once
            an_arrival_is_placed_once
            a_conflict_leaves_everything_as_it_was
            what_is_put_aside_waits_until_it_is_brought_back
            what_waits_is_told_with_the_time_of_the_oldest
            several_who_give_places_at_once_place_each_entry_once
            attendants_are_there_until_they_leave
        }
    };
}

fn port(stores: &Stores) -> &Arc<dyn ArrivalStore> {
    stores.arrivals.as_ref().expect("the port of this suite")
}

async fn events(stores: &Stores, tenant: TenantId, count: usize) -> Vec<WebhookEvent> {
    let events: Vec<WebhookEvent> = (0..count).map(|_| event(tenant)).collect();
    stores.events.record(&events).await.expect("the store answers");
    events
}

async fn arrivals(stores: &Stores) -> Vec<Arrival> {
    port(stores)
        .arrivals(Partitions::ALL, 1_000)
        .await
        .expect("the store answers")
}

fn ids(arrivals: &[Arrival]) -> Vec<Arc<str>> {
    arrivals.iter().map(|arrival| arrival.id.clone()).collect()
}

fn subjects<'a>(entries: impl IntoIterator<Item = &'a FeedEntry>) -> BTreeSet<Subject> {
    entries.into_iter().map(|entry| entry.subject.clone()).collect()
}

fn of(events: &[WebhookEvent]) -> BTreeSet<Subject> {
    events.iter().map(|event| Subject::Event(event.id)).collect()
}

fn chunk(arrivals: &[Arrival], first: u64) -> Chunk {
    Chunk {
        tenant_id: arrivals[0].tenant_id,
        first: Place::new(first),
        entries: arrivals.iter().flat_map(|arrival| arrival.entries.clone()).collect(),
    }
}

async fn append(stores: &Stores, chunks: &[Chunk], ids: &[Arc<str>]) -> Appended {
    port(stores).append(chunks, ids).await.expect("the store answers")
}

async fn placed(stores: &Stores, tenant: &TenantId) -> Vec<PlacedEntry> {
    let limit = PageLimit {
        bytes: usize::MAX,
        ..PageLimit::items(10_000)
    };
    let found = stores.feed.entries(tenant, Place::START, limit).await;
    found.expect("the store answers").items
}

pub async fn entries_wait_until_they_are_placed(stores: Stores) {
    let tenant = tenant_id();
    let events = events(&stores, tenant, 2).await;
    assert_eq!(placed(&stores, &tenant).await, []);
    let arrived = arrivals(&stores).await;
    assert_eq!(
        append(&stores, &[chunk(&arrived, 1)], &ids(&arrived)).await,
        Appended::Done
    );
    assert_eq!(arrivals(&stores).await, []);
    let placed = placed(&stores, &tenant).await;
    assert_eq!(subjects(placed.iter().map(|placed| &placed.entry)), of(&events));
    assert_eq!(
        placed.iter().map(|placed| placed.place.number()).collect::<Vec<_>>(),
        [1, 2]
    );
}

pub async fn what_became_durable_together_arrives_together(stores: Stores) {
    let tenants = [tenant_id(), tenant_id()];
    let mixed: Vec<WebhookEvent> = (0..6).map(|n| event(tenants[n % 2])).collect();
    stores.events.record(&mixed).await.expect("the store answers");
    let arrived = arrivals(&stores).await;
    for tenant in tenants {
        let own = arrived.iter().filter(|arrival| arrival.tenant_id == tenant);
        let entries: Vec<&FeedEntry> = own.flat_map(|arrival| &arrival.entries).collect();
        let expected: Vec<FeedEntry> = mixed.iter().filter_map(FeedEntry::of_event).collect();
        let expected: Vec<&FeedEntry> = expected.iter().filter(|entry| entry.tenant_id == tenant).collect();
        assert_eq!(entries, expected, "in their order, and none of another tenant");
    }
}

pub async fn who_waits_for_arrivals_is_told_when_they_can_be_read(stores: Stores) {
    let told = || timeout(Duration::from_mins(1), port(&stores).arrived());
    let tenant = tenant_id();
    let event = events(&stores, tenant, 1).await;
    told().await.expect("of a record");
    let arrived = arrivals(&stores).await;
    assert_eq!(
        subjects(arrived.iter().flat_map(|arrival| &arrival.entries)),
        of(&event)
    );
    let mut message = outbound(tenant);
    accept_all(&stores, std::slice::from_ref(&message)).await;
    message.delivery.status = Status::Dead;
    let saved = stores.messages.save(&[Save::after(Status::Queued, &message)]).await;
    assert_eq!(saved, [Ok(Saved::Done)]);
    told().await.expect("of a save");
    assert_eq!(arrivals(&stores).await.len(), 2);
}

pub async fn arrivals_of_other_partitions_are_left_alone(stores: Stores) {
    let tenants: Vec<TenantId> = (0..20).map(|_| tenant_id()).collect();
    for tenant in &tenants {
        events(&stores, *tenant, 1).await;
    }
    let even = Partitions::of(|partition| partition % 2 == 0);
    let odd = Partitions::of(|partition| partition % 2 == 1);
    let mut found = 0;
    for some in [even, odd] {
        let arrived = port(&stores).arrivals(some, 1_000).await.expect("the store answers");
        assert!(arrived.iter().all(|arrival| some.has_tenant(&arrival.tenant_id)));
        found += arrived.len();
    }
    assert_eq!(found, 20);
    let none = port(&stores).arrivals(Partitions::default(), 1_000).await;
    assert_eq!(none, Ok(Vec::new()));
    let few = port(&stores)
        .arrivals(Partitions::ALL, 3)
        .await
        .expect("the store answers");
    assert_eq!(few, arrivals(&stores).await[..3], "the oldest first");
}

pub async fn a_place_is_given_once(stores: Stores) {
    let tenant = tenant_id();
    events(&stores, tenant, 3).await;
    let first = arrivals(&stores).await;
    assert_eq!(append(&stores, &[chunk(&first, 1)], &ids(&first)).await, Appended::Done);
    let events = events(&stores, tenant, 2).await;
    let second = arrivals(&stores).await;
    // Somebody who has not seen the first append.
    assert_eq!(
        append(&stores, &[chunk(&second, 1)], &ids(&second)).await,
        Appended::Conflict
    );
    assert_eq!(arrivals(&stores).await, second);
    assert_eq!(
        append(&stores, &[chunk(&second, 4)], &ids(&second)).await,
        Appended::Done
    );
    let placed = placed(&stores, &tenant).await;
    assert_eq!(placed.len(), 5);
    assert_eq!(subjects(placed[3..].iter().map(|placed| &placed.entry)), of(&events));
}

pub async fn an_arrival_is_placed_once(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    events(&stores, tenant, 1).await;
    let arrived = arrivals(&stores).await;
    assert_eq!(
        append(&stores, &[chunk(&arrived, 1)], &ids(&arrived)).await,
        Appended::Done
    );
    assert_eq!(
        append(&stores, &[chunk(&arrived, 2)], &ids(&arrived)).await,
        Appended::Conflict
    );
    // Also beside one that is still there.
    events(&stores, other, 1).await;
    let new = arrivals(&stores).await;
    let both: Vec<Arc<str>> = ids(&arrived).into_iter().chain(ids(&new)).collect();
    let chunks = [chunk(&arrived, 2), chunk(&new, 1)];
    assert_eq!(append(&stores, &chunks, &both).await, Appended::Conflict);
    assert_eq!(placed(&stores, &tenant).await.len(), 1);
    assert_eq!(placed(&stores, &other).await.len(), 0);
}

pub async fn a_conflict_leaves_everything_as_it_was(stores: Stores) {
    let tenants = [tenant_id(), tenant_id()];
    for is_last in [false, true] {
        for tenant in tenants {
            events(&stores, tenant, 2).await;
        }
        if !is_last {
            place_all(&stores).await;
        }
    }
    let arrived = arrivals(&stores).await;
    let of_tenant = |tenant| -> Vec<Arrival> {
        let own = arrived.iter().filter(|arrival| arrival.tenant_id == tenant);
        own.cloned().collect()
    };
    let before = placed(&stores, &tenants[0]).await;
    let chunks = [chunk(&of_tenant(tenants[0]), 3), chunk(&of_tenant(tenants[1]), 1)];
    assert_eq!(append(&stores, &chunks, &ids(&arrived)).await, Appended::Conflict);
    assert_eq!(arrivals(&stores).await, arrived);
    assert_eq!(placed(&stores, &tenants[0]).await, before);
}

pub async fn what_is_put_aside_waits_until_it_is_brought_back(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    events(&stores, tenant, 1).await;
    let poison = arrivals(&stores).await;
    assert_eq!(port(&stores).put_aside(&ids(&poison)).await, Ok(()));
    let others = events(&stores, other, 1).await;
    let left = arrivals(&stores).await;
    assert_eq!(subjects(left.iter().flat_map(|arrival| &arrival.entries)), of(&others));
    let waiting = port(&stores).waiting().await.expect("the store answers");
    assert_eq!(waiting.aside, 1);
    assert_eq!(port(&stores).bring_back().await, Ok(1));
    assert_eq!(port(&stores).bring_back().await, Ok(0));
    assert_eq!(arrivals(&stores).await.len(), 2);
    assert_eq!(port(&stores).waiting().await.map(|waiting| waiting.aside), Ok(0));
}

pub async fn what_waits_is_told_with_the_time_of_the_oldest(stores: Stores) {
    let waiting = |stores: &Stores| {
        let port = port(stores).clone();
        async move { port.waiting().await.expect("the store answers").oldest }
    };
    assert_eq!(waiting(&stores).await, None);
    let tenant = tenant_id();
    let early = WebhookEvent {
        received_at: at(1),
        ..event(tenant)
    };
    stores.events.record(&[early]).await.expect("the store answers");
    let oldest: Timestamp = waiting(&stores).await.expect("one waits");
    events(&stores, tenant, 1).await;
    assert_eq!(waiting(&stores).await, Some(oldest));
    place_all(&stores).await;
    assert_eq!(waiting(&stores).await, None);
}

pub async fn several_who_give_places_at_once_place_each_entry_once(stores: Stores) {
    let tenants: Vec<TenantId> = (0..3).map(|_| tenant_id()).collect();
    let writing = (0..6).map(|n| {
        let (stores, tenants) = (stores.clone(), tenants.clone());
        async move {
            let mut written = Vec::new();
            for _ in 0..5 {
                written.extend(events(&stores, tenants[n % 3], 4).await);
                place_all(&stores).await;
            }
            written
        }
    });
    let written: Vec<WebhookEvent> = join_all(writing).await.concat();
    place_all(&stores).await;
    for tenant in tenants {
        let placed = placed(&stores, &tenant).await;
        let places: Vec<u64> = placed.iter().map(|placed| placed.place.number()).collect();
        assert_eq!(places, (1..=40).collect::<Vec<_>>());
        let own: Vec<EventId> = written
            .iter()
            .filter(|event| event.tenant_id == Some(tenant))
            .map(|event| event.id)
            .collect();
        let expected: BTreeSet<Subject> = own.into_iter().map(Subject::Event).collect();
        assert_eq!(subjects(placed.iter().map(|placed| &placed.entry)), expected);
    }
}

pub async fn attendants_are_there_until_they_leave(stores: Stores) {
    let attend = |name: &'static str| {
        let port = port(&stores).clone();
        async move {
            let mut all: Vec<Attendant> = port.attend(name).await.expect("the store answers");
            all.sort_by(|one, other| one.name.cmp(&other.name));
            all.into_iter()
                .map(|attendant| (attendant.name.to_string(), attendant.beats))
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(attend("one").await, [("one".to_owned(), 1)]);
    assert_eq!(attend("two").await, [("one".to_owned(), 1), ("two".to_owned(), 1)]);
    assert_eq!(attend("one").await, [("one".to_owned(), 2), ("two".to_owned(), 1)]);
    let left: Result<(), StoreError> = port(&stores).leave(&["two".into(), "three".into()]).await;
    assert_eq!(left, Ok(()));
    assert_eq!(attend("one").await, [("one".to_owned(), 3)]);
}
