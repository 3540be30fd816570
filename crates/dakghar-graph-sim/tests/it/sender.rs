//! The client's side: what a gateway posts to the Graph API.

use std::time::Duration;

use dakghar_graph_sim::{GraphSim, SimConfig, StatusPlan, WebhookDelivery};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::receiver::{PATIENCE, Receiver};

pub(crate) const PNID: &str = "106540352242922";
pub(crate) const SECRET: &str = "app-secret";

/// A simulator without webhooks.
pub(crate) async fn quiet() -> GraphSim {
    start(SimConfig::default()).await
}

pub(crate) async fn start(config: SimConfig) -> GraphSim {
    GraphSim::start(config).await.unwrap()
}

/// Settings for a simulator that posts statuses at once, signed, to this receiver.
pub(crate) fn prompt(receiver: &Receiver) -> SimConfig {
    SimConfig {
        app_secret: Some(SECRET.to_owned()),
        webhook_url: Some(receiver.url.clone()),
        statuses: StatusPlan::immediate(),
        delivery: WebhookDelivery {
            retry_initial_ms: 5,
            retry_max_ms: 20,
            ..WebhookDelivery::default()
        },
        ..SimConfig::default()
    }
}

pub(crate) fn text(body: &str, biz_opaque: &str) -> Value {
    json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": "+8801711000000",
        "type": "text", "text": {"body": body}, "biz_opaque_callback_data": biz_opaque})
}

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// A client that gives up early, to meet answers that never come.
pub(crate) fn hasty_client() -> Client {
    let timeout = Duration::from_secs(2);
    Client::builder().no_proxy().timeout(timeout).build().unwrap()
}

pub(crate) fn messages_url(sim: &GraphSim) -> String {
    format!("{}/v25.0/{PNID}/messages", sim.base_url())
}

pub(crate) async fn post_with(client: &Client, sim: &GraphSim, body: &Value) -> reqwest::Result<Response> {
    client
        .post(messages_url(sim))
        .bearer_auth("token")
        .json(body)
        .send()
        .await
}

/// Posts a message and gives HTTP status and JSON body.
pub(crate) async fn post(sim: &GraphSim, body: &Value) -> (u16, Value) {
    let response = post_with(&client(), sim, body).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Posts a message that must be accepted, and gives its wamid.
pub(crate) async fn accepted(sim: &GraphSim, body: &Value) -> String {
    let (status, answer) = post(sim, body).await;
    assert_eq!(status, 200, "{answer}");
    answer["messages"][0]["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn idle(sim: &GraphSim) {
    tokio::time::timeout(PATIENCE, sim.idle()).await.expect("webhooks end");
}
