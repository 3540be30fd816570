//! An endpoint of the format `meta` is told of messages by the ids that their client was answered with.

use std::collections::BTreeSet;

use dakghar_graph_sim::{InboundMessage, StatusPlan};
use dakghar_testkit::receiver::Receiver;
use serde_json::{Value, json};

use super::{NUMBER, registered};
use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};

on_both_backends!(an_endpoint_is_told_of_messages_by_the_ids_that_their_client_knows,);

const PERSON: &str = "+919111111111";

/// The id that a message is answered with.
async fn send(product: &Product, tenant: &Tenant, wanted: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({"messaging_product": "whatsapp", "to": PERSON, "type": "text", "text": {"body": wanted}});
    let request = client.post(product.url(&format!("/v25.0/{NUMBER}/messages")));
    let request = request.bearer_auth(&tenant.api_key).json(&body);
    let answer = request.header("x-dakghar-answer", wanted).send().await;
    let answer: Value = answer.expect("an answer").json().await.expect("JSON");
    text(&answer["messages"][0]["id"])
}

/// What stands there in the elements that were posted.
fn found(receiver: &Receiver, path: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for request in receiver.requests() {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        for entry in body["entry"].as_array().expect("a list") {
            found.extend(entry["changes"][0]["value"].pointer(path).map(text));
        }
    }
    found
}

async fn an_endpoint_is_told_of_messages_by_the_ids_that_their_client_knows(backend: Backend) {
    let mut product = Setup::on(backend).statuses(StatusPlan::immediate()).start().await;
    let tenant = registered(&product).await;
    let receiver = Receiver::start([]).await;
    let endpoint = json!({"url": receiver.url(), "format": "meta", "perSecond": 1_000});
    product
        .post(&format!("/tenants/{}/endpoints", tenant.id), endpoint)
        .await;
    let queued = send(&product, &tenant, "queue").await;
    let waited = send(&product, &tenant, "wait").await;
    assert!(
        queued.starts_with("wamid.dakghar.") && waited.starts_with("wamid.HBg"),
        "{queued} {waited}"
    );
    let wamid = text(&product.until_status(&tenant, &queued, "read").await["wamid"]);
    // How a client was answered outlives the process.
    product.restart().await;
    let quote = |id: &str| json!({"type": "text", "text": {"body": "yes"}, "context": {"from": "1555", "id": id}});
    let reaction = json!({"type": "reaction", "reaction": {"message_id": wamid, "emoji": "👍"}});
    for message in [quote(&wamid), quote(&waited), reaction] {
        let wrote = product.sim.send_inbound(InboundMessage::of(NUMBER, PERSON, message));
        assert!(wrote.is_ok());
    }

    let [statuses, quotes, reactions] = [
        "/statuses/0/id",
        "/messages/0/context/id",
        "/messages/0/reaction/message_id",
    ];
    let counts = || [statuses, quotes, reactions].map(|path| found(&receiver, path).len());
    let came = eventually(async || counts() == [2, 2, 1]).await;
    assert!(came, "{:?}: {:#?}", counts(), receiver.requests().len());
    let both = BTreeSet::from([queued.clone(), waited]);
    assert_eq!(found(&receiver, statuses), both);
    assert_eq!(found(&receiver, quotes), both);
    assert_eq!(found(&receiver, reactions), BTreeSet::from([queued]));
}
