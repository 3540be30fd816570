//! Clients that send as fast as they are answered, and what must have become of what they were promised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;

use crate::product::{Product, Tenant, eventually, text};

const CLIENTS: usize = 16;

/// Every promise is kept, no attempt was called twice, nothing was sent twice.
pub async fn audit(product: &Product, promised: &[(Tenant, String)]) {
    for (tenant, id) in promised {
        let is_settled = async || {
            let message = product.message(tenant, id).await;
            !["queued", "sending", "in_doubt"].contains(&message["status"].as_str().unwrap_or_default())
        };
        // A webhook that was refused comes again after waits that grow.
        let in_time = eventually(&is_settled).await || eventually(&is_settled).await;
        assert!(in_time, "not settled: {:#}", product.message(tenant, id).await);
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
