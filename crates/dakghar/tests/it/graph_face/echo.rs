//! A bot of pywa's guide behind the gateway: webhooks through an endpoint of the format `meta`, answers through Meta's own face.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dakghar_graph_sim::{InboundMessage, Outcome, StatusPlan};
use serde_json::json;
use tokio::time::sleep;

use super::{NUMBER, start_with};
use crate::product::{Backend, Product, Tenant, eventually, on_both_backends, text};
use crate::programs::{Program, are_installed};

on_both_backends!(a_bot_answers_each_message_once_whatever_is_killed,);

const BOT: &str = "crates/dakghar/tests/it/graph_face/echo_bot.py";
const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
const VERIFY_TOKEN: &str = "token-of-the-tenant";
const MESSAGES: usize = 500;

/// The accepted messages by their text, and how often each was accepted.
fn answered(product: &Product) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in product.sim.journal() {
        if matches!(call.outcome, Outcome::Accepted { .. }) {
            *counts.entry(text(&call.body["text"]["body"])).or_default() += 1;
        }
    }
    counts
}

/// The answers of which the gateway says that nobody knows whether Meta has them: their calls were under way when it died.
async fn in_doubt(product: &Product, tenant: &Tenant) -> BTreeSet<String> {
    let path = format!("/tenants/{}/messages?status=in_doubt&limit=200", tenant.id);
    let listed = product.get(&path).await;
    let messages = listed["data"].as_array().expect("a list").iter();
    messages.map(|message| text(&message["content"]["body"])).collect()
}

/// Waits until each of the first messages is answered, or in doubt.
async fn until_settled(product: &Product, tenant: &Tenant, count: usize) {
    let mut missing = Vec::new();
    let all = eventually(async || {
        let (answered, doubted) = (answered(product), in_doubt(product, tenant).await);
        let is_missing = |text: &String| !answered.contains_key(text) && !doubted.contains(text);
        missing = (0..count).map(|n| format!("echo {n}")).filter(is_missing).collect();
        missing.is_empty()
    })
    .await;
    assert!(all, "of {count} neither answered nor in doubt: {missing:?}");
}

async fn a_bot_answers_each_message_once_whatever_is_killed(backend: Backend) {
    if !are_installed() {
        return;
    }
    let backend = match backend {
        Backend::Distributed => Backend::Fragile,
        other => other,
    };
    // What was under way when a process died is settled by its statuses.
    let (mut product, tenant) = start_with(backend, StatusPlan::immediate()).await;
    let path = format!("/tenants/{}/phone-numbers/{NUMBER}", tenant.id);
    let (status, body) = product
        .call("PATCH", &path, Some(json!({"messagesPerSecond": 200})))
        .await;
    assert_eq!(status, 200, "{body}");
    let environment = [
        ("GATEWAY", product.url("")),
        ("API_KEY", tenant.api_key.clone()),
        ("PHONE_NUMBER_ID", NUMBER.to_owned()),
        ("APP_SECRET", APP_SECRET.to_owned()),
        ("VERIFY_TOKEN", VERIFY_TOKEN.to_owned()),
    ];
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut bot = Program::start(BOT, &environment).await;
    let endpoint = json!({"url": bot.url(), "format": "meta", "secret": APP_SECRET, "verifyToken": VERIFY_TOKEN});
    product
        .post(&format!("/tenants/{}/endpoints", tenant.id), endpoint)
        .await;

    for n in 0..MESSAGES {
        let person = format!("+91922222{:04}", n % 50);
        let wrote = product
            .sim
            .send_inbound(InboundMessage::text(NUMBER, &person, &format!("echo {n}")));
        assert!(wrote.is_ok(), "{n}");
        match n {
            100 | 300 => product.restart().await,
            // pywa says 200 before it handles an update, so what it was handed and has not answered would die with it.
            150 | 350 => {
                until_settled(&product, &tenant, n + 1).await;
                bot.restart(&environment).await;
            }
            200 | 400 => {
                if let Some((mongo, redis)) = product.own_servers() {
                    redis.restart().await;
                    mongo.restart().await;
                }
            }
            _ => sleep(Duration::from_millis(5)).await,
        }
    }
    until_settled(&product, &tenant, MESSAGES).await;
    // So many calls may be under way when it dies, and it died twice.
    let unanswered = MESSAGES - answered(&product).len();
    assert!(unanswered <= MESSAGES / 10, "{unanswered} are in doubt");
    // What is late would be a second answer.
    sleep(Duration::from_secs(3)).await;
    let twice: Vec<_> = answered(&product).into_iter().filter(|(_, count)| *count > 1).collect();
    assert!(twice.is_empty(), "answered more than once: {twice:?}");
}
