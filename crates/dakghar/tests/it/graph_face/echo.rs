//! A bot of pywa's guide behind the gateway: webhooks through an endpoint of the format `meta`, answers through Meta's own face.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dakghar_graph_sim::{InboundMessage, Outcome, StatusPlan};
use dakghar_testkit::Port;
use serde_json::json;
use tokio::time::sleep;

use super::{NUMBER, registered};
use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};
use crate::programs::{Program, are_installed};

on_both_backends!(a_bot_answers_each_message_once_whatever_is_killed,);

const BOT: &str = "crates/dakghar/tests/it/graph_face/echo_bot.py";
const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
const VERIFY_TOKEN: &str = "token-of-the-tenant";
/// Messages to the bot, with every change and at night.
const FEW: usize = 150;
const MANY: usize = 500;
/// Calls that may be under way when the process that makes them dies.
const UNDER_WAY: usize = 15;

/// An installation and its processes.
struct Installation {
    product: Product,
    tenant: Tenant,
    /// The roles that run, oldest first.
    running: Vec<&'static str>,
    /// Who takes requests, and who makes calls: two where they are apart.
    api: &'static str,
    worker: &'static str,
    worker_port: Port,
}

impl Installation {
    /// One process on the embedded backend, and two on the distributed one, with servers of their own.
    async fn start(backend: Backend) -> Self {
        let (backend, api, worker) = match backend {
            Backend::Embedded => (backend, "serve", "serve"),
            Backend::Distributed | Backend::Fragile => (Backend::Fragile, "api", "worker"),
        };
        // What was under way when a process died is settled by its statuses, and what was not called yet by its lease.
        let setup = Setup::on(backend)
            .role(api)
            .statuses(StatusPlan::immediate())
            .env("SEND_TIMEOUT_MS", 8_000)
            .env("SEND_LEASE_MS", 10_000);
        let product = setup.start().await;
        let tenant = registered(&product).await;
        let mut installation = Self {
            product,
            tenant,
            running: vec![api],
            api,
            worker,
            worker_port: Port::claim(),
        };
        if worker != api {
            installation.run(worker).await;
        }
        installation
    }

    async fn run(&mut self, role: &'static str) {
        let is_api = role == self.api;
        let port = if is_api { &self.product.port } else { &self.worker_port };
        let number = port.number();
        self.product.spawn_on(role, number);
        self.product.ready_on(number).await;
        self.running.push(role);
    }

    /// kill -9 to all of these, and then the same again.
    async fn restart(&mut self, roles: &[&'static str]) {
        for &role in roles {
            let place = self.running.iter().position(|running| *running == role);
            let place = place.expect("it runs");
            self.product.kill_process(place).await;
            self.running.remove(place);
        }
        for &role in roles {
            self.run(role).await;
        }
    }
}

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
    the_bot_answers_each_once(backend, FEW).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "500 messages and their kills take minutes: make test-clients"]
async fn a_bot_answers_each_of_many_once_whatever_is_killed_embedded() {
    the_bot_answers_each_once(Backend::Embedded, MANY).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "500 messages and their kills take minutes: make test-clients"]
async fn a_bot_answers_each_of_many_once_whatever_is_killed_distributed() {
    the_bot_answers_each_once(Backend::Distributed, MANY).await;
}

/// The variables of the bot.
fn environment(installation: &Installation) -> Vec<(&'static str, String)> {
    vec![
        ("GATEWAY", installation.product.url("")),
        ("API_KEY", installation.tenant.api_key.clone()),
        ("PHONE_NUMBER_ID", NUMBER.to_owned()),
        ("APP_SECRET", APP_SECRET.to_owned()),
        ("VERIFY_TOKEN", VERIFY_TOKEN.to_owned()),
    ]
}

/// Sends the answers fast, and what people write to the bot.
async fn connect(installation: &Installation, bot: &Program) {
    let (product, tenant) = (&installation.product, &installation.tenant);
    let path = format!("/tenants/{}/phone-numbers/{NUMBER}", tenant.id);
    let (status, body) = product
        .call("PATCH", &path, Some(json!({"messagesPerSecond": 200})))
        .await;
    assert_eq!(status, 200, "{body}");
    let endpoint = json!({"url": bot.url(), "format": "meta", "secret": APP_SECRET, "verifyToken": VERIFY_TOKEN});
    product
        .post(&format!("/tenants/{}/endpoints", tenant.id), endpoint)
        .await;
}

async fn the_bot_answers_each_once(backend: Backend, messages: usize) {
    /// The deaths of whoever makes calls, at most.
    const DEATHS: usize = 3;
    if !are_installed() {
        return;
    }
    let mut installation = Installation::start(backend).await;
    let (api, worker, all) = (installation.api, installation.worker, installation.running.clone());
    let environment = environment(&installation);
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut bot = Program::start(BOT, &environment).await;
    connect(&installation, &bot).await;

    for n in 0..messages {
        let person = format!("+91922222{:04}", n % 50);
        let inbound = InboundMessage::text(NUMBER, &person, &format!("echo {n}"));
        assert!(installation.product.sim.send_inbound(inbound).is_ok(), "{n}");
        if !(n * 10).is_multiple_of(messages) {
            sleep(Duration::from_millis(5)).await;
            continue;
        }
        match n * 10 / messages {
            2 => installation.restart(&[api]).await,
            // pywa says 200 before it handles an update, so what it was handed and has not answered would die with it.
            3 | 7 => {
                until_settled(&installation.product, &installation.tenant, n + 1).await;
                bot.restart(&environment).await;
            }
            4 => installation.restart(&[worker]).await,
            5 | 8 => {
                if let Some((mongo, redis)) = installation.product.own_servers() {
                    redis.restart().await;
                    mongo.restart().await;
                }
            }
            6 => installation.restart(&all).await,
            _ => {}
        }
    }
    let Installation { product, tenant, .. } = &installation;
    until_settled(product, tenant, messages).await;
    let unanswered = messages - answered(product).len();
    assert!(unanswered <= DEATHS * UNDER_WAY, "{unanswered} are in doubt");
    // What is late would be a second answer.
    sleep(Duration::from_secs(3)).await;
    let twice: Vec<_> = answered(product).into_iter().filter(|(_, count)| *count > 1).collect();
    assert!(twice.is_empty(), "answered more than once: {twice:?}");
}
