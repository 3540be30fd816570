//! The suite of [`FeedNews`], where the store tells them by itself.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::feed::News;
use dakghar_core::domain::{Place, TenantId, WebhookEvent};
use dakghar_core::ports::FeedNews;

use super::stores::Stores;
use crate::samples::{event, tenant_id};

/// A store, and what it tells.
pub struct NewsUnderTest {
    /// All ports of the store.
    pub stores: Stores,
    /// The port of this suite.
    pub news: Arc<dyn FeedNews>,
}

/// Runs the suite of `FeedNews`: `feed_news_suite!(factory)`, where the factory gives [`NewsUnderTest`]. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! feed_news_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, news:
            what_was_written_is_told_when_it_can_be_read
            what_was_not_written_is_not_told
            news_of_many_feeds_at_once_are_all_told
            changes_of_endpoints_are_told_here_too
        }
    };
}

/// Takes news until one names this tenant. Returns the last place that it told.
async fn until_told(under_test: &NewsUnderTest, tenant_id: TenantId) -> Place {
    let told = async {
        loop {
            match under_test.news.next().await {
                News::Ends(ends) => {
                    if let Some(end) = ends.iter().find(|end| end.tenant_id == tenant_id) {
                        return end.last;
                    }
                }
                News::Endpoints(_) | News::Arrived | News::Taken(_) => {}
                News::Missed => panic!("nothing was lost"),
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), told)
        .await
        .expect("it is told")
}

async fn record(under_test: &NewsUnderTest, events: &[WebhookEvent]) {
    under_test
        .stores
        .events
        .record(events)
        .await
        .expect("the store answers");
}

pub async fn what_was_written_is_told_when_it_can_be_read(under_test: NewsUnderTest) {
    assert!(under_test.news.is_open());
    let tenant = tenant_id();
    for count in 1..=20_u64 {
        // Whoever is told may look before the writer is answered.
        let looked = async {
            let told = until_told(&under_test, tenant).await;
            let bounds = under_test.stores.feed.bounds(&tenant).await.expect("the store answers");
            (told, bounds.last)
        };
        let events = [event(tenant)];
        let (looked, ()) = futures_util::join!(looked, record(&under_test, &events));
        assert_eq!(looked, (Place::new(count), Place::new(count)));
    }
}

pub async fn what_was_not_written_is_not_told(under_test: NewsUnderTest) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let first = event(tenant);
    record(&under_test, std::slice::from_ref(&first)).await;
    until_told(&under_test, tenant).await;
    record(&under_test, &[first]).await;
    record(&under_test, &[event(other)]).await;
    let News::Ends(ends) = under_test.news.next().await else {
        panic!("nothing was lost")
    };
    assert_eq!(ends.iter().map(|end| end.tenant_id).collect::<Vec<_>>(), [other]);
}

pub async fn news_of_many_feeds_at_once_are_all_told(under_test: NewsUnderTest) {
    let tenants: Vec<TenantId> = (0..40).map(|_| tenant_id()).collect();
    let writing = tenants.iter().map(|tenant| {
        let events: Vec<WebhookEvent> = (0..3).map(|_| event(*tenant)).collect();
        let under_test = &under_test;
        async move { record(under_test, &events).await }
    });
    futures_util::future::join_all(writing).await;
    let mut told: HashMap<TenantId, Place> = HashMap::new();
    while tenants.iter().any(|tenant| told.get(tenant) != Some(&Place::new(3))) {
        let next = tokio::time::timeout(Duration::from_mins(1), under_test.news.next());
        match next.await.expect("all are told") {
            News::Ends(ends) => told.extend(ends.into_iter().map(|end| (end.tenant_id, end.last))),
            News::Endpoints(_) | News::Arrived | News::Taken(_) => {}
            News::Missed => panic!("nothing was lost"),
        }
    }
    assert_eq!(told.len(), tenants.len());
}

pub async fn changes_of_endpoints_are_told_here_too(under_test: NewsUnderTest) {
    let tenants: [TenantId; 2] = std::array::from_fn(|_| tenant_id());
    for tenant in tenants {
        under_test.news.tell_endpoints(&tenant);
        let told = tokio::time::timeout(Duration::from_mins(1), under_test.news.next()).await;
        assert_eq!(told.expect("it is told"), News::Endpoints(vec![tenant]));
    }
}
