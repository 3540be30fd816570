//! Meta's own face, driven by clients that nobody here wrote: they run unchanged but for the address.

mod echo;
mod ids;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use dakghar_graph_sim::{Fault, FaultRule, Match, Number, Outcome, Shares, StatusPlan, Usage};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::product::{Backend, Product, Setup, Tenant, eventually, on_both_backends, text};
use crate::programs::{are_installed, root};

on_both_backends!(
    pywa_runs_unchanged,
    clients_of_npm_run_unchanged,
    what_is_answered_with_a_gateway_id_survives_kill_9,
    an_account_rests_when_a_request_that_was_passed_on_says_that_it_is_used_up,
);

const NUMBER: &str = "111";
const ACCOUNT: &str = "777";

async fn start(backend: Backend) -> (Product, Tenant) {
    let product = Setup::on(backend).statuses(StatusPlan::none()).start().await;
    let tenant = registered(&product).await;
    (product, tenant)
}

async fn registered(product: &Product) -> Tenant {
    let body = json!({"name": "Tenant A", "phoneNumberId": NUMBER, "wabaId": ACCOUNT, "accessToken": "EAAG-real"});
    let answer = product.post("/tenants/register", body).await;
    Tenant {
        id: text(&answer["tenantId"]),
        api_key: text(&answer["apiKey"]),
    }
}

/// One person is not on WhatsApp.
fn knows_not_everybody(product: &Product) {
    let unknown = Match {
        to: Some("+919222222222".into()),
        ..Match::default()
    };
    product
        .sim
        .add_rule(FaultRule::always(Fault::graph_error(131_026)).when(unknown));
}

/// Runs a program of others, and returns what it wrote.
async fn run(product: &Product, tenant: &Tenant, program: &[&str]) -> Value {
    let folder = root().join("crates/dakghar/tests/it/graph_face");
    let running = Command::new(program[0])
        .args(&program[1..])
        .current_dir(folder)
        .env("PYTHONPATH", root().join(".services/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GATEWAY", product.url(""))
        .env("API_KEY", &tenant.api_key)
        .env("PHONE_NUMBER_ID", NUMBER)
        .env("WABA_ID", ACCOUNT)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(Duration::from_secs(60), running)
        .await
        .expect("it ends")
        .expect("it runs");
    let (said, errors) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&said).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

async fn pywa_runs_unchanged(backend: Backend) {
    if !are_installed() {
        return;
    }
    let (product, tenant) = start(backend).await;
    knows_not_everybody(&product);
    let seen = run(&product, &tenant, &["python3", "pywa_client.py"]).await;
    let names = [
        "text",
        "reply",
        "buttons",
        "image",
        "image_by_id",
        "template",
        "reaction",
        "uploaded",
    ];
    for half in ["sync", "async"] {
        let seen = &seen[half];
        for name in names {
            assert!(text(&seen[name]).starts_with("wamid.HBg"), "{half}, {name}: {seen:#}");
        }
        for done in ["read", "deleted"] {
            assert_eq!(seen[done], json!(true), "{half}, {done}");
        }
        let templates = seen["templates"].as_array().expect("a list");
        assert_eq!((templates.len(), &templates[0]), (20, &json!("template_0")), "{half}");
        assert_eq!(seen["number"], json!("Simulated Business"), "{half}");
        assert_eq!(seen["profile"], json!("Books for Dhaka"), "{half}");
        assert_eq!(seen["refused"], json!(["MessageUndeliverable", 131_026]), "{half}");
        assert_eq!(seen["wrong"][1], json!(131_009), "{half}");
    }
    let together = seen["together"].as_array().expect("a list");
    let ids: BTreeSet<String> = together.iter().map(text).collect();
    assert_eq!(ids.len(), 10, "each has an answer of its own: {together:?}");
    let list = product.get(&format!("/tenants/{}/messages?limit=200", tenant.id)).await;
    let stored = list["data"].as_array().expect("a list").len();
    // A message that is refused here is not stored; one that Meta refuses is.
    assert_eq!(stored, 2 * (names.len() + 1) + ids.len(), "{list:#}");
}

async fn clients_of_npm_run_unchanged(backend: Backend) {
    if !are_installed() {
        return;
    }
    let (product, tenant) = start(backend).await;
    knows_not_everybody(&product);
    let seen = run(&product, &tenant, &["node", "clients.mjs"]).await;
    for client in ["kapso", "greatDetail"] {
        let seen = &seen[client];
        for name in ["text", "image", "imageById", "template", "interactive", "reaction"] {
            assert!(text(&seen[name]).starts_with("wamid.HBg"), "{client}, {name}: {seen:#}");
        }
        assert_eq!(seen["read"], json!(true), "{client}");
        assert_eq!(seen["refused"], json!([true, 400, 131_026]), "{client}");
    }
    let list = product.get(&format!("/tenants/{}/messages", tenant.id)).await;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2 * 7), "{list:#}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "builds a program of its own, with OpenSSL: make test-clients"]
async fn a_client_of_rust_runs_unchanged_embedded() {
    a_client_of_rust_runs_unchanged(Backend::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "builds a program of its own, with OpenSSL: make test-clients"]
async fn a_client_of_rust_runs_unchanged_distributed() {
    a_client_of_rust_runs_unchanged(Backend::Distributed).await;
}

async fn a_client_of_rust_runs_unchanged(backend: Backend) {
    let (product, tenant) = start(backend).await;
    knows_not_everybody(&product);
    let client = root().join("target/clients/debug/wacloudapi-client");
    let seen = run(&product, &tenant, &[client.to_str().expect("a path")]).await;
    for name in [
        "text",
        "reply",
        "image",
        "imageById",
        "template",
        "interactive",
        "reaction",
    ] {
        assert!(text(&seen[name]).starts_with("wamid.HBg"), "{name}: {seen:#}");
    }
    assert_eq!((&seen["read"], &seen["refused"]), (&json!(true), &json!(131_026)));
    let list = product.get(&format!("/tenants/{}/messages", tenant.id)).await;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(7 + 1), "{list:#}");
}

async fn what_is_answered_with_a_gateway_id_survives_kill_9(backend: Backend) {
    let (mut product, tenant) = start(backend).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = async |url: String, body: Value| {
        let request = client.post(url).bearer_auth(&tenant.api_key).json(&body);
        let answer = request
            .header("x-dakghar-answer", "queue")
            .send()
            .await
            .expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        text(&answer["messages"][0]["id"])
    };
    // Nothing is under way when it dies, so nothing is in doubt.
    product.post(&format!("/tenants/{}/pause", tenant.id), json!({})).await;
    let url = product.url(&format!("/v25.0/{NUMBER}/messages"));
    let hello =
        json!({"messaging_product": "whatsapp", "to": "+919111111111", "type": "text", "text": {"body": "hello"}});
    let first = send(url.clone(), hello).await;
    let reaction = json!({"messaging_product": "whatsapp", "to": "+919111111111", "type": "reaction",
        "reaction": {"message_id": first, "emoji": "👍"}});
    let second = send(url, reaction).await;
    product.restart().await;
    product.post(&format!("/tenants/{}/resume", tenant.id), json!({})).await;
    let sent = product.until_status(&tenant, &first, "sent").await;
    product.until_status(&tenant, &second, "sent").await;
    let calls = product.sim.journal();
    assert_eq!(
        calls
            .iter()
            .filter(|call| matches!(call.outcome, Outcome::Accepted { .. }))
            .count(),
        2,
        "{calls:#?}"
    );
    let reacted = calls
        .iter()
        .find(|call| call.body["type"] == "reaction")
        .expect("a call");
    assert_eq!(reacted.body["reaction"]["message_id"], sent["wamid"]);
}

async fn an_account_rests_when_a_request_that_was_passed_on_says_that_it_is_used_up(backend: Backend) {
    let (product, tenant) = start(backend).await;
    product.sim.set_number(Number {
        phone_number_id: NUMBER.into(),
        waba_id: ACCOUNT.into(),
        display_phone_number: "15550000001".into(),
    });
    let use_up = |call_count| {
        let shares = Shares {
            call_count,
            ..Shares::default()
        };
        product.sim.set_usage(Usage {
            accounts: [(ACCOUNT.to_owned(), shares)].into(),
            app: Some(Shares::default()),
        });
    };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let templates = product.url(&format!("/v25.0/{ACCOUNT}/message_templates"));
    let ask = async || {
        let request = client.get(templates.as_str()).bearer_auth(&tenant.api_key);
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        answer["error"]["code"].clone()
    };
    let usage = async || {
        let numbers = product.get(&format!("/tenants/{}/phone-numbers", tenant.id)).await;
        numbers["data"][0]["accountUsage"].clone()
    };
    use_up(7);
    assert_eq!(ask().await, Value::Null);
    let seen = usage().await;
    assert_eq!((&seen["callsPercent"], &seen["heldUntil"]), (&json!(7), &Value::Null));

    // Nearly used up: a rest of ten seconds.
    use_up(99);
    assert_eq!(ask().await, Value::Null);
    let first = product.send(&tenant, "+919111111111").await;
    let rests = async |id: &str| product.message(&tenant, id).await["waitsFor"]["reason"] == "meta_allowance";
    assert!(eventually(async || rests(&first).await).await);
    assert_eq!(product.sim.journal().len(), 0, "Meta was not called");
    use_up(7);
    product.until_status(&tenant, &first, "sent").await;
    assert_eq!(usage().await["heldUntil"], Value::Null);

    use_up(100);
    assert_eq!(ask().await, json!(80_007));
    let seen = usage().await;
    assert!(seen["heldUntil"].is_string(), "{seen}");
    let second = product.send(&tenant, "+919111111111").await;
    assert!(eventually(async || rests(&second).await).await);
    assert_eq!(product.sim.journal().len(), 1, "Meta was not called");
}
