//! The signatures of callbacks, as they arrive at a receiver, in the hands of the public libraries.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dakghar_adapters::callbacks::{CallbackConfig, HttpReceivers, SystemLookup};
use dakghar_core::domain::callback_url::CallbackRules;
use dakghar_core::domain::signatures::{HUB_SIGNATURE, StandardSecret, hub_signature, standard_headers};
use dakghar_core::domain::{Secret, Timestamp};
use dakghar_core::ports::{CallbackCall, Clock as _, Receivers as _};
use dakghar_testkit::WallClock;
use dakghar_testkit::receiver::{ReceivedRequest, Receiver};
use dakghar_testkit::servers::skip_without;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a program that gets callbacks and says whether each secret verifies them.
async fn verdicts(program: &str, script: &str, callbacks: &Value) -> Vec<Value> {
    let mut child = Command::new(program)
        .arg(script)
        .current_dir(root().join("crates/dakghar/tests/it/interop"))
        .env("PYTHONPATH", root().join(".services/python"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(callbacks.to_string().as_bytes()).await.unwrap();
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{program} {script}; its errors are above");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Calls a receiver with both signatures, and returns what arrived there.
async fn arrived(at: Timestamp, body: &[u8], secrets: &[&Secret]) -> ReceivedRequest {
    let receiver = Receiver::start([]).await;
    let rules = CallbackRules {
        allows_http: true,
        allows_loopback: true,
        ..CallbackRules::default()
    };
    let url = rules.parse(&receiver.url()).unwrap();
    let config = CallbackConfig {
        rules,
        authorities_pem: None,
    };
    let receivers = HttpReceivers::new(config, Arc::new(SystemLookup::new()), Arc::new(WallClock)).unwrap();
    let keys: Vec<_> = secrets
        .iter()
        .map(|secret| StandardSecret::parse(secret).unwrap())
        .collect();
    let hub = (HUB_SIGNATURE, hub_signature(body, &Secret::new(APP_SECRET)));
    let headers = standard_headers("evt_2b", at, body, &keys).into_iter().chain([hub]);
    let call = CallbackCall {
        url,
        headers: headers
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .collect(),
        body: body.to_vec(),
        timeout: Duration::from_secs(15),
    };
    let answer = receivers.post(call).await;
    assert!(answer.is_success(), "{answer:?}");
    receiver.requests().remove(0)
}

/// As the programs read it; they ask for the secrets in this order.
fn callback(request: &ReceivedRequest, body: &[u8], secrets: &[&Secret]) -> Value {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature", HUB_SIGNATURE];
    let headers: Value = names
        .iter()
        .map(|name| (*name, request.header(name).unwrap()))
        .collect();
    json!({
        "headers": headers,
        "body": STANDARD.encode(body),
        "secrets": secrets.iter().map(|secret| secret.reveal()).collect::<Vec<_>>(),
        "appSecret": APP_SECRET,
    })
}

#[tokio::test]
async fn the_public_libraries_verify_our_signatures() {
    let has_packages = root().join(".services/python/standardwebhooks").is_dir()
        && root()
            .join("crates/dakghar/tests/it/interop/node_modules/standardwebhooks")
            .is_dir();
    if !has_packages {
        return skip_without("a library of the Standard Webhooks specification");
    }
    let [old, new, other] = [1, 2, 3].map(|byte| StandardSecret::text_of(&[byte; 32]));
    let all = [&old, &new, &other];
    let now = WallClock.wall();
    // A body that a parser would write in another way.
    let body = "{ \"name\":\"caf\\u00e9 \u{995}\", \"n\":1.0e2,\"n\":1 }\n".as_bytes();
    let spelled = "{\"name\":\"caf\u{e9} \u{995}\",\"n\":1}".as_bytes();
    let one = arrived(now, body, &[&new]).await;
    let both = arrived(now, body, &[&new, &old]).await;
    let late = arrived(Timestamp::from_millis(now.as_millis() - 600_000), body, &[&new]).await;
    assert_eq!(one.body, body);
    let callbacks = json!([
        callback(&one, &one.body, &all),
        callback(&both, &both.body, &all),
        callback(&one, spelled, &all),
        callback(&late, &late.body, &all),
    ]);
    let expected = [
        json!([false, true, false, true]),
        json!([true, true, false, true]),
        json!([false, false, false, false]),
        // Receivers take no callback of ten minutes ago, so each attempt has a time of its own.
        json!([false, false, false, true]),
    ];
    for (program, script) in [("node", "verify.js"), ("python3", "verify.py")] {
        assert_eq!(verdicts(program, script, &callbacks).await, expected, "{script}");
    }
}
