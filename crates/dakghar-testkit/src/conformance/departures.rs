//! The suite of [`DepartureStore`](dakghar_core::ports::DepartureStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::departure::{Departure, DepartureState};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{DepartureId, TenantId};
use dakghar_core::ports::Saved;

use super::read_pages;
use super::stores::Stores;
use crate::samples::{at, departure, departure_full, departure_over, tenant_id};

/// Runs the suite of `DepartureStore`: `departure_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! departure_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, departures:
            a_departure_is_kept_as_it_is
            a_tenant_has_one_departure_that_is_not_over
            a_departure_is_saved_under_the_version_that_was_read
            departures_are_those_of_their_tenant
            departures_are_due_longest_first_and_not_before
            departures_stay_when_their_tenant_is_erased
            departures_that_were_over_before_are_forgotten
        }
    };
}

async fn insert(stores: &Stores, departures: &[Departure]) {
    for departure in departures {
        assert_eq!(stores.departures.insert_departure(departure).await, Ok(Saved::Done));
    }
}

async fn find(stores: &Stores, like: &Departure) -> Option<Departure> {
    let found = stores.departures.find_departure(&like.tenant_id, &like.id).await;
    found.expect("the store answers")
}

pub async fn a_departure_is_kept_as_it_is(stores: Stores) {
    let mut all = vec![departure_full(tenant_id()), departure(tenant_id())];
    let of_state = |state| Departure {
        state,
        ..departure(tenant_id())
    };
    all.extend(DepartureState::ALL.map(of_state));
    insert(&stores, &all).await;
    for departure in all {
        assert_eq!(find(&stores, &departure).await, Some(departure));
    }
}

pub async fn a_tenant_has_one_departure_that_is_not_over(stores: Stores) {
    let tenant = tenant_id();
    let mut first = departure(tenant);
    insert(
        &stores,
        &[departure_over(tenant), first.clone(), departure_over(tenant)],
    )
    .await;
    let repeated = Departure {
        cancelled: 9,
        ..first.clone()
    };
    assert_eq!(stores.departures.insert_departure(&repeated).await, Ok(Saved::Stale));
    let second = departure(tenant);
    assert_eq!(stores.departures.insert_departure(&second).await, Ok(Saved::Stale));
    assert_eq!(find(&stores, &second).await, None);
    assert_eq!(find(&stores, &first).await, Some(first.clone()), "nothing changed");
    insert(&stores, &[departure(tenant_id())]).await;
    first.end_cancelled(at(7));
    assert_eq!(stores.departures.save_departure(&first).await, Ok(Saved::Done));
    insert(&stores, &[second]).await;
}

pub async fn a_departure_is_saved_under_the_version_that_was_read(stores: Stores) {
    let mut departure = departure(tenant_id());
    insert(&stores, std::slice::from_ref(&departure)).await;
    departure.cancelled = 1;
    assert_eq!(stores.departures.save_departure(&departure).await, Ok(Saved::Done));
    let stale = Departure {
        cancelled: 2,
        ..departure.clone()
    };
    assert_eq!(stores.departures.save_departure(&stale).await, Ok(Saved::Stale));
    departure.version = 1;
    assert_eq!(find(&stores, &departure).await, Some(departure));
}

async fn listed(stores: &Stores, tenant: TenantId) -> Vec<DepartureId> {
    let fetch = async |before| {
        let listed = stores.departures.list_departures(&tenant, before, PageLimit::items(2));
        listed.await.expect("the store answers")
    };
    let listed = read_pages(2, fetch).await;
    listed.iter().map(|departure| departure.id).collect()
}

pub async fn departures_are_those_of_their_tenant(stores: Stores) {
    let (ours, theirs) = (tenant_id(), tenant_id());
    let all = [
        departure_over(ours),
        departure(theirs),
        departure_over(ours),
        departure(ours),
    ];
    insert(&stores, &all).await;
    assert_eq!(listed(&stores, ours).await, [all[3].id, all[2].id, all[0].id]);
    assert_eq!(listed(&stores, theirs).await, [all[1].id]);
    let found = stores.departures.find_departure(&ours, &all[1].id).await;
    assert_eq!(found, Ok(None), "of another tenant");
}

pub async fn departures_are_due_longest_first_and_not_before(stores: Stores) {
    let of = |next: Option<u64>, changed: u64| Departure {
        next_at: next.map(at),
        updated_at: at(changed),
        ..departure(tenant_id())
    };
    let stopped = Departure {
        state: DepartureState::Stopped,
        ..of(None, 1)
    };
    let called_off = Departure {
        state: DepartureState::Cancelling,
        ..of(None, 5)
    };
    let all = [of(Some(9), 1), of(None, 4), stopped, of(Some(3), 8), called_off];
    insert(&stores, &all).await;
    let due = async |now: u64, limit| {
        let due = stores.departures.due_departures(at(now), limit).await;
        let due = due.expect("the store answers");
        due.iter().map(|departure| departure.id).collect::<Vec<_>>()
    };
    assert_eq!(due(2, 9).await, []);
    assert_eq!(due(8, 9).await, [all[3].id, all[1].id, all[4].id]);
    assert_eq!(due(9, 2).await, [all[3].id, all[1].id]);
    let mut done = all[3].clone();
    (done.state, done.next_at, done.ended_at) = (DepartureState::Done, None, Some(at(9)));
    assert_eq!(stores.departures.save_departure(&done).await, Ok(Saved::Done));
    assert_eq!(due(9, 9).await, [all[1].id, all[4].id, all[0].id]);
}

pub async fn departures_stay_when_their_tenant_is_erased(stores: Stores) {
    let tenant = tenant_id();
    let all = [departure_over(tenant), departure(tenant)];
    insert(&stores, &all).await;
    while stores.erasure.erase(&tenant, 1).await.expect("the store answers") > 0 {}
    assert_eq!(listed(&stores, tenant).await.len(), 2);
}

pub async fn departures_that_were_over_before_are_forgotten(stores: Stores) {
    let of = |ended: u64| Departure {
        ended_at: Some(at(ended)),
        ..departure_over(tenant_id())
    };
    let all = [of(10), of(20), of(30), departure(tenant_id())];
    insert(&stores, &all).await;
    assert_eq!(stores.departures.forget_departures(at(10), 9).await, Ok(0));
    assert_eq!(stores.departures.forget_departures(at(30), 1).await, Ok(1));
    assert_eq!(stores.departures.forget_departures(at(30), 9).await, Ok(1));
    assert_eq!(stores.departures.forget_departures(at(30), 9).await, Ok(0));
    let mut left = 0;
    for departure in &all {
        left += usize::from(find(&stores, departure).await.is_some());
    }
    assert_eq!(left, 2);
}
