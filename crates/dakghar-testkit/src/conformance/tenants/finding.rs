//! Tenants are found by their ids, numbers and accounts, until they are removed.

use dakghar_core::domain::PhoneNumber;
use dakghar_core::domain::page::PageLimit;

use super::super::read_pages;
use super::super::stores::Stores;
use super::{check, insert, numbers, owner, save};
use crate::samples::{number, number_full, phone, tenant, tenant_full, tenant_id, tenant_with_numbers, waba};

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

pub async fn tenants_are_listed_newest_first(stores: Stores) {
    let tenants = [tenant(), tenant_full(), tenant()];
    for index in [1, 2, 0] {
        insert(&stores, &tenants[index]).await;
    }
    let [first, second, third] = tenants;
    let list = async |before, limit| {
        let listed = stores.tenants.list(before, PageLimit::items(limit)).await;
        listed.expect("the store answers").items
    };
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
    let small = PageLimit {
        bytes: 1,
        ..PageLimit::items(100)
    };
    for (items_max, limit) in [(4, PageLimit::items(4)), (1, small)] {
        let fetch = async |before| stores.tenants.list(before, limit).await.expect("the store answers");
        let seen = read_pages(items_max, fetch).await;
        assert_eq!(seen.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), expected);
    }
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
    assert_eq!(owners, [second, None, first, first, second].map(Ok));
    assert_eq!(stores.tenants.owners_of_numbers(&[]).await, []);
}

pub async fn numbers_know_who_gave_them_up(stores: Stores) {
    let past_owners = async |digits: &[&str]| {
        let numbers: Vec<_> = digits.iter().map(|digits| phone(digits)).collect();
        let found = stores.tenants.past_owners_of_numbers(&numbers).await;
        let mut found = found.expect("the store answers");
        for owners in &mut found {
            owners.sort();
        }
        found
    };
    let mut first = tenant_with_numbers(numbers(&["1", "2", "3"]));
    insert(&stores, &first).await;
    assert_eq!(past_owners(&["1", "2"]).await, [vec![], vec![]]);
    first.give_up_number(&phone("1"));
    first.give_up_number(&phone("3"));
    save(&stores, &mut first).await;
    check(&stores, &first).await;
    let mut second = tenant_with_numbers(numbers(&["1", "4"]));
    insert(&stores, &second).await;
    let expected = [vec![first.id], vec![], vec![], vec![first.id], vec![first.id]];
    assert_eq!(past_owners(&["1", "2", "9", "3", "1"]).await, expected);
    assert_eq!(owner(&stores, &phone("1")).await, Some(second.id));
    second.give_up_number(&phone("1"));
    save(&stores, &mut second).await;
    assert_eq!(
        past_owners(&["1", "3"]).await,
        [vec![first.id, second.id], vec![first.id]]
    );
    assert_eq!(stores.tenants.remove(&first.id).await, Ok(()));
    assert_eq!(past_owners(&["1", "3"]).await, [vec![second.id], vec![]]);
    assert_eq!(past_owners(&[]).await, Vec::<Vec<_>>::new());
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
    let listed = stores.tenants.list(None, PageLimit::items(100)).await;
    assert_eq!(listed.expect("the store answers").items, [other]);
    insert(&stores, &tenant_with_numbers(vec![number.clone()])).await;
}
