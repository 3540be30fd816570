//! The suite of [`StoreHealth`](dakghar_core::ports::StoreHealth), of a store that can be used.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use super::stores::{Stores, accept_all};
use crate::samples::{outbound, tenant_id};

/// Runs the suite of `StoreHealth`: `store_health_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! store_health_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, health:
            the_store_can_be_used
            messages_may_be_claimed_at_once
            ten_may_ask_at_once
        }
    };
}

pub async fn the_store_can_be_used(stores: Stores) {
    assert_eq!(stores.health.ping().await, Ok(()));
}

pub async fn messages_may_be_claimed_at_once(stores: Stores) {
    assert_eq!(stores.health.may_claim(), Ok(()));
    accept_all(&stores, &[outbound(tenant_id())]).await;
    assert_eq!(stores.health.may_claim(), Ok(()));
}

pub async fn ten_may_ask_at_once(stores: Stores) {
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let stores = stores.clone();
            tokio::spawn(async move { (stores.health.ping().await, stores.health.may_claim()) })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), (Ok(()), Ok(())));
    }
}
