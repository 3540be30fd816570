//! The requests a second of a tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::Method;
use dakghar_core::ports::{CallAsk, Grant, QueueError, QuotaAsk, TenantQuota};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::harness::{ADMIN_KEY, Answer, Service, Setup, TestTenant, request, with_key};

async fn patch(service: &Service, tenant: &TestTenant, key: &str, body: Value) -> Answer {
    let path = format!("/tenants/{}", tenant.id);
    service
        .call(with_key(request(Method::PATCH, &path, Some(&body)), Some(key)))
        .await
}

async fn read(service: &Service, tenant: &TestTenant, below: &str) -> Answer {
    let path = format!("/tenants/{}{below}", tenant.id);
    service
        .call(with_key(request(Method::GET, &path, None), Some(&tenant.key)))
        .await
}

async fn two_tenants(setup: Setup) -> (Service, TestTenant, TestTenant) {
    let mut service = Service::start(setup);
    service.key = Some(ADMIN_KEY.into());
    let a = service.register("Tenant A", "111111111111111").await;
    let b = service.register("Tenant B", "222222222222222").await;
    (service, a, b)
}

#[tokio::test]
async fn a_tenant_over_its_requests_a_second_is_told_when_to_come_again() {
    let (service, a, b) = two_tenants(Setup::production()).await;
    assert_eq!(
        patch(&service, &a, &a.key, json!({"limits": {"requestsPerSecond": 0}}))
            .await
            .outcome(),
        (403, "forbidden")
    );
    let too_many = patch(
        &service,
        &a,
        ADMIN_KEY,
        json!({"limits": {"requestsPerSecond": 100_001}}),
    )
    .await;
    assert_eq!(too_many.outcome(), (422, "invalid_field"));
    let set = patch(&service, &a, ADMIN_KEY, json!({"limits": {"requestsPerSecond": 3}})).await;
    assert_eq!(
        (set.outcome().0, &set.json["limits"]["requestsPerSecond"]),
        (200, &json!(3))
    );
    assert_eq!(set.header("ratelimit"), None, "the operator has no limit");

    for (below, status, remaining) in [
        ("", 200, 2),
        ("/messages/msg_x", 404, 1),
        ("", 200, 0),
        ("", 429, 0),
        ("", 429, 0),
    ] {
        let answer = read(&service, &a, below).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"requests\";q=3;w=1"));
        assert_eq!(
            answer.header("ratelimit"),
            Some(format!("\"requests\";r={remaining};t=1").as_str())
        );
        assert_eq!(answer.header("retry-after"), (status == 429).then_some("1"));
    }
    assert_eq!(read(&service, &a, "").await.outcome(), (429, "rate_limited"));
    let other = read(&service, &b, "").await;
    assert_eq!(
        (other.outcome().0, other.header("ratelimit")),
        (200, None),
        "another tenant"
    );
    // A second later there are more, wherever the border of two seconds is.
    for _ in 0..9 {
        service.clock.advance(Duration::from_millis(111));
        let refused = read(&service, &a, "").await;
        assert_eq!(refused.outcome(), (429, "rate_limited"));
        assert_eq!(refused.header("ratelimit"), Some("\"requests\";r=0;t=1"));
    }
    service.clock.advance(Duration::from_millis(1));
    let again = read(&service, &a, "").await;
    assert_eq!(again.outcome(), (200, "-"), "a second later");
    assert_eq!(again.header("ratelimit"), Some("\"requests\";r=2;t=1"));

    // Without a number of its own, that of the installation counts, which is none here.
    let unset = patch(&service, &a, ADMIN_KEY, json!({"limits": {"requestsPerSecond": null}})).await;
    assert_eq!(unset.json["limits"]["requestsPerSecond"], json!(null));
    assert_eq!(read(&service, &a, "").await.header("ratelimit"), None);
}

/// Redis is away.
struct Away;

#[async_trait]
impl TenantQuota for Away {
    async fn take(&self, _: &[QuotaAsk]) -> Result<Vec<Grant>, QueueError> {
        Err(QueueError("away".into()))
    }

    async fn take_calls(&self, _: &Arc<str>, _: &[CallAsk]) -> Result<Vec<u32>, QueueError> {
        Err(QueueError("away".into()))
    }
}

#[tokio::test]
async fn a_process_that_cannot_ask_the_others_counts_by_itself_and_refuses_nobody_for_it() {
    let mut setup = Setup::production();
    setup.quota = Some(Arc::new(Away));
    let (service, a, _) = two_tenants(setup).await;
    patch(&service, &a, ADMIN_KEY, json!({"limits": {"requestsPerSecond": 3}})).await;
    for status in [200, 200, 200, 429] {
        assert_eq!(read(&service, &a, "").await.status.as_u16(), status);
    }
}

/// Answers when it is let, and counts its calls.
#[derive(Default)]
struct Slow {
    calls: AtomicUsize,
    may_answer: Option<Semaphore>,
}

#[async_trait]
impl TenantQuota for Slow {
    async fn take(&self, asks: &[QuotaAsk]) -> Result<Vec<Grant>, QueueError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let may_answer = self.may_answer.as_ref().expect("set");
        may_answer.acquire().await.expect("open").forget();
        let grant = |ask: &QuotaAsk| Grant {
            granted: ask.requests.min(15),
            remaining: 15_u32.saturating_sub(ask.requests),
            resets_in_ms: 1000,
        };
        Ok(asks.iter().map(grant).collect())
    }

    async fn take_calls(&self, _: &Arc<str>, _: &[CallAsk]) -> Result<Vec<u32>, QueueError> {
        unreachable!("no worker runs here")
    }
}

#[tokio::test]
async fn requests_that_wait_are_counted_in_one_call_and_an_exhausted_second_in_none() {
    let slow = Arc::new(Slow {
        may_answer: Some(Semaphore::new(0)),
        ..Slow::default()
    });
    let mut setup = Setup::production();
    setup.quota = Some(slow.clone());
    let (service, a, _) = two_tenants(setup).await;
    patch(&service, &a, ADMIN_KEY, json!({"limits": {"requestsPerSecond": 15}})).await;
    let asking = join_all((0..21).map(|_| read(&service, &a, "")));
    let letting = async {
        while slow.calls.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        slow.may_answer.as_ref().expect("set").add_permits(100);
    };
    let (answers, ()) = tokio::join!(asking, letting);
    let granted = answers.iter().filter(|answer| answer.status.as_u16() == 200).count();
    let calls = slow.calls.load(Ordering::SeqCst);
    assert!(calls <= 2, "{calls} calls for 21 requests");
    assert!((15..=16).contains(&granted), "{granted}");
    assert_eq!(read(&service, &a, "").await.status.as_u16(), 429);
    assert_eq!(
        slow.calls.load(Ordering::SeqCst),
        calls,
        "the second is known to be used up"
    );
}
