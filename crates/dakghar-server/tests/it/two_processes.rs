//! Two processes over one store, one of which answers clients while the other delivers: what is changed here counts there at
//! once. The look at all endpoints, which would find the same, is an hour away.

use std::sync::Arc;

use axum::http::Method;
use dakghar_core::domain::TenantId;
use dakghar_core::domain::feed::FeedEnd;
use dakghar_core::ports::{FeedNews, FeedStore as _};
use dakghar_testkit::memory::{MemoryStore, NewsAmong};
use serde_json::{Value, json};

use crate::deliverer::{Deliveries, OTHER, URL, a_while, happen, until};
use crate::harness::{Service, Setup, TestTenant, request};

/// Something happens to the tenant, and whoever has placed it tells.
async fn happen_and_tell(api: &Service, news: &dyn FeedNews, tenant: &TestTenant) {
    happen(api, tenant).await;
    let tenant_id = TenantId::parse(&tenant.id).expect("an id");
    let last = api.store.bounds(&tenant_id).await.expect("no outage").last;
    news.tell(&[FeedEnd { tenant_id, last }]);
}

async fn change(api: &Service, method: Method, path: &str, body: Option<&Value>, status: u16) {
    let answer = api.call(request(method, path, body)).await;
    assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
}

#[tokio::test]
async fn a_change_through_one_process_counts_at_once_where_another_delivers() {
    let (store, among) = (MemoryStore::new(), NewsAmong::default());
    let start = || {
        let news = among.join();
        let beside = (store.clone(), news.clone() as Arc<dyn FeedNews>);
        let service = Service::start(Setup {
            beside: Some(beside),
            ..Setup::default()
        });
        (service, news)
    };
    let ((api, news), (worker, _)) = (start(), start());
    let deliveries = Deliveries::begin(&worker);
    a_while(&worker).await;

    let tenant = api.register("Tenant A", "111111111111111").await;
    let all = format!("/tenants/{}/endpoints", tenant.id);
    let made = api.post(&all, &json!({"url": URL})).await.json;
    let one = format!("{all}/{}", made["endpointId"].as_str().expect("an id"));
    happen_and_tell(&api, &*news, &tenant).await;
    until(&worker, URL, 1).await;

    change(&api, Method::PATCH, &one, Some(&json!({"url": OTHER})), 200).await;
    a_while(&worker).await;
    happen_and_tell(&api, &*news, &tenant).await;
    until(&worker, OTHER, 1).await;

    change(&api, Method::POST, &format!("{one}/pause"), None, 200).await;
    a_while(&worker).await;
    happen_and_tell(&api, &*news, &tenant).await;
    a_while(&worker).await;
    assert_eq!(worker.receivers.posted().len(), 2, "it is paused");
    change(&api, Method::POST, &format!("{one}/resume"), None, 200).await;
    until(&worker, OTHER, 2).await;

    change(&api, Method::DELETE, &one, None, 204).await;
    a_while(&worker).await;
    happen_and_tell(&api, &*news, &tenant).await;
    a_while(&worker).await;
    assert_eq!(worker.receivers.posted().len(), 3, "it is removed");
    assert!(
        api.receivers.posted().is_empty(),
        "who answers clients delivers nothing"
    );
    deliveries.end().await;
}
