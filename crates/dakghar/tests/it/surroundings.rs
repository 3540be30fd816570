//! What goes wrong around a message costs it none of its attempts.

use dakghar_graph_sim::{Fault, FaultRule, Match};
use dakghar_testkit::fault_proxy::FaultProxy;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, eventually, on_both_backends, unavailable};

on_both_backends!(
    an_outage_of_meta_delays_messages_and_costs_them_nothing,
    refused_tokens_and_a_request_to_slow_down_end_no_message,
);

/// Most refusals of one message that are not its end: the call after them is the last of its five attempts.
const REFUSALS: u64 = 4;

async fn meta_unreachable(product: &Product) -> Value {
    let (status, body) = product.call("GET", "/readyz", None).await;
    assert_eq!(status, 200, "messages are accepted all the same: {body}");
    body["metaUnreachable"].clone()
}

async fn an_outage_of_meta_delays_messages_and_costs_them_nothing(backend: Backend) {
    let way = FaultProxy::start(1).await;
    way.refuse().await;
    let graph = format!("http://127.0.0.1:{}", way.port());
    let product = Setup::on(backend).env("GRAPH_BASE_URL", graph).start().await;
    way.lead_to(product.sim.addr().port());
    let tenant = product.tenant("111", "EAAG-real").await;
    assert_eq!(meta_unreachable(&product).await, Value::Null);
    let ids = join_all((10..40).map(|n| {
        // Each message needs all its attempts once Meta is there.
        let when = Match {
            to: Some(format!("9191111111{n}")),
            ..Match::default()
        };
        product
            .sim
            .add_rule(FaultRule::first(REFUSALS, unavailable()).when(when));
        let (product, tenant) = (&product, &tenant);
        async move { product.send(tenant, &format!("+9191111111{n}")).await }
    }))
    .await;

    let is_probed = async || meta_unreachable(&product).await["triesFailed"].as_u64() > Some(0);
    assert!(eventually(is_probed).await, "{}", meta_unreachable(&product).await);
    let unreachable = meta_unreachable(&product).await;
    assert!(
        unreachable["since"].is_string() && unreachable["nextTryAt"].is_string(),
        "{unreachable}"
    );
    let mut probes = 0;
    for id in &ids {
        let message = product.message(&tenant, id).await;
        // One call at a time probes.
        probes += usize::from(message["status"] == "sending");
        assert!(
            ["queued", "sending"].iter().any(|status| message["status"] == *status),
            "{message:#}"
        );
    }
    assert!(probes <= 2, "{probes}, though they were asked for one after the other");
    assert_eq!(product.log().matches("Meta cannot be reached").count(), 1);

    way.heal().await;
    for id in &ids {
        product.until_status(&tenant, id, "delivered").await;
    }
    assert_eq!(meta_unreachable(&product).await, Value::Null);
    assert_eq!(product.get("/dead-letters").await["data"], json!([]));
    let calls = u64::try_from(product.sim.journal().len()).unwrap();
    assert_eq!(calls, 30 * (REFUSALS + 1), "each attempt reached Meta");
}

async fn refused_tokens_and_a_request_to_slow_down_end_no_message(backend: Backend) {
    const REPLACED: u64 = 21;
    let product = Product::start(backend).await;
    let tenant = product.tenant("111", "EAAG-real").await;
    let refused = |calls| FaultRule::first(calls, Fault::token_expired());
    product.sim.add_rule(refused(REPLACED));
    let id = product.send(&tenant, "+919111111111").await;
    let path = format!("/tenants/{}/access-token", tenant.id);
    for replaced in 1..=REPLACED {
        let is_refused = async || {
            let calls = u64::try_from(product.sim.journal().len()).unwrap();
            calls == replaced && product.message(&tenant, &id).await["status"] == "held"
        };
        assert!(
            eventually(is_refused).await,
            "{:#}",
            product.message(&tenant, &id).await
        );
        if replaced == REPLACED {
            let once = FaultRule::first(1, Fault::rate_limited());
            product.sim.add_rule(once);
        }
        let body = json!({"accessToken": format!("EAAG-{replaced}")});
        assert_eq!(product.call("PUT", &path, Some(body)).await.0, 200);
    }
    product.until_status(&tenant, &id, "delivered").await;
    let calls = u64::try_from(product.sim.journal().len()).unwrap();
    assert_eq!(calls, REPLACED + 2, "one request to slow down, and it went out");
}
