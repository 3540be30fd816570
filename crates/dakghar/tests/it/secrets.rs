//! Secrets stay secret: a canary token is in no log, no answer, no error, no byte of the store, and no command to Redis.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use dakghar_graph_sim::{Fault, FaultRule, InboundMessage};
use serde_json::json;

use crate::product::{ADMIN_KEY, APP_SECRET, Backend, MASTER_KEY, Product, eventually, on_both_backends, text};

on_both_backends!(a_canary_is_nowhere);

const CANARY: &str = "EAAGcanary7f3a9c51b2";
const CANARY_BODY: &str = "body-canary-55d0";
const CANARY_PHONE: &str = "919155501234";

async fn a_canary_is_nowhere(backend: Backend) {
    let mut product = Product::start(backend).await;
    let overheard = match backend {
        Backend::Embedded => None,
        Backend::Distributed | Backend::Fragile => Some(Overheard::start(&product).await),
    };
    let tenant = product.tenant("111", CANARY).await;
    product.sim.add_rule(FaultRule::first(1, Fault::graph_error(190)));
    product.sim.add_rule(FaultRule::first(1, Fault::HtmlBadGateway));
    let path = format!("/tenants/{}/send", tenant.id);
    let mut answers = String::new();
    let mut sent = String::new();
    for n in 0..3 {
        let body = json!({"to": format!("+{CANARY_PHONE}"), "text": format!("{CANARY_BODY} {n}")});
        let answer = product.post(&path, body).await;
        answers += &answer.to_string();
        sent = text(&answer["messageId"]);
    }
    product
        .sim
        .send_inbound(InboundMessage::text("111", CANARY_PHONE, CANARY_BODY))
        .expect("planned");
    product
        .until_count(&format!("/tenants/{}/messages?direction=inbound", tenant.id), 1)
        .await;
    let duplicate = json!({"name": "B", "phoneNumberId": "111", "accessToken": CANARY});
    answers += &product
        .call("POST", "/tenants/register", Some(duplicate))
        .await
        .1
        .to_string();
    let bad = json!({"name": "B", "phoneNumberId": "x", "accessToken": format!("{CANARY} with space")});
    answers += &product.call("POST", "/tenants/register", Some(bad)).await.1.to_string();
    for path in ["/tenants", "/dead-letters", "/unrouted"] {
        answers += &product.get(path).await.to_string();
    }
    answers += &product.get(&format!("/tenants/{}", tenant.id)).await.to_string();
    // A key where none belongs: it is not taken, and nobody writes it down.
    for key in [&tenant.api_key, ADMIN_KEY] {
        let path = format!("/tenants/{}?api_key={key}&access_token={key}", tenant.id);
        let asked = product.http.get(product.url(&path));
        let asked = asked
            .header("referer", product.url(&path))
            .header("user-agent", key)
            .send()
            .await;
        let answer = asked.expect("an answer");
        assert_eq!(answer.status(), 401);
        assert!(!answer.text().await.expect("text").contains(key));
    }
    product.terminate().await;

    assert!(!answers.contains(CANARY), "in an answer");
    let (log, verify_token) = (product.log(), product.setting("VERIFY_TOKEN").to_owned());
    for secret in [
        CANARY,
        CANARY_BODY,
        CANARY_PHONE,
        &tenant.api_key,
        &verify_token,
        ADMIN_KEY,
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let store = product.stored_bytes().await;
    let is_in = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(is_in(&store, CANARY_BODY), "what was read is not the store");
    for secret in [CANARY, &tenant.api_key, MASTER_KEY, APP_SECRET, ADMIN_KEY] {
        assert!(!is_in(&store, secret), "{secret} is in the store");
    }
    if let Some(overheard) = overheard {
        let commands = overheard.stop();
        assert!(
            is_in(&commands, &sent),
            "what was overheard is not what the queue was told"
        );
        for secret in [
            CANARY,
            &tenant.api_key,
            CANARY_BODY,
            CANARY_PHONE,
            MASTER_KEY,
            APP_SECRET,
            ADMIN_KEY,
        ] {
            assert!(!is_in(&commands, secret), "{secret} went to Redis");
        }
    }
}

/// Every command that a Redis server is given, by anybody, while this lives.
struct Overheard {
    client: Child,
    file: PathBuf,
}

impl Overheard {
    async fn start(product: &Product) -> Self {
        let file = product.dir.path().join("commands");
        let client = Command::new("redis-cli")
            .args(["-u", product.setting("REDIS_URL"), "MONITOR"])
            .stdin(Stdio::null())
            .stdout(File::create(&file).expect("a file"))
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-cli runs");
        let overheard = Self { client, file };
        let listens =
            eventually(async || std::fs::read(&overheard.file).is_ok_and(|bytes| bytes.starts_with(b"OK"))).await;
        assert!(listens, "redis-cli does not listen");
        overheard
    }

    /// Answers with what was heard.
    fn stop(mut self) -> Vec<u8> {
        self.client.kill().expect("redis-cli is there");
        self.client.wait().expect("redis-cli ends");
        std::fs::read(&self.file).expect("what was heard")
    }
}
