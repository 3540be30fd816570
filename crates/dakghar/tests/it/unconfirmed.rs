//! MongoDB does not answer inserts of messages: they are repeated under the same ids, clients are told of success, and each
//! message is called for once.

use dakghar_testkit::fault_proxy::{FaultProxy, Hold};
use dakghar_testkit::servers::direct_uri;
use serde_json::{Value, json};

use crate::metrics::Measured;
use crate::product::{Backend, Setup, Tenant, text};
use crate::promises::audit;

/// How an insert of messages begins on its way to MongoDB.
const INSERT: &[u8] = b"\x02insert\0\x09\0\0\0messages\0";
const INSERTED: &str = "dakghar_store_call_seconds_count{method=\"messages_accept\"}";
const REPEATED: &str = "dakghar_inserts_repeated_total{result=\"stored\"}";
/// Messages of one bulk, so of one insert.
const MESSAGES: u64 = 20;

/// An installation behind a proxy to its MongoDB, and a tenant.
async fn start() -> (Measured, FaultProxy, Tenant) {
    let mut measured = Measured::start(Setup::on(Backend::Fragile)).await;
    let product = &mut measured.product;
    let proxy = FaultProxy::start(product.servers().0.port()).await;
    product.set("MONGO_URI", direct_uri(proxy.port()).replace("/?", "/dakghar?"));
    product.restart().await;
    let tenant = product.fast_tenant("111").await;
    (measured, proxy, tenant)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_that_arrives_after_its_repetition_changes_nothing_and_every_client_has_its_message() {
    let (measured, proxy, tenant) = start().await;
    let product = &measured.product;
    let before = proxy.caught();
    proxy.trap(INSERT, Hold::Request);
    let messages: Vec<Value> = (0..MESSAGES)
        .map(|n| json!({"to": format!("+9191111111{n:02}"), "text": "hello"}))
        .collect();
    let path = format!("/tenants/{}/send-bulk", tenant.id);
    let sending = product.call("POST", &path, Some(json!(messages)));
    let healing = async {
        // The insert, of which nobody knows whether it arrived, and its repetition. Now both arrive.
        proxy.until_caught(before + 2).await;
        proxy.release();
    };
    let ((status, answer), ()) = tokio::join!(sending, healing);
    assert_eq!(status, 207, "{answer:#}");
    let results = answer["data"].as_array().expect("a list");
    assert!(results.iter().all(|result| result["httpStatus"] == 202), "{answer:#}");
    let promised: Vec<(Tenant, String)> = results
        .iter()
        .map(|result| (tenant.clone(), text(&result["messageId"])))
        .collect();
    audit(product, &promised).await;
    assert_eq!(product.sim.journal().len() as u64, MESSAGES, "each is called for once");
    measured.until(REPEATED, MESSAGES).await;
    let list = product.get(&format!("/tenants/{}/messages?limit=200", tenant.id)).await;
    assert_eq!(list["data"].as_array().expect("a list").len() as u64, MESSAGES);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_whose_answer_is_lost_is_found_by_its_repetition() {
    let (measured, proxy, tenant) = start().await;
    let product = &measured.product;
    let inserted = measured.scrape().await.value(INSERTED);
    let before = proxy.caught();
    proxy.trap(INSERT, Hold::Reply);
    let path = format!("/tenants/{}/send", tenant.id);
    let body = json!({"to": "+919111111111", "text": "hello"});
    let sending = product.call("POST", &path, Some(body));
    let healing = async {
        proxy.until_caught(before + 1).await;
        // Nor is there an answer to the look for it.
        proxy.drop_replies();
        measured.until(INSERTED, inserted + 1).await;
        proxy.heal().await;
        // What lost bytes is of no use any more.
        proxy.cut();
    };
    let ((status, answer), ()) = tokio::join!(sending, healing);
    assert_eq!(status, 202, "{answer:#}");
    let promised = [(tenant.clone(), text(&answer["messageId"]))];
    audit(product, &promised).await;
    assert_eq!(product.sim.journal().len(), 1, "it is called for once");
    measured.until(REPEATED, 1).await;
}
