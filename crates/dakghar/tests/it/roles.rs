//! `dakghar api` and `dakghar worker`: each starts, scales and stops alone, and any number of workers share the work.

use std::time::Duration;

use dakghar_graph_sim::{Fault, FaultRule, StatusPlan};
use dakghar_testkit::Port;
use dakghar_testkit::receiver::Receiver;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, eventually, text};
use crate::promises::{Load, audit};

async fn worker(product: &mut Product) -> Port {
    start(product, "worker").await
}

async fn start(product: &mut Product, role: &str) -> Port {
    let port = Port::claim();
    product.spawn_on(role, port.number());
    product.ready_on(port.number()).await;
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn api_and_worker_start_scale_and_stop_alone() {
    let mut product = Setup::on(Backend::Distributed).role("api").start().await;
    let tenant = product.fast_tenant("111").await;
    let first = product.send(&tenant, "+919111111111").await;
    let port = worker(&mut product).await;
    product.until_status(&tenant, &first, "delivered").await;
    // A worker answers about its health, and nothing else.
    let of_worker = async |path: &str| {
        let url = format!("http://127.0.0.1:{port}{path}");
        product.http.get(url).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!((of_worker("/healthz").await, of_worker("/tenants").await), (200, 404));

    // Processes, by position: the API, then the workers, oldest first.
    let load = Load::start(&product, std::slice::from_ref(&tenant));
    worker(&mut product).await;
    worker(&mut product).await;
    assert_eq!(product.terminate_process(1).await, Some(0), "{}", product.log());
    worker(&mut product).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(product.terminate_process(1).await, Some(0), "{}", product.log());
    let promised = load.stop().await;
    assert!(promised.len() > 50, "only {} messages were accepted", promised.len());
    audit(&product, &promised).await;

    // What was accepted is sent without the API.
    let calls = product.sim.journal().len();
    let at = (jiff::Timestamp::now() + Duration::from_secs(4)).to_string();
    let body = json!({"to": "+919111111111", "text": "later", "sendAt": at});
    let later = text(&product.post(&format!("/tenants/{}/send", tenant.id), body).await["messageId"]);
    assert_eq!(product.terminate_process(0).await, Some(0), "{}", product.log());
    assert!(eventually(async || product.sim.journal().len() == calls + 1).await);
    product.spawn("api");
    product.ready().await;
    let message = product.until_status(&tenant, &later, "delivered").await;
    assert_eq!(message["attempts"], 1);
    assert!(!product.log().contains("not everything"), "{}", product.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_settle_each_doubt_once() {
    const MESSAGES: usize = 60;
    let mut product = Setup::on(Backend::Distributed)
        .role("api")
        .statuses(StatusPlan::none())
        .env("UNKNOWN_OUTCOME_GRACE_MS", 1_500)
        .start()
        .await;
    let tenant = product.fast_tenant("111").await;
    // All first calls end in doubt, at about the same time: every reconciler sees all of them.
    let first_calls = FaultRule::first(MESSAGES as u64, Fault::HtmlBadGateway);
    product.sim.add_rule(first_calls);
    for _ in 0..4 {
        worker(&mut product).await;
    }
    let path = format!("/tenants/{}/send", tenant.id);
    let mut ids = Vec::new();
    for n in 0..MESSAGES {
        let body = json!({"to": format!("+9191111111{n:02}"), "text": "hello", "unknownOutcome": "resend"});
        ids.push(text(&product.post(&path, body).await["messageId"]));
    }
    for id in &ids {
        let message = product.until_status(&tenant, id, "sent").await;
        assert!(
            message["attempts"].as_u64().is_some_and(|attempts| attempts >= 1),
            "{message:#}"
        );
    }
    let calls = product.sim.call_counts();
    assert_eq!(calls.len(), 2 * MESSAGES, "one call in doubt and one more for each");
    assert!(calls.values().all(|count| *count == 1), "{calls:?}");
    let accepted: u64 = product.sim.accepted_counts().values().sum();
    assert_eq!(accepted, MESSAGES as u64, "none was sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_halves_of_a_worker_run_apart() {
    let setup = Setup::on(Backend::Distributed).role("api");
    let mut product = setup.statuses(StatusPlan::none()).start().await;
    let tenant = product.tenant("111", "EAAG-a").await;
    let receiver = Receiver::start([]).await;
    let body = json!({"url": receiver.url(), "kinds": ["message.sent"]});
    product.post(&format!("/tenants/{}/endpoints", tenant.id), body).await;
    // Processes, by position: the API, then the one half.
    start(&mut product, "worker --only send").await;
    let sent = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &sent, "sent").await;
    let feed = format!("/tenants/{}/feed", tenant.id);
    assert_eq!(product.get(&feed).await["data"], json!([]), "nobody gives places");
    assert_eq!(product.terminate_process(1).await, Some(0), "{}", product.log());

    start(&mut product, "worker --only callbacks").await;
    let waiting = product.send(&tenant, "+919111111111").await;
    assert!(eventually(async || receiver.requests().len() == 1).await);
    let told = serde_json::from_slice::<Value>(&receiver.requests()[0].body).expect("JSON");
    assert_eq!(told["data"]["message"]["id"], sent.as_str(), "{told:#}");
    assert_eq!(
        product.message(&tenant, &waiting).await["status"],
        "queued",
        "nobody sends"
    );

    start(&mut product, "worker --only send").await;
    product.until_status(&tenant, &waiting, "sent").await;
    assert!(eventually(async || receiver.requests().len() == 2).await);
}

#[test]
fn separate_processes_need_a_shared_store() {
    for role in ["api", "worker"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_dakghar"))
            .arg(role)
            .env_clear()
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(1));
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(err.contains("MONGO_URI"), "{err}");
    }
}
