//! The suite of [`TenantQuota`]: however many processes share it, a tenant has its requests once in a
//! second, and its calls under way once.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use dakghar_core::domain::TenantId;
use dakghar_core::ports::{CallAsk, Grant, QuotaAsk, TenantQuota};
use futures_util::future::join_all;

use crate::samples;

/// The port of the cases.
pub type Port = Arc<dyn TenantQuota>;

/// Runs the suite of `TenantQuota`: `quota_suite!(factory)`, where the factory gives `Arc<dyn TenantQuota>`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! quota_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, quota:
            a_second_grants_what_it_has_and_no_more
            no_second_has_more_than_the_limit_wherever_it_begins
            tenants_have_their_own_and_are_answered_in_order
            those_who_ask_at_once_share_it
            calls_of_all_processes_are_within_the_limit
            a_process_that_says_no_more_is_forgotten
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

/// Repeats a case until it fits into one second: until the time to the first that is free again only shrinks.
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
    // A second later there are as many again.
    let id = samples::tenant().id;
    while take(&quota, &[ask(id, 10)]).await[0].granted != 0 {}
    while take(&quota, &[ask(id, 10)]).await[0].granted != 10 {}
}

pub async fn no_second_has_more_than_the_limit_wherever_it_begins(quota: Port) {
    let id = samples::tenant().id;
    // Counted between these two times, as far as can be told from here.
    let mut let_in: Vec<(Instant, Instant)> = Vec::new();
    while let_in.len() < 35 {
        let asked_at = Instant::now();
        let granted = take(&quota, &[ask(id, 1)]).await[0].granted;
        let_in.extend((0..granted).map(|_| (asked_at, Instant::now())));
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    for eleven in let_in.windows(11) {
        let took = eleven[10].1 - eleven[0].0;
        assert!(took >= Duration::from_secs(1), "eleven in {took:?}");
    }
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

/// Asks for calls in the name of a process.
async fn calls(quota: &Port, process: &str, tenant_id: TenantId, under_way: u32, wanted: u32) -> u32 {
    let ask = CallAsk {
        tenant_id,
        max: 10,
        under_way,
        wanted,
    };
    let granted = quota
        .take_calls(&process.into(), &[ask])
        .await
        .expect("the quota answers");
    assert_eq!(granted.len(), 1);
    granted[0]
}

pub async fn calls_of_all_processes_are_within_the_limit(quota: Port) {
    let (id, other) = (samples::tenant().id, samples::tenant().id);
    assert_eq!(calls(&quota, "a", id, 0, 6).await, 6);
    assert_eq!(calls(&quota, "b", id, 0, 6).await, 4);
    assert_eq!(calls(&quota, "a", id, 6, 1).await, 0);
    assert_eq!(calls(&quota, "a", other, 0, 20).await, 10, "another tenant");
    // What a process says takes the place of what it said.
    assert_eq!(calls(&quota, "a", id, 2, 0).await, 0);
    assert_eq!(calls(&quota, "b", id, 4, 9).await, 4);
    assert_eq!(calls(&quota, "b", id, 0, 0).await, 0);
    assert_eq!(calls(&quota, "c", id, 0, 9).await, 8);
    // A limit that was lowered takes nothing away.
    assert_eq!(calls(&quota, "c", id, 30, 9).await, 0);
    assert_eq!(quota.take_calls(&"c".into(), &[]).await, Ok(vec![]));

    let id = samples::tenant().id;
    let names: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    let granted = join_all(names.iter().map(|name| calls(&quota, name, id, 0, 1))).await;
    assert_eq!(granted.iter().sum::<u32>(), 10, "those who ask at once share it");
}

pub async fn a_process_that_says_no_more_is_forgotten(quota: Port) {
    let id = samples::tenant().id;
    assert_eq!(calls(&quota, "died", id, 0, 10).await, 10);
    assert_eq!(calls(&quota, "lives", id, 0, 1).await, 0);
    while calls(&quota, "lives", id, 0, 1).await == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
