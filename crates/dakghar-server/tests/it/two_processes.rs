//! Two processes over one store, one of which answers clients while the other delivers: what is changed here counts there at
//! once. The look at all endpoints, which would find the same, is an hour away.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use dakghar_core::domain::feed::FeedEnd;
use dakghar_core::domain::{EndpointId, TenantId};
use dakghar_core::ports::{CallbackStore as _, Clock as _, FeedNews, FeedStore as _};
use dakghar_testkit::memory::{MemoryStore, NewsAmong};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::deliverer::{Deliveries, OTHER, PATIENCE, URL, a_while, happen, until};
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

/// A process that delivers to an endpoint whose receiver has not answered yet, when it is told to stop.
async fn stopping_in_a_call() -> (Service, Deliveries, EndpointId) {
    let store = MemoryStore::with_arrivals();
    let worker = Service::start(Setup {
        beside: Some((store.clone(), store)),
        ..Setup::default()
    });
    let tenant = worker.register("Tenant A", "111111111111111").await;
    let all = format!("/tenants/{}/endpoints", tenant.id);
    let made = worker.post(&all, &json!({"url": URL})).await.json;
    let id = EndpointId::parse(made["endpointId"].as_str().expect("an id")).expect("an id");
    worker.receivers.hang(URL);
    let deliveries = Deliveries::begin(&worker);
    happen(&worker, &tenant).await;
    until(&worker, URL, 1).await;
    assert_eq!(worker.store.attendants().len(), 1);
    deliveries.stop();
    (worker, deliveries, id)
}

/// Waits until it has said that it leaves, while the clock moves on by so much each time. Returns how far it moved, and the place
/// of the endpoint at that moment.
async fn farewell(worker: &Service, id: EndpointId, step: Duration) -> (Duration, u64) {
    let begun = worker.clock.uptime();
    let left = async {
        while !worker.store.attendants().is_empty() {
            worker.clock.advance(step);
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, left).await.expect("it leaves");
    (worker.clock.uptime().saturating_sub(begun), place(worker, id).await)
}

async fn place(worker: &Service, id: EndpointId) -> u64 {
    let progress = worker.store.progress(&[id]).await.remove(0).expect("no outage");
    progress.map_or(0, |progress| progress.after.number())
}

#[tokio::test]
async fn who_stops_says_so_once_its_calls_have_ended_and_are_written_down() {
    let (worker, deliveries, id) = stopping_in_a_call().await;
    // It would leave now if it did not wait.
    sleep(Duration::from_millis(50)).await;
    worker.receivers.release(URL);
    assert_eq!(farewell(&worker, id, Duration::ZERO).await.1, 1);
    deliveries.end().await;
    assert!(worker.store.attendants().is_empty(), "it does not come back");
}

#[tokio::test]
async fn who_stops_says_so_after_a_second_whatever_hangs() {
    let (worker, deliveries, id) = stopping_in_a_call().await;
    let (took, at) = farewell(&worker, id, Duration::from_millis(20)).await;
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert_eq!(at, 0);
    // Nobody was there to take it over: what ends later is written down.
    worker.receivers.release(URL);
    deliveries.end().await;
    assert_eq!(place(&worker, id).await, 1);
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
