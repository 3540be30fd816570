//! The suite of [`RequestQuota`]: however many processes share it, a tenant has its requests once in a second.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::sync::Arc;

use dakghar_core::domain::TenantId;
use dakghar_core::ports::{Grant, QuotaAsk, RequestQuota};
use futures_util::future::join_all;

use crate::samples;

/// The port of the cases.
pub type Port = Arc<dyn RequestQuota>;

/// Runs the suite of `RequestQuota`: `quota_suite!(factory)`, where the factory gives `Arc<dyn RequestQuota>`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! quota_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, quota:
            a_second_grants_what_it_has_and_no_more
            tenants_have_their_own_and_are_answered_in_order
            those_who_ask_at_once_share_it
        }
    };
}

fn ask(tenant_id: TenantId, requests: u32) -> QuotaAsk {
    QuotaAsk {
        tenant_id,
        per_second: 10,
        requests,
    }
}

async fn take(quota: &Port, asks: &[QuotaAsk]) -> Vec<Grant> {
    let grants = quota.take(asks).await.expect("the quota answers");
    assert_eq!(grants.len(), asks.len());
    assert!(grants.iter().all(|grant| (1..=1000).contains(&grant.resets_in_ms)));
    grants
}

/// Repeats a case until it fits into one second: until the time to the next one only shrinks.
async fn within_a_second<T>(mut case: impl AsyncFnMut(TenantId) -> (T, Vec<Grant>)) -> T {
    loop {
        let (found, grants) = case(samples::tenant().id).await;
        if grants.is_sorted_by(|a, b| a.resets_in_ms >= b.resets_in_ms) {
            return found;
        }
    }
}

pub async fn a_second_grants_what_it_has_and_no_more(quota: Port) {
    let granted = within_a_second(async |id| {
        let mut grants = Vec::new();
        for requests in [4, 5, 3, 1] {
            grants.extend(take(&quota, &[ask(id, requests)]).await);
        }
        let granted: Vec<_> = grants.iter().map(|grant| (grant.granted, grant.remaining)).collect();
        (granted, grants)
    });
    assert_eq!(granted.await, [(4, 6), (5, 1), (1, 0), (0, 0)]);
    // The next second has as many again.
    let id = samples::tenant().id;
    while take(&quota, &[ask(id, 10)]).await[0].granted != 0 {}
    while take(&quota, &[ask(id, 10)]).await[0].granted != 10 {}
}

pub async fn tenants_have_their_own_and_are_answered_in_order(quota: Port) {
    let granted = within_a_second(async |id| {
        let other = samples::tenant().id;
        let mut grants = take(&quota, &[ask(id, 20), ask(other, 2)]).await;
        grants.extend(take(&quota, &[ask(other, 9), ask(id, 1)]).await);
        let granted: Vec<_> = grants.iter().map(|grant| grant.granted).collect();
        (granted, grants)
    });
    assert_eq!(granted.await, [10, 2, 8, 0]);
    assert_eq!(take(&quota, &[]).await, []);
}

pub async fn those_who_ask_at_once_share_it(quota: Port) {
    let granted = within_a_second(async |id| {
        let mut grants = take(&quota, &[ask(id, 0)]).await;
        let asks = [ask(id, 1)];
        let all = join_all((0..30).map(|_| take(&quota, &asks))).await.concat();
        let granted: u32 = all.iter().map(|grant| grant.granted).sum();
        grants.extend(take(&quota, &[ask(id, 0)]).await);
        (granted, grants)
    });
    assert_eq!(granted.await, 10);
}
