//! The suite of [`TenantStore`].
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::sync::Arc;

use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::{Hold, HoldReason, PhoneNumber, PhoneNumberId, Tenant, TenantId};
use dakghar_core::ports::TenantStore;
use dakghar_core::ports::store::TenantSaved;

use super::read_pages;
use crate::samples::{at, number, number_full, phone, tenant, tenant_full, tenant_id, tenant_with_numbers, waba};

/// What the cases are run against.
pub type Store = Arc<dyn TenantStore>;

/// Runs the suite of `TenantStore`: `tenant_store_suite!(factory)`, where the factory is an async function without
/// arguments that gives `(Arc<dyn TenantStore>, guard)` or an `Option` of that. See [`conformance`](crate::conformance).
#[macro_export]
macro_rules! tenant_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, tenant_store:
            the_store_can_be_used
            every_field_of_a_tenant_survives
            an_unknown_tenant_is_not_found
            tenants_are_found_in_the_order_of_their_ids
            an_id_is_inserted_once
            a_number_belongs_to_one_tenant
            a_refused_insert_leaves_nothing
            ten_at_once_with_one_number_leave_one
            a_save_keeps_every_field
            every_setting_survives
            a_stale_save_of_a_tenant_changes_nothing
            an_unknown_tenant_cannot_be_saved
            ten_saves_at_once_from_one_version_leave_one
            a_save_cannot_take_a_foreign_number
            a_number_given_up_can_be_taken
            the_order_of_numbers_is_kept
            tenants_are_listed_newest_first
            pages_of_tenants_have_no_gaps_and_no_repeats
            numbers_know_their_owners
            accounts_know_their_owners
            a_removed_tenant_is_gone
        }
    };
}

async fn insert(store: &Store, tenant: &Tenant) {
    assert_eq!(store.insert(tenant).await, Ok(TenantSaved::Done));
}

/// Saves the tenant, which must be the present one, and raises its version.
async fn save(store: &Store, tenant: &mut Tenant) {
    assert_eq!(store.save(tenant).await, Ok(TenantSaved::Done));
    tenant.version += 1;
}

async fn check(store: &Store, expected: &Tenant) {
    assert_eq!(store.find(&expected.id).await, Ok(Some(expected.clone())));
}

async fn owner(store: &Store, number: &PhoneNumberId) -> Option<TenantId> {
    let owners = store.owners_of_numbers(std::slice::from_ref(number)).await;
    owners.expect("the store answers").remove(0)
}

fn numbers(digits: &[&str]) -> Vec<PhoneNumber> {
    digits.iter().map(|digits| number(phone(digits))).collect()
}

pub async fn the_store_can_be_used(store: Store) {
    assert_eq!(store.ping().await, Ok(()));
}

pub async fn every_field_of_a_tenant_survives(store: Store) {
    for tenant in [tenant(), tenant_full()] {
        insert(&store, &tenant).await;
        check(&store, &tenant).await;
    }
}

pub async fn an_unknown_tenant_is_not_found(store: Store) {
    insert(&store, &tenant()).await;
    assert_eq!(store.find(&tenant_id()).await, Ok(None));
}

pub async fn tenants_are_found_in_the_order_of_their_ids(store: Store) {
    let (first, second) = (tenant(), tenant_full());
    for tenant in [&first, &second] {
        insert(&store, tenant).await;
    }
    let ids = [second.id, tenant_id(), first.id, second.id];
    let found = store.find_all(&ids).await;
    assert_eq!(found, [Some(second.clone()), None, Some(first), Some(second)].map(Ok));
    assert_eq!(store.find_all(&[]).await, []);
}

pub async fn an_id_is_inserted_once(store: Store) {
    let first = tenant();
    insert(&store, &first).await;
    let second = Tenant {
        id: first.id,
        ..tenant()
    };
    assert_eq!(store.insert(&second).await, Ok(TenantSaved::Stale));
    check(&store, &first).await;
    assert_eq!(owner(&store, &second.phone_numbers[0].phone_number_id).await, None);
    // The same again is no other case.
    assert_eq!(store.insert(&first).await, Ok(TenantSaved::Stale));
    check(&store, &first).await;
}

pub async fn a_number_belongs_to_one_tenant(store: Store) {
    let first = tenant_with_numbers(numbers(&["1", "2"]));
    insert(&store, &first).await;
    let second = tenant_with_numbers(numbers(&["3", "2"]));
    let taken = TenantSaved::PhoneNumberTaken(phone("2"));
    assert_eq!(store.insert(&second).await, Ok(taken));
    assert_eq!(owner(&store, &phone("2")).await, Some(first.id));
}

pub async fn a_refused_insert_leaves_nothing(store: Store) {
    insert(&store, &tenant_with_numbers(numbers(&["2"]))).await;
    let refused = tenant_with_numbers(numbers(&["1", "2", "3"]));
    let taken = TenantSaved::PhoneNumberTaken(phone("2"));
    assert_eq!(store.insert(&refused).await, Ok(taken));
    assert_eq!(store.find(&refused.id).await, Ok(None));
    insert(&store, &tenant_with_numbers(numbers(&["1", "3"]))).await;
}

pub async fn ten_at_once_with_one_number_leave_one(store: Store) {
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let store = store.clone();
            let tenant = tenant_with_numbers(numbers(&["1"]));
            tokio::spawn(async move { (tenant.id, store.insert(&tenant).await) })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        let (id, answer) = task.await.expect("no panic");
        match answer.expect("the store answers") {
            TenantSaved::Done => winners.push(id),
            refused => assert_eq!(refused, TenantSaved::PhoneNumberTaken(phone("1"))),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(owner(&store, &phone("1")).await, Some(winners[0]));
    assert_eq!(store.list(None, 100).await.expect("the store answers").len(), 1);
}

pub async fn a_save_keeps_every_field(store: Store) {
    let mut saved = tenant();
    insert(&store, &saved).await;
    saved = Tenant {
        id: saved.id,
        created_at: saved.created_at,
        ..tenant_full()
    };
    save(&store, &mut saved).await;
    check(&store, &saved).await;
    // And back again: what is no longer set is cleared.
    saved = Tenant {
        id: saved.id,
        created_at: saved.created_at,
        version: saved.version,
        ..tenant()
    };
    save(&store, &mut saved).await;
    check(&store, &saved).await;
}

pub async fn every_setting_survives(store: Store) {
    let mut tenant = tenant();
    insert(&store, &tenant).await;
    for policy in UnknownOutcome::ALL {
        tenant.unknown_outcome = policy;
        save(&store, &mut tenant).await;
        check(&store, &tenant).await;
    }
    for reason in HoldReason::ALL {
        let hold = Hold {
            reason,
            since: at(1),
            probe_at: Some(at(2)),
        };
        tenant.hold = Some(hold);
        tenant.phone_numbers[0].hold = Some(Hold { probe_at: None, ..hold });
        save(&store, &mut tenant).await;
        check(&store, &tenant).await;
    }
}

pub async fn a_stale_save_of_a_tenant_changes_nothing(store: Store) {
    let mut first = tenant();
    let mut second = Tenant {
        name: "second".into(),
        phone_numbers: numbers(&["7"]),
        ..first.clone()
    };
    insert(&store, &first).await;
    first.name = "first".into();
    save(&store, &mut first).await;
    for version in [0, 2] {
        second.version = version;
        assert_eq!(store.save(&second).await, Ok(TenantSaved::Stale));
    }
    check(&store, &first).await;
    assert_eq!(owner(&store, &phone("7")).await, None);
}

pub async fn an_unknown_tenant_cannot_be_saved(store: Store) {
    let unknown = tenant();
    assert_eq!(store.save(&unknown).await, Ok(TenantSaved::Stale));
    assert_eq!(store.find(&unknown.id).await, Ok(None));
    assert_eq!(owner(&store, &unknown.phone_numbers[0].phone_number_id).await, None);
}

pub async fn ten_saves_at_once_from_one_version_leave_one(store: Store) {
    let original = tenant();
    insert(&store, &original).await;
    let tasks: Vec<_> = (0..10)
        .map(|index| {
            let store = store.clone();
            let tenant = Tenant {
                name: index.to_string(),
                ..original.clone()
            };
            tokio::spawn(async move { (store.save(&tenant).await, tenant.name) })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.expect("no panic") {
            (Ok(TenantSaved::Done), name) => winners.push(name),
            (answer, _) => assert_eq!(answer, Ok(TenantSaved::Stale)),
        }
    }
    let found = store
        .find(&original.id)
        .await
        .expect("the store answers")
        .expect("stored");
    assert_eq!(winners, [found.name]);
    assert_eq!(found.version, 1);
}

pub async fn a_save_cannot_take_a_foreign_number(store: Store) {
    let other = tenant_with_numbers(numbers(&["2"]));
    let mine = tenant_with_numbers(numbers(&["1"]));
    insert(&store, &other).await;
    insert(&store, &mine).await;
    let greedy = Tenant {
        name: "greedy".into(),
        phone_numbers: numbers(&["3", "2"]),
        ..mine.clone()
    };
    let taken = TenantSaved::PhoneNumberTaken(phone("2"));
    assert_eq!(store.save(&greedy).await, Ok(taken));
    check(&store, &mine).await;
    let owners = store.owners_of_numbers(&["1", "2", "3"].map(phone)).await;
    assert_eq!(owners, Ok(vec![Some(mine.id), Some(other.id), None]));
}

pub async fn a_number_given_up_can_be_taken(store: Store) {
    let mut first = tenant_with_numbers(numbers(&["1", "2"]));
    let mut second = tenant_with_numbers(numbers(&["3"]));
    insert(&store, &first).await;
    insert(&store, &second).await;
    first.phone_numbers = numbers(&["1"]);
    save(&store, &mut first).await;
    assert_eq!(owner(&store, &phone("2")).await, None);
    second.phone_numbers = numbers(&["3", "2"]);
    save(&store, &mut second).await;
    assert_eq!(owner(&store, &phone("2")).await, Some(second.id));
    check(&store, &first).await;
    check(&store, &second).await;
}

pub async fn the_order_of_numbers_is_kept(store: Store) {
    let mut tenant = tenant_with_numbers(numbers(&["9", "10", "1"]));
    insert(&store, &tenant).await;
    check(&store, &tenant).await;
    tenant.phone_numbers.rotate_left(1);
    save(&store, &mut tenant).await;
    check(&store, &tenant).await;
}

pub async fn tenants_are_listed_newest_first(store: Store) {
    let tenants = [tenant(), tenant_full(), tenant()];
    for index in [1, 2, 0] {
        insert(&store, &tenants[index]).await;
    }
    let [first, second, third] = tenants;
    let list = async |before, limit| store.list(before, limit).await.expect("the store answers");
    assert_eq!(list(None, 100).await, [third.clone(), second.clone(), first.clone()]);
    assert_eq!(list(None, 1).await[..], *std::slice::from_ref(&third));
    assert_eq!(list(Some(third.id), 100).await, [second, first.clone()]);
    assert_eq!(list(Some(first.id), 100).await, []);
}

pub async fn pages_of_tenants_have_no_gaps_and_no_repeats(store: Store) {
    let mut expected = Vec::new();
    for _ in 0..11 {
        let tenant = tenant();
        insert(&store, &tenant).await;
        expected.push(tenant.id);
    }
    expected.reverse();
    let fetch = async |before| store.list(before, 4).await.expect("the store answers");
    let seen = read_pages(4, fetch, |tenant| tenant.id).await;
    assert_eq!(seen.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), expected);
}

pub async fn numbers_know_their_owners(store: Store) {
    let first = tenant_with_numbers(numbers(&["1", "2"]));
    let second = tenant_with_numbers(numbers(&["3"]));
    insert(&store, &first).await;
    insert(&store, &second).await;
    let owners = store.owners_of_numbers(&["3", "9", "2", "1", "3"].map(phone)).await;
    let (first, second) = (Some(first.id), Some(second.id));
    assert_eq!(owners, Ok(vec![second, None, first, first, second]));
    assert_eq!(store.owners_of_numbers(&[]).await, Ok(Vec::new()));
}

pub async fn accounts_know_their_owners(store: Store) {
    let of = |digits: &str, account: &str| PhoneNumber {
        waba_id: Some(waba(account)),
        ..number_full(phone(digits))
    };
    let first = tenant_with_numbers(vec![number(phone("0")), of("1", "77"), of("2", "77")]);
    let mut second = tenant_with_numbers(vec![of("3", "77"), of("4", "88")]);
    insert(&store, &first).await;
    insert(&store, &second).await;
    let owners = async |account: &str| {
        let mut owners = store.owners_of_waba(&waba(account)).await.expect("the store answers");
        owners.sort();
        owners
    };
    assert_eq!(owners("77").await, [first.id, second.id]);
    assert_eq!(owners("88").await, [second.id]);
    assert_eq!(owners("99").await, []);
    second.phone_numbers.remove(0);
    save(&store, &mut second).await;
    assert_eq!(owners("77").await, [first.id]);
}

pub async fn a_removed_tenant_is_gone(store: Store) {
    let removed = tenant_full();
    let other = tenant();
    insert(&store, &removed).await;
    insert(&store, &other).await;
    for _ in 0..2 {
        assert_eq!(store.remove(&removed.id).await, Ok(()));
        assert_eq!(store.find(&removed.id).await, Ok(None));
    }
    let number = &removed.phone_numbers[0];
    assert_eq!(owner(&store, &number.phone_number_id).await, None);
    assert_eq!(
        store.owners_of_waba(number.waba_id.as_ref().expect("set")).await,
        Ok(Vec::new())
    );
    assert_eq!(store.list(None, 100).await, Ok(vec![other]));
    insert(&store, &tenant_with_numbers(vec![number.clone()])).await;
}
