//! The suite of [`TenantStore`](dakghar_core::ports::TenantStore).
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::{Hold, HoldReason, PhoneNumber, PhoneNumberId, Tenant, TenantId};
use dakghar_core::ports::TenantSaved;

use super::read_pages;
use super::stores::Stores;
use crate::samples::{at, number, number_full, phone, tenant, tenant_full, tenant_id, tenant_with_numbers, waba};

/// Runs the suite of `TenantStore`: `tenant_store_suite!(factory)`, where the factory is an async function without
/// arguments that gives `(conformance::Stores, guard)` or an `Option` of that. See [`conformance`](crate::conformance).
#[macro_export]
macro_rules! tenant_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, tenants:
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

async fn insert(stores: &Stores, tenant: &Tenant) {
    assert_eq!(stores.tenants.insert(tenant).await, Ok(TenantSaved::Done));
}

/// Saves the tenant, which must be the present one, and raises its version.
async fn save(stores: &Stores, tenant: &mut Tenant) {
    assert_eq!(stores.tenants.save(tenant).await, Ok(TenantSaved::Done));
    tenant.version += 1;
}

async fn check(stores: &Stores, expected: &Tenant) {
    assert_eq!(stores.tenants.find(&expected.id).await, Ok(Some(expected.clone())));
}

async fn owner(stores: &Stores, number: &PhoneNumberId) -> Option<TenantId> {
    let owners = stores.tenants.owners_of_numbers(std::slice::from_ref(number)).await;
    owners.expect("the store answers").remove(0)
}

fn numbers(digits: &[&str]) -> Vec<PhoneNumber> {
    digits.iter().map(|digits| number(phone(digits))).collect()
}

pub async fn every_field_of_a_tenant_survives(stores: Stores) {
    for tenant in [tenant(), tenant_full()] {
        insert(&stores, &tenant).await;
        check(&stores, &tenant).await;
    }
}

pub async fn an_unknown_tenant_is_not_found(stores: Stores) {
    insert(&stores, &tenant()).await;
    assert_eq!(stores.tenants.find(&tenant_id()).await, Ok(None));
}

pub async fn tenants_are_found_in_the_order_of_their_ids(stores: Stores) {
    let (first, second) = (tenant(), tenant_full());
    for tenant in [&first, &second] {
        insert(&stores, tenant).await;
    }
    let ids = [second.id, tenant_id(), first.id, second.id];
    let found = stores.tenants.find_all(&ids).await;
    assert_eq!(found, [Some(second.clone()), None, Some(first), Some(second)].map(Ok));
    assert_eq!(stores.tenants.find_all(&[]).await, []);
}

pub async fn an_id_is_inserted_once(stores: Stores) {
    let first = tenant();
    insert(&stores, &first).await;
    let second = Tenant {
        id: first.id,
        ..tenant()
    };
    assert_eq!(stores.tenants.insert(&second).await, Ok(TenantSaved::Stale));
    check(&stores, &first).await;
    assert_eq!(owner(&stores, &second.phone_numbers[0].phone_number_id).await, None);
    // The same again is no other case.
    assert_eq!(stores.tenants.insert(&first).await, Ok(TenantSaved::Stale));
    check(&stores, &first).await;
}

pub async fn a_number_belongs_to_one_tenant(stores: Stores) {
    let first = tenant_with_numbers(numbers(&["1", "2"]));
    insert(&stores, &first).await;
    let second = tenant_with_numbers(numbers(&["3", "2"]));
    let taken = TenantSaved::PhoneNumberTaken(phone("2"));
    assert_eq!(stores.tenants.insert(&second).await, Ok(taken));
    assert_eq!(owner(&stores, &phone("2")).await, Some(first.id));
}

pub async fn a_refused_insert_leaves_nothing(stores: Stores) {
    insert(&stores, &tenant_with_numbers(numbers(&["2"]))).await;
    let refused = tenant_with_numbers(numbers(&["1", "2", "3"]));
    let taken = TenantSaved::PhoneNumberTaken(phone("2"));
    assert_eq!(stores.tenants.insert(&refused).await, Ok(taken));
    assert_eq!(stores.tenants.find(&refused.id).await, Ok(None));
    insert(&stores, &tenant_with_numbers(numbers(&["1", "3"]))).await;
}

pub async fn ten_at_once_with_one_number_leave_one(stores: Stores) {
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let stores = stores.clone();
            let tenant = tenant_with_numbers(numbers(&["1"]));
            tokio::spawn(async move { (tenant.id, stores.tenants.insert(&tenant).await) })
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
    assert_eq!(owner(&stores, &phone("1")).await, Some(winners[0]));
    assert_eq!(
        stores.tenants.list(None, 100).await.expect("the store answers").len(),
        1
    );
}

pub async fn a_save_keeps_every_field(stores: Stores) {
    let mut saved = tenant();
    insert(&stores, &saved).await;
    saved = Tenant {
        id: saved.id,
        created_at: saved.created_at,
        ..tenant_full()
    };
    save(&stores, &mut saved).await;
    check(&stores, &saved).await;
    // And back again: what is no longer set is cleared.
    saved = Tenant {
        id: saved.id,
        created_at: saved.created_at,
        version: saved.version,
        ..tenant()
    };
    save(&stores, &mut saved).await;
    check(&stores, &saved).await;
}

pub async fn every_setting_survives(stores: Stores) {
    let mut tenant = tenant();
    insert(&stores, &tenant).await;
    for policy in UnknownOutcome::ALL {
        tenant.unknown_outcome = policy;
        save(&stores, &mut tenant).await;
        check(&stores, &tenant).await;
    }
    for reason in HoldReason::ALL {
        let hold = Hold {
            reason,
            since: at(1),
            probe_at: Some(at(2)),
        };
        tenant.hold = Some(hold);
        tenant.phone_numbers[0].hold = Some(Hold { probe_at: None, ..hold });
        save(&stores, &mut tenant).await;
        check(&stores, &tenant).await;
    }
}

pub async fn a_stale_save_of_a_tenant_changes_nothing(stores: Stores) {
    let mut first = tenant();
    let mut second = Tenant {
        name: "second".into(),
        phone_numbers: numbers(&["7"]),
        ..first.clone()
    };
    insert(&stores, &first).await;
    first.name = "first".into();
    save(&stores, &mut first).await;
    for version in [0, 2] {
        second.version = version;
        assert_eq!(stores.tenants.save(&second).await, Ok(TenantSaved::Stale));
    }
    check(&stores, &first).await;
    assert_eq!(owner(&stores, &phone("7")).await, None);
}

pub async fn an_unknown_tenant_cannot_be_saved(stores: Stores) {
    let unknown = tenant();
    assert_eq!(stores.tenants.save(&unknown).await, Ok(TenantSaved::Stale));
    assert_eq!(stores.tenants.find(&unknown.id).await, Ok(None));
    assert_eq!(owner(&stores, &unknown.phone_numbers[0].phone_number_id).await, None);
}

pub async fn ten_saves_at_once_from_one_version_leave_one(stores: Stores) {
    let original = tenant();
    insert(&stores, &original).await;
    let tasks: Vec<_> = (0..10)
        .map(|index| {
            let stores = stores.clone();
            let tenant = Tenant {
                name: index.to_string(),
                ..original.clone()
            };
            tokio::spawn(async move { (stores.tenants.save(&tenant).await, tenant.name) })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.expect("no panic") {
            (Ok(TenantSaved::Done), name) => winners.push(name),
            (answer, _) => assert_eq!(answer, Ok(TenantSaved::Stale)),
        }
    }
    let found = stores
        .tenants
        .find(&original.id)
        .await
        .expect("the store answers")
        .expect("stored");
    assert_eq!(winners, [found.name]);
    assert_eq!(found.version, 1);
}

pub async fn a_save_cannot_take_a_foreign_number(stores: Stores) {
    let other = tenant_with_numbers(numbers(&["2"]));
    let mine = tenant_with_numbers(numbers(&["1"]));
    insert(&stores, &other).await;
    insert(&stores, &mine).await;
    let greedy = Tenant {
        name: "greedy".into(),
        phone_numbers: numbers(&["3", "2"]),
        ..mine.clone()
    };
    let taken = TenantSaved::PhoneNumberTaken(phone("2"));
    assert_eq!(stores.tenants.save(&greedy).await, Ok(taken));
    check(&stores, &mine).await;
    let owners = stores.tenants.owners_of_numbers(&["1", "2", "3"].map(phone)).await;
    assert_eq!(owners, Ok(vec![Some(mine.id), Some(other.id), None]));
}

pub async fn a_number_given_up_can_be_taken(stores: Stores) {
    let mut first = tenant_with_numbers(numbers(&["1", "2"]));
    let mut second = tenant_with_numbers(numbers(&["3"]));
    insert(&stores, &first).await;
    insert(&stores, &second).await;
    first.phone_numbers = numbers(&["1"]);
    save(&stores, &mut first).await;
    assert_eq!(owner(&stores, &phone("2")).await, None);
    second.phone_numbers = numbers(&["3", "2"]);
    save(&stores, &mut second).await;
    assert_eq!(owner(&stores, &phone("2")).await, Some(second.id));
    check(&stores, &first).await;
    check(&stores, &second).await;
}

pub async fn the_order_of_numbers_is_kept(stores: Stores) {
    let mut tenant = tenant_with_numbers(numbers(&["9", "10", "1"]));
    insert(&stores, &tenant).await;
    check(&stores, &tenant).await;
    tenant.phone_numbers.rotate_left(1);
    save(&stores, &mut tenant).await;
    check(&stores, &tenant).await;
}

pub async fn tenants_are_listed_newest_first(stores: Stores) {
    let tenants = [tenant(), tenant_full(), tenant()];
    for index in [1, 2, 0] {
        insert(&stores, &tenants[index]).await;
    }
    let [first, second, third] = tenants;
    let list = async |before, limit| stores.tenants.list(before, limit).await.expect("the store answers");
    assert_eq!(list(None, 100).await, [third.clone(), second.clone(), first.clone()]);
    assert_eq!(list(None, 1).await[..], *std::slice::from_ref(&third));
    assert_eq!(list(Some(third.id), 100).await, [second, first.clone()]);
    assert_eq!(list(Some(first.id), 100).await, []);
}

pub async fn pages_of_tenants_have_no_gaps_and_no_repeats(stores: Stores) {
    let mut expected = Vec::new();
    for _ in 0..11 {
        let tenant = tenant();
        insert(&stores, &tenant).await;
        expected.push(tenant.id);
    }
    expected.reverse();
    let fetch = async |before| stores.tenants.list(before, 4).await.expect("the store answers");
    let seen = read_pages(4, fetch, |tenant| tenant.id).await;
    assert_eq!(seen.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), expected);
}

pub async fn numbers_know_their_owners(stores: Stores) {
    let first = tenant_with_numbers(numbers(&["1", "2"]));
    let second = tenant_with_numbers(numbers(&["3"]));
    insert(&stores, &first).await;
    insert(&stores, &second).await;
    let owners = stores
        .tenants
        .owners_of_numbers(&["3", "9", "2", "1", "3"].map(phone))
        .await;
    let (first, second) = (Some(first.id), Some(second.id));
    assert_eq!(owners, Ok(vec![second, None, first, first, second]));
    assert_eq!(stores.tenants.owners_of_numbers(&[]).await, Ok(Vec::new()));
}

pub async fn accounts_know_their_owners(stores: Stores) {
    let of = |digits: &str, account: &str| PhoneNumber {
        waba_id: Some(waba(account)),
        ..number_full(phone(digits))
    };
    let first = tenant_with_numbers(vec![number(phone("0")), of("1", "77"), of("2", "77")]);
    let mut second = tenant_with_numbers(vec![of("3", "77"), of("4", "88")]);
    insert(&stores, &first).await;
    insert(&stores, &second).await;
    let owners = async |account: &str| {
        let mut owners = stores
            .tenants
            .owners_of_waba(&waba(account))
            .await
            .expect("the store answers");
        owners.sort();
        owners
    };
    assert_eq!(owners("77").await, [first.id, second.id]);
    assert_eq!(owners("88").await, [second.id]);
    assert_eq!(owners("99").await, []);
    second.phone_numbers.remove(0);
    save(&stores, &mut second).await;
    assert_eq!(owners("77").await, [first.id]);
}

pub async fn a_removed_tenant_is_gone(stores: Stores) {
    let removed = tenant_full();
    let other = tenant();
    insert(&stores, &removed).await;
    insert(&stores, &other).await;
    for _ in 0..2 {
        assert_eq!(stores.tenants.remove(&removed.id).await, Ok(()));
        assert_eq!(stores.tenants.find(&removed.id).await, Ok(None));
    }
    let number = &removed.phone_numbers[0];
    assert_eq!(owner(&stores, &number.phone_number_id).await, None);
    assert_eq!(
        stores
            .tenants
            .owners_of_waba(number.waba_id.as_ref().expect("set"))
            .await,
        Ok(Vec::new())
    );
    assert_eq!(stores.tenants.list(None, 100).await, Ok(vec![other]));
    insert(&stores, &tenant_with_numbers(vec![number.clone()])).await;
}
