//! Keys are a part of their tenant; when they were used is noted beside it.

use std::time::Duration;

use dakghar_core::domain::{ApiKey, KeyUse, Tenant};

use super::super::stores::Stores;
use super::{check, insert, save};
use crate::samples::{api_key, at, key_full, tenant};

fn use_of(tenant: &Tenant, key: &ApiKey, seconds: u64) -> KeyUse {
    KeyUse {
        tenant_id: tenant.id,
        key_id: key.id,
        at: at(seconds * 1_000),
    }
}

/// What is stored of the tenant once its keys were used at these seconds.
fn used(tenant: &Tenant, seconds: &[Option<u64>]) -> Tenant {
    let mut used = tenant.clone();
    for (key, seconds) in used.keys.iter_mut().zip(seconds) {
        key.last_used_at = seconds.map(|seconds| at(seconds * 1_000));
    }
    used
}

pub async fn keys_are_added_replaced_and_revoked_with_their_tenant(stores: Stores) {
    let mut tenant = tenant();
    insert(&stores, &tenant).await;
    check(&stores, &tenant).await;
    tenant.keys.push(key_full());
    tenant.keys.push(api_key("third"));
    save(&stores, &mut tenant).await;
    check(&stores, &tenant).await;
    let secret = api_key("replaced").secrets.remove(0);
    let rotated = tenant.keys[2].rotate(secret, at(9), Duration::from_secs(60));
    assert_eq!(rotated, Ok(()));
    save(&stores, &mut tenant).await;
    check(&stores, &tenant).await;
    tenant.keys.clear();
    save(&stores, &mut tenant).await;
    check(&stores, &tenant).await;
}

pub async fn the_latest_use_of_a_key_counts_and_makes_no_version(stores: Stores) {
    let other = tenant();
    let mut tenant = Tenant {
        keys: vec![api_key("first"), api_key("second")],
        ..tenant()
    };
    for tenant in [&tenant, &other] {
        insert(&stores, tenant).await;
    }
    let [first, second] = [&tenant.keys[0], &tenant.keys[1]];
    let uses = [
        use_of(&tenant, first, 20),
        use_of(&tenant, first, 10),
        use_of(&other, &other.keys[0], 30),
    ];
    assert_eq!(stores.tenants.note_key_uses(&uses).await, Ok(()));
    check(&stores, &used(&tenant, &[Some(20), None])).await;
    check(&stores, &used(&other, &[Some(30)])).await;
    let uses = [use_of(&tenant, first, 15), use_of(&tenant, second, 40)];
    assert_eq!(stores.tenants.note_key_uses(&uses).await, Ok(()));
    check(&stores, &used(&tenant, &[Some(20), Some(40)])).await;
    // Whoever has read the tenant before saves it all the same.
    tenant = used(&tenant, &[Some(20), Some(40)]);
    save(&stores, &mut tenant).await;
    check(&stores, &tenant).await;
}

pub async fn uses_of_what_is_not_there_are_noted_nowhere(stores: Stores) {
    let kept = tenant();
    insert(&stores, &kept).await;
    let unknown = tenant();
    let uses = [
        use_of(&unknown, &unknown.keys[0], 5),
        KeyUse {
            key_id: api_key("unknown").id,
            ..use_of(&kept, &kept.keys[0], 5)
        },
    ];
    assert_eq!(stores.tenants.note_key_uses(&uses).await, Ok(()));
    assert_eq!(stores.tenants.note_key_uses(&[]).await, Ok(()));
    check(&stores, &kept).await;
    assert_eq!(stores.tenants.find(&unknown.id).await, Ok(None));
}
