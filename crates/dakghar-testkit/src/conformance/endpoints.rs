//! The suite of [`EndpointStore`](dakghar_core::ports::EndpointStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::endpoint::{ENDPOINTS_MAX, EndpointState};
use dakghar_core::domain::ids::IdempotencyKey;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{Endpoint, TenantId};
use dakghar_core::ports::{EndpointInserted, Saved};

use super::stores::Stores;
use crate::samples::{endpoint, endpoint_full, tenant_id};

/// Runs the suite of `EndpointStore`: `endpoint_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! endpoint_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, endpoints:
            an_endpoint_is_stored_as_it_is
            an_id_and_a_seat_are_given_once
            of_many_inserts_at_once_each_seat_goes_to_one
            a_seat_is_free_again_when_its_endpoint_is_gone
            only_the_present_version_of_an_endpoint_is_saved_over
            of_many_saves_of_an_endpoint_at_once_one_is_done
            nobody_else_sees_changes_or_removes_it
            only_the_present_version_is_removed_if_one_is_named
            under_a_key_one_is_made_of_many_and_after_its_removal_another_one
            endpoints_of_tenants_come_in_the_order_of_their_ids
            endpoints_of_all_come_page_by_page
            endpoints_are_erased_with_their_tenant
        }
    };
}

async fn insert(stores: &Stores, endpoints: &[Endpoint]) {
    for endpoint in endpoints {
        let inserted = stores.endpoints.insert_endpoint(endpoint).await;
        assert_eq!(inserted, Ok(EndpointInserted::Done));
    }
}

async fn find(stores: &Stores, endpoint: &Endpoint) -> Option<Endpoint> {
    let found = stores.endpoints.find_endpoint(&endpoint.tenant_id, &endpoint.id).await;
    found.expect("the store answers")
}

async fn of(stores: &Stores, tenants: &[TenantId]) -> Vec<Endpoint> {
    stores.endpoints.endpoints_of(tenants).await.expect("the store answers")
}

/// New endpoints of a tenant, one in each of the first seats.
fn in_seats(tenant: TenantId, seats: u32) -> Vec<Endpoint> {
    let in_seat = |seat| Endpoint {
        seat,
        ..endpoint(tenant)
    };
    (0..seats).map(in_seat).collect()
}

pub async fn an_endpoint_is_stored_as_it_is(stores: Stores) {
    let tenant = tenant_id();
    for (seat, state) in [
        EndpointState::Active,
        EndpointState::Paused,
        endpoint_full(tenant, 0).state,
    ]
    .into_iter()
    .enumerate()
    {
        let seat = u32::try_from(seat).expect("a few");
        let full = Endpoint {
            state,
            ..endpoint_full(tenant, seat)
        };
        let plain = Endpoint {
            seat: 10 + seat,
            state,
            ..endpoint(tenant)
        };
        for endpoint in [full, plain] {
            assert_eq!(find(&stores, &endpoint).await, None);
            insert(&stores, std::slice::from_ref(&endpoint)).await;
            assert_eq!(find(&stores, &endpoint).await, Some(endpoint));
        }
    }
}

pub async fn an_id_and_a_seat_are_given_once(stores: Stores) {
    let tenant = tenant_id();
    let first = endpoint(tenant);
    insert(&stores, std::slice::from_ref(&first)).await;
    let store = &stores.endpoints;
    for (tenant_id, seat) in [(tenant, 0), (tenant, 1), (self::tenant_id(), 0)] {
        let other = Endpoint {
            id: first.id,
            ..endpoint_full(tenant_id, seat)
        };
        assert_eq!(store.insert_endpoint(&other).await, Ok(EndpointInserted::Stale));
    }
    let other = endpoint_full(tenant, 0);
    assert_eq!(store.insert_endpoint(&other).await, Ok(EndpointInserted::SeatTaken));
    assert_eq!(of(&stores, &[tenant]).await, [first]);
    insert(&stores, &[endpoint_full(tenant, 1), endpoint(tenant_id())]).await;
}

pub async fn of_many_inserts_at_once_each_seat_goes_to_one(stores: Stores) {
    let tenant = tenant_id();
    let rivals: Vec<Endpoint> = (0..4).flat_map(|_| in_seats(tenant, 3)).collect();
    let inserts = rivals.iter().map(|endpoint| stores.endpoints.insert_endpoint(endpoint));
    let inserted = futures_util::future::join_all(inserts).await;
    let count = |wanted| inserted.iter().filter(|inserted| **inserted == Ok(wanted)).count();
    assert_eq!(
        (count(EndpointInserted::Done), count(EndpointInserted::SeatTaken)),
        (3, 9),
        "{inserted:?}"
    );
    let mut seats: Vec<u32> = of(&stores, &[tenant]).await.iter().map(|one| one.seat).collect();
    seats.sort_unstable();
    assert_eq!(seats, [0, 1, 2]);
}

pub async fn a_seat_is_free_again_when_its_endpoint_is_gone(stores: Stores) {
    let first = endpoint(tenant_id());
    insert(&stores, std::slice::from_ref(&first)).await;
    let store = &stores.endpoints;
    for is_there in [true, false] {
        let removed = store.remove_endpoint(&first.tenant_id, &first.id, None).await;
        assert_eq!(removed, Ok(is_there));
    }
    assert_eq!(find(&stores, &first).await, None);
    insert(&stores, &[endpoint(first.tenant_id)]).await;
}

pub async fn only_the_present_version_of_an_endpoint_is_saved_over(stores: Stores) {
    let first = Endpoint {
        seat: 3,
        ..endpoint(tenant_id())
    };
    let store = &stores.endpoints;
    assert_eq!(store.save_endpoint(&first).await, Ok(Saved::Stale), "there is none");
    insert(&stores, std::slice::from_ref(&first)).await;
    let mut changed = Endpoint {
        id: first.id,
        created_at: first.created_at,
        ..endpoint_full(first.tenant_id, 3)
    };
    assert_eq!(store.save_endpoint(&changed).await, Ok(Saved::Done));
    assert_eq!(store.save_endpoint(&first).await, Ok(Saved::Stale));
    changed.version = 1;
    assert_eq!(find(&stores, &changed).await, Some(changed.clone()));
    let plain = Endpoint {
        version: 1,
        ..first.clone()
    };
    assert_eq!(store.save_endpoint(&plain).await, Ok(Saved::Done));
    assert_eq!(find(&stores, &first).await, Some(Endpoint { version: 2, ..plain }));
}

pub async fn of_many_saves_of_an_endpoint_at_once_one_is_done(stores: Stores) {
    let first = endpoint(tenant_id());
    insert(&stores, std::slice::from_ref(&first)).await;
    let saves = (0..10).map(|_| stores.endpoints.save_endpoint(&first));
    let saved = futures_util::future::join_all(saves).await;
    let done = saved.iter().filter(|saved| **saved == Ok(Saved::Done)).count();
    assert_eq!(done, 1, "{saved:?}");
}

pub async fn nobody_else_sees_changes_or_removes_it(stores: Stores) {
    let (own, other) = (endpoint(tenant_id()), tenant_id());
    insert(&stores, std::slice::from_ref(&own)).await;
    let store = &stores.endpoints;
    let of_other = Endpoint {
        tenant_id: other,
        ..own.clone()
    };
    assert_eq!(find(&stores, &of_other).await, None);
    assert_eq!(of(&stores, &[other]).await, []);
    assert_eq!(store.save_endpoint(&of_other).await, Ok(Saved::Stale));
    for version in [None, Some(0)] {
        assert_eq!(store.remove_endpoint(&other, &own.id, version).await, Ok(false));
    }
    let elsewhere = Endpoint { seat: 1, ..own.clone() };
    assert_eq!(
        store.save_endpoint(&elsewhere).await,
        Ok(Saved::Stale),
        "its seat stays"
    );
    assert_eq!(find(&stores, &own).await, Some(own));
}

/// The id follows from the key, so the store needs to know of no keys.
pub async fn under_a_key_one_is_made_of_many_and_after_its_removal_another_one(stores: Stores) {
    let (owner, other) = (tenant_id(), tenant_id());
    let key = IdempotencyKey::parse("order-1").expect("a key");
    let id = Endpoint::id_of_key(&owner, &key);
    assert_ne!(id, Endpoint::id_of_key(&other, &key));
    let store = &stores.endpoints;
    let rivals = (0..8).map(|seat| {
        let rival = Endpoint {
            id,
            sealed_creation: Some(vec![u8::try_from(seat).expect("a few"); 64]),
            ..endpoint_full(owner, seat)
        };
        rival.under_an_id_of_before(endpoint(owner).id)
    });
    let rivals: Vec<Endpoint> = rivals.collect();
    let inserts = rivals.iter().map(|rival| store.insert_endpoint(rival));
    let inserted = futures_util::future::join_all(inserts).await;
    let count = |wanted| inserted.iter().filter(|inserted| **inserted == Ok(wanted)).count();
    assert_eq!(
        (count(EndpointInserted::Done), count(EndpointInserted::Stale)),
        (1, 7),
        "{inserted:?}"
    );
    let first = find(&stores, &rivals[0]).await.expect("it was made");
    assert!(
        rivals.contains(&first),
        "as it was asked for, with its version: {first:?}"
    );
    assert_eq!(store.remove_endpoint(&owner, &id, Some(first.version)).await, Ok(true));

    let next = Endpoint {
        created_at: first.created_at + std::time::Duration::from_secs(1),
        ..first.clone()
    };
    let next = next.under_an_id_of_before(endpoint(owner).id);
    insert(&stores, std::slice::from_ref(&next)).await;
    // Who knows the one before changes nothing of this one.
    assert_eq!(store.save_endpoint(&first).await, Ok(Saved::Stale));
    assert_eq!(store.remove_endpoint(&owner, &id, Some(first.version)).await, Ok(false));
    assert_eq!(find(&stores, &next).await, Some(next));
}

pub async fn only_the_present_version_is_removed_if_one_is_named(stores: Stores) {
    let mut own = endpoint(tenant_id());
    insert(&stores, std::slice::from_ref(&own)).await;
    assert_eq!(stores.endpoints.save_endpoint(&own).await, Ok(Saved::Done));
    own.version = 1;
    for (version, is_removed) in [(0, false), (2, false), (1, true)] {
        let removed = stores
            .endpoints
            .remove_endpoint(&own.tenant_id, &own.id, Some(version))
            .await;
        assert_eq!(removed, Ok(is_removed), "{version}");
        assert_eq!(find(&stores, &own).await.is_none(), is_removed);
    }
}

pub async fn endpoints_of_tenants_come_in_the_order_of_their_ids(stores: Stores) {
    let [one, two, none] = [tenant_id(), tenant_id(), tenant_id()];
    let mut of_one = in_seats(one, ENDPOINTS_MAX);
    let of_two = in_seats(two, 2);
    insert(&stores, &of_two).await;
    of_one.reverse();
    insert(&stores, &of_one).await;
    of_one.reverse();
    assert_eq!(of(&stores, &[]).await, []);
    assert_eq!(of(&stores, &[none]).await, []);
    assert_eq!(of(&stores, &[none, one]).await, of_one);
    let mut both = [of_one, of_two].concat();
    both.sort_by_key(|endpoint| endpoint.id);
    assert_eq!(of(&stores, &[two, one, two]).await, both);
}

pub async fn endpoints_of_all_come_page_by_page(stores: Stores) {
    let all: Vec<Endpoint> = (0..7).map(|_| endpoint(tenant_id())).collect();
    for endpoint in all.iter().rev() {
        insert(&stores, std::slice::from_ref(endpoint)).await;
    }
    let one_each = PageLimit {
        bytes: 1,
        ..PageLimit::items(100)
    };
    for limit in [
        PageLimit::items(1),
        PageLimit::items(3),
        PageLimit::items(7),
        PageLimit::items(100),
        one_each,
    ] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = stores
                .endpoints
                .endpoints(after, limit)
                .await
                .expect("the store answers");
            assert!(page.items.len() <= limit.items as usize);
            assert!(limit.bytes > 1 || page.items.len() <= 1, "a page ends at its bytes");
            seen.extend(page.items);
            let Some(next) = page.next else { break };
            assert!(after.is_none_or(|after| after < next), "pages go forward");
            after = Some(next);
        }
        assert_eq!(seen, all);
    }
    let behind = stores.endpoints.endpoints(Some(all[6].id), PageLimit::items(5)).await;
    assert_eq!(behind.expect("the store answers").items, []);
}

pub async fn endpoints_are_erased_with_their_tenant(stores: Stores) {
    let [gone, kept] = [tenant_id(), tenant_id()];
    let of_kept = in_seats(kept, 2);
    insert(&stores, &in_seats(gone, 5)).await;
    insert(&stores, &of_kept).await;
    let mut erased = Vec::new();
    while erased.last() != Some(&0) {
        erased.push(stores.erasure.erase(&gone, 2).await.expect("the store answers"));
    }
    assert_eq!(erased, [2, 2, 1, 0]);
    assert_eq!(of(&stores, &[gone]).await, []);
    assert_eq!(of(&stores, &[kept]).await, of_kept);
}
