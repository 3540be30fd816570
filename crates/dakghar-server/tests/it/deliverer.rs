//! The deliveries of a process begin, change and end by what it is told of endpoints; the look at all of them, which would
//! find the same, is an hour away.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use dakghar_core::domain::callback::{Advance, CallbackProgress};
use dakghar_core::domain::{EndpointId, TenantId, WebhookEvent};
use dakghar_core::ports::{CallbackStore as _, Clock as _, EventStore as _, Saved};
use dakghar_server::http::CallbackViews;
use dakghar_server::worker::{Work, run};
use dakghar_testkit::memory::Posted;
use dakghar_testkit::receiver::standard_signature;
use dakghar_testkit::samples;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::harness::{Service, TestTenant, request};

pub(crate) const URL: &str = "https://example.com/hook";
const NEIGHBOUR: &str = "https://example.net/hook";
pub(crate) const OTHER: &str = "https://example.org/hook";
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The deliveries of a process.
pub(crate) struct Deliveries {
    tasks: TaskTracker,
    stopping: CancellationToken,
    running: JoinHandle<()>,
}

impl Deliveries {
    pub(crate) fn begin(service: &Service) -> Self {
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let (app, bodies) = (service.app.clone(), Arc::new(CallbackViews));
        let running = run(Work::CALLBACKS, app, bodies, tasks.clone(), stopping.clone());
        Self {
            tasks,
            stopping,
            running: tokio::spawn(running),
        }
    }

    /// Tells it to stop.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }

    pub(crate) async fn end(self) {
        self.stop();
        self.tasks.close();
        timeout(PATIENCE, self.running)
            .await
            .expect("it ends")
            .expect("no panic");
        timeout(PATIENCE, self.tasks.wait()).await.expect("they end");
    }
}

pub(crate) async fn happen(service: &Service, tenant: &TestTenant) {
    let event = WebhookEvent {
        received_at: service.clock.now(),
        amends: None,
        ..samples::event(TenantId::parse(&tenant.id).expect("an id"))
    };
    service.store.record(&[event]).await.expect("no outage");
}

/// Waits until so much was posted to this URL. The time of the pace goes on meanwhile.
pub(crate) async fn until(service: &Service, url: &str, count: usize) {
    let posted = async {
        while service
            .receivers
            .posted()
            .iter()
            .filter(|posted| posted.url == url)
            .count()
            < count
        {
            service.clock.advance(Duration::from_millis(20));
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        timeout(PATIENCE, posted).await.is_ok(),
        "{url}: {:?}",
        service.receivers.posted()
    );
}

/// Lets whoever would call do so.
pub(crate) async fn a_while(service: &Service) {
    for _ in 0..20 {
        service.clock.advance(Duration::from_millis(20));
        sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn patch(service: &Service, path: &str, body: &Value) {
    let answer = service.call(request(Method::PATCH, path, Some(body))).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
}

/// The signature is over the very bytes that were sent.
fn is_signed(posted: &Posted, secret: &str) {
    let header = |name: &str| {
        let mut headers = posted.headers.iter().filter(|(found, _)| found == name);
        headers.next().map(|(_, value)| &**value).expect("a header")
    };
    let (id, stamp) = (header("webhook-id"), header("webhook-timestamp"));
    let expected = standard_signature(secret, id, stamp, &posted.body);
    assert_eq!(header("webhook-signature"), expected);
}

#[tokio::test]
async fn who_delivers_hears_of_endpoints_at_once() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let deliveries = Deliveries::begin(&service);
    a_while(&service).await;

    let all = format!("/tenants/{}/endpoints", tenant.id);
    let neighbour = service.register("Tenant B", "222222222222222").await;
    let of_neighbour = format!("/tenants/{}/endpoints", neighbour.id);
    service.post(&of_neighbour, &json!({"url": NEIGHBOUR})).await;
    let made = service.post(&all, &json!({"url": URL})).await.json;
    let one = format!("{all}/{}", made["endpointId"].as_str().expect("an id"));
    happen(&service, &tenant).await;
    until(&service, URL, 1).await;
    is_signed(
        &service.receivers.posted()[0],
        made["secret"].as_str().expect("a secret"),
    );

    patch(&service, &one, &json!({"url": OTHER})).await;
    a_while(&service).await;
    happen(&service, &tenant).await;
    until(&service, OTHER, 1).await;
    // What is told of one tenant changes nothing of another.
    happen(&service, &neighbour).await;
    until(&service, NEIGHBOUR, 1).await;

    service.post(&format!("{one}/pause"), &json!({})).await;
    a_while(&service).await;
    happen(&service, &tenant).await;
    a_while(&service).await;
    assert_eq!(service.receivers.posted().len(), 3, "it is paused");
    service.post(&format!("{one}/resume"), &json!({})).await;
    until(&service, OTHER, 2).await;

    // One that is given up, by the process that delivers itself, is left alone at once.
    service.receivers.answer_status(OTHER, 410);
    happen(&service, &tenant).await;
    until(&service, OTHER, 3).await;
    a_while(&service).await;
    happen(&service, &tenant).await;
    a_while(&service).await;
    assert_eq!(service.receivers.posted().len(), 5, "it is disabled");
    service.post(&format!("{one}/resume"), &json!({})).await;
    // What it did not take, what happened meanwhile, and that it was disabled.
    until(&service, OTHER, 6).await;

    assert_eq!(service.delete(&one).await.status.as_u16(), 204);
    a_while(&service).await;
    let before = service.receivers.posted().len();
    happen(&service, &tenant).await;
    a_while(&service).await;
    assert_eq!(service.receivers.posted().len(), before, "it is removed");

    deliveries.end().await;
}

#[tokio::test]
async fn endpoints_that_hang_hold_up_no_other_one_of_their_tenant() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let all = format!("/tenants/{}/endpoints", tenant.id);
    for n in 0..5 {
        let url = format!("https://example.com/hang/{n}");
        service.receivers.hang(&url);
        service.post(&all, &json!({"url": url})).await;
    }
    service.post(&all, &json!({"url": URL})).await;
    let deliveries = Deliveries::begin(&service);
    // More than all that hang may have under way together.
    for count in 1..=12 {
        happen(&service, &tenant).await;
        until(&service, URL, count).await;
    }
    for _ in 0..20 {
        happen(&service, &tenant).await;
    }
    until(&service, URL, 32).await;
    let hanging = service.receivers.posted().len() - 32;
    assert!(hanging >= 32, "{hanging} calls hang");
    deliveries.stopping.cancel();
    deliveries.running.abort();
}

/// How far an endpoint is, once somebody has written it down.
async fn written_down(service: &Service, id: EndpointId, place: u64) -> CallbackProgress {
    let found = async {
        loop {
            let found = service.store.progress(&[id]).await.pop().expect("one answer");
            match found.expect("no outage") {
                Some(progress) if progress.after.number() >= place => return progress,
                _ => sleep(Duration::from_millis(5)).await,
            }
        }
    };
    timeout(PATIENCE, found).await.expect("it is written down")
}

#[tokio::test]
async fn the_slower_of_two_owners_leaves_the_endpoint_to_the_other_for_a_while() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let all = format!("/tenants/{}/endpoints", tenant.id);
    let made = service.post(&all, &json!({"url": URL})).await.json;
    let id = EndpointId::parse(made["endpointId"].as_str().expect("an id")).expect("an id");
    let deliveries = Deliveries::begin(&service);
    happen(&service, &tenant).await;
    until(&service, URL, 1).await;

    // Another process has delivered to it meanwhile, and knows nothing of what this one does next.
    let advance = Advance {
        progress: written_down(&service, id, 1).await,
        exceptions: Vec::new(),
        over: Vec::new(),
        attempts: None,
    };
    let saved = service.store.advance(std::slice::from_ref(&advance)).await;
    assert_eq!(saved, [Ok(Saved::Done)]);
    happen(&service, &tenant).await;
    until(&service, URL, 2).await;
    a_while(&service).await;
    assert_eq!(service.receivers.posted().len(), 2, "the other one sees to it");
    // The other one is gone: what it did not write down is delivered again.
    until(&service, URL, 3).await;
    assert_eq!(written_down(&service, id, 2).await.after.number(), 2);
    deliveries.end().await;
}

/// More than all calls that a process makes at a time.
#[tokio::test]
async fn tenants_whose_receivers_hang_hold_up_no_other_tenant() {
    let service = Service::open();
    let mut tenants = Vec::new();
    for n in 0..40 {
        let tenant = service
            .register("Tenant", &format!("{}", 200_000_000_000_000_u64 + n))
            .await;
        let all = format!("/tenants/{}/endpoints", tenant.id);
        for seat in 0..4 {
            let url = format!("https://example.com/hang/{n}/{seat}");
            service.receivers.hang(&url);
            service.post(&all, &json!({"url": url})).await;
        }
        tenants.push(tenant);
    }
    let well = service.register("Tenant B", "111111111111111").await;
    service
        .post(&format!("/tenants/{}/endpoints", well.id), &json!({"url": URL}))
        .await;
    let deliveries = Deliveries::begin(&service);
    for tenant in &tenants {
        for _ in 0..8 {
            happen(&service, tenant).await;
        }
    }
    // Until nothing more begins.
    let hanging = async {
        let (mut before, mut still) = (0, 0);
        while before < 512 || still < 5 {
            a_while(&service).await;
            let posted = service.receivers.posted().len();
            still = if posted == before { still + 1 } else { 0 };
            before = posted;
        }
    };
    timeout(PATIENCE, hanging).await.expect("they hang");
    for count in 1..=3 {
        happen(&service, &well).await;
        until(&service, URL, count).await;
    }
    deliveries.stopping.cancel();
    deliveries.running.abort();
}
