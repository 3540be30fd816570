//! kill -9 at random moments under load: every 202 is kept, no attempt is called twice, nothing is sent twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dakghar_graph_sim::StatusPlan;
use parking_lot::Mutex;
use serde_json::json;

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(
    thirty_kills_under_load_lose_and_double_nothing,
    a_signal_drains_before_the_end
);

const KILLS: u32 = 30;
const CLIENTS: usize = 16;

async fn thirty_kills_under_load_lose_and_double_nothing(backend: Backend) {
    let mut product = Setup::on(backend)
        .env("UNKNOWN_OUTCOME_GRACE_MS", 15_000)
        .env("SEND_TIMEOUT_MS", 2_000)
        .env("SEND_LEASE_MS", 4_500)
        .start()
        .await;
    let mut tenants = Vec::new();
    for number in 0..4 {
        let tenant = product.tenant(&format!("11{number}"), "EAAG-real").await;
        let path = format!("/tenants/{}/phone-numbers/11{number}", tenant.id);
        product
            .call("PATCH", &path, Some(json!({"messagesPerSecond": 2_000})))
            .await;
        tenants.push(tenant);
    }
    let load = Load::start(&product, &tenants);
    let mut dice: u64 = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..KILLS {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(Duration::from_millis(200 + (dice >> 33) % 800)).await;
        product.restart().await;
    }
    let promised = load.stop().await;
    assert!(promised.len() > 500, "only {} messages were accepted", promised.len());

    audit(&product, &promised).await;
}

/// Every promise is kept, no attempt was called twice, nothing was sent twice.
pub async fn audit(product: &Product, promised: &[(Tenant, String)]) {
    for (tenant, id) in promised {
        let is_settled = async || {
            let message = product.message(tenant, id).await;
            !["queued", "sending", "in_doubt"].contains(&message["status"].as_str().unwrap_or_default())
        };
        assert!(
            eventually(is_settled).await,
            "not settled: {:#}",
            product.message(tenant, id).await
        );
        let status = text(&product.message(tenant, id).await["status"]);
        assert!(
            ["sent", "delivered"].contains(&status.as_str()),
            "{id} ended as {status}"
        );
    }
    let repeated: Vec<_> = product
        .sim
        .call_counts()
        .into_iter()
        .filter(|(_, calls)| *calls > 1)
        .collect();
    assert!(repeated.is_empty(), "attempts called more than once: {repeated:?}");
    let mut accepted: BTreeMap<String, u64> = BTreeMap::new();
    for (opaque, count) in product.sim.accepted_counts() {
        let message = opaque.split('.').nth(1).unwrap_or_default().to_owned();
        *accepted.entry(message).or_default() += count;
    }
    let doubled: Vec<_> = accepted.iter().filter(|(_, count)| **count > 1).collect();
    println!(
        "accepted {}, sent {}, lost 0, doubled {}",
        promised.len(),
        accepted.len(),
        doubled.len()
    );
    assert!(doubled.is_empty(), "sent twice: {doubled:?}");
}

/// Clients that send as fast as they are answered, and remember what they were promised.
pub struct Load {
    stopping: Arc<AtomicBool>,
    promised: Arc<Mutex<BTreeSet<(usize, String)>>>,
    clients: Vec<tokio::task::JoinHandle<()>>,
    tenants: Vec<Tenant>,
}

impl Load {
    pub fn start(product: &Product, tenants: &[Tenant]) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let promised = Arc::new(Mutex::new(BTreeSet::new()));
        let next = Arc::new(AtomicU64::new(0));
        let clients = (0..CLIENTS)
            .map(|client| {
                let (stopping, promised, next) = (stopping.clone(), promised.clone(), next.clone());
                let (http, tenants) = (product.http.clone(), tenants.to_vec());
                let base = product.url("/tenants");
                tokio::spawn(async move {
                    while !stopping.load(Ordering::Relaxed) {
                        let which = client % tenants.len();
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        let body =
                            json!({"to": format!("+9191{n:08}"), "text": "hello", "idempotency_key": format!("k-{n}")});
                        let url = format!("{base}/{}/send", tenants[which].id);
                        // A client that is not answered repeats the request under the same key.
                        for _ in 0..20 {
                            let request = http.post(&url).bearer_auth(&tenants[which].api_key).json(&body);
                            match request.send().await {
                                Ok(answer) if answer.status().is_success() => {
                                    if let Ok(answer) = answer.json::<serde_json::Value>().await {
                                        promised.lock().insert((which, text(&answer["messageId"])));
                                        break;
                                    }
                                }
                                _ => tokio::time::sleep(Duration::from_millis(100)).await,
                            }
                        }
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                })
            })
            .collect();
        Self {
            stopping,
            promised,
            clients,
            tenants: tenants.to_vec(),
        }
    }

    pub async fn stop(self) -> Vec<(Tenant, String)> {
        self.stopping.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("a client ends");
        }
        let promised = std::mem::take(&mut *self.promised.lock());
        promised
            .into_iter()
            .map(|(which, id)| (self.tenants[which].clone(), id))
            .collect()
    }
}

async fn a_signal_drains_before_the_end(backend: Backend) {
    // Without statuses only the answer to the call can settle the message.
    let mut product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let tenant = product.tenant("111", "EAAG-real").await;
    product
        .sim
        .add_rule(dakghar_graph_sim::FaultRule::always(dakghar_graph_sim::Fault::Slow {
            ms: 4_000,
        }));
    let id = product.send(&tenant, "+919111111111").await;
    product.until_status(&tenant, &id, "sending").await;
    assert_eq!(product.terminate().await, Some(0), "{}", product.log());
    assert!(product.log().contains("stopped"), "{}", product.log());
    product.restart().await;
    let message = product.until_status(&tenant, &id, "sent").await;
    assert_eq!(message["attempts"], 1, "the call was finished before the end");
}
