//! Tenants are saved only over the version that was read.

use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::standing::{Seen, Standing, WebhooksGo};
use dakghar_core::domain::{Hold, HoldReason, Tenant};
use dakghar_core::ports::TenantSaved;

use super::super::stores::Stores;
use super::{check, insert, numbers, owner, save};
use crate::samples::{at, phone, standing_full, tenant, tenant_full, tenant_with_numbers};

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

pub async fn the_standing_of_a_number_survives(stores: Stores) {
    let mut tenant = tenant();
    insert(&stores, &tenant).await;
    let bare = Seen::default();
    let seen = WebhooksGo::ALL.map(|go| Seen {
        webhooks: Some(go),
        ..standing_full().seen.unwrap_or_default()
    });
    let of_seen = seen.into_iter().chain([bare]).map(|seen| Standing {
        seen: Some(seen),
        ..standing_full()
    });
    let asked = Standing {
        is_asked: true,
        ..Standing::default()
    };
    for standing in of_seen.chain([asked, Standing::default()]) {
        tenant.phone_numbers[0].standing = standing;
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
        assert_eq!(stores.tenants.save(&second, &[]).await, Ok(TenantSaved::Stale));
    }
    check(&stores, &first).await;
    assert_eq!(owner(&stores, &phone("7")).await, None);
}

pub async fn an_unknown_tenant_cannot_be_saved(stores: Stores) {
    let unknown = tenant();
    assert_eq!(stores.tenants.save(&unknown, &[]).await, Ok(TenantSaved::Stale));
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
            tokio::spawn(async move { (stores.tenants.save(&tenant, &[]).await, tenant.name) })
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
    assert_eq!(stores.tenants.save(&greedy, &[]).await, Ok(taken));
    check(&stores, &mine).await;
    let owners = stores.tenants.owners_of_numbers(&["1", "2", "3"].map(phone)).await;
    assert_eq!(owners, [Some(mine.id), Some(other.id), None].map(Ok));
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
