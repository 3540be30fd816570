//! A tenant is inserted once, with numbers that are nobody else's.

use dakghar_core::domain::Tenant;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::ports::TenantSaved;

use super::super::stores::Stores;
use super::{check, insert, numbers, owner, save};
use crate::samples::{phone, tenant, tenant_full, tenant_with_numbers};

pub async fn every_field_of_a_tenant_survives(stores: Stores) {
    for tenant in [tenant(), tenant_full()] {
        insert(&stores, &tenant).await;
        check(&stores, &tenant).await;
    }
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

pub async fn tenants_wait_for_their_first_numbers(stores: Stores) {
    let mut tenants = [tenant_with_numbers(Vec::new()), tenant_with_numbers(Vec::new())];
    for tenant in &tenants {
        insert(&stores, tenant).await;
        check(&stores, tenant).await;
    }
    for (tenant, number) in tenants.iter_mut().zip(["1", "2"]) {
        tenant.phone_numbers = numbers(&[number]);
        save(&stores, tenant).await;
        check(&stores, tenant).await;
        assert_eq!(owner(&stores, &phone(number)).await, Some(tenant.id));
    }
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
        stores
            .tenants
            .list(None, PageLimit::items(100))
            .await
            .expect("the store answers")
            .items
            .len(),
        1
    );
}
