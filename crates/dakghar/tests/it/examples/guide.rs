//! The guide for tenants' developers: its programs are those of the examples, its commands work, what it shows is what
//! arrives.

use std::process::{Command, Output, Stdio};

use dakghar_graph_sim::InboundMessage;
use dakghar_testkit::Port;
use dakghar_testkit::receiver::{ReceivedRequest, Receiver, standard_signature};
use serde_json::{Value, json};

use crate::product::{Backend, Product, Setup, eventually, on_both_backends, text};
use crate::programs::{are_installed, root};

on_both_backends!(
    the_commands_of_the_guide_work_and_its_callback_is_as_shown,
    the_shell_verifies_a_callback_and_reads_the_feed,
    the_two_commands_of_the_readme_show_callbacks,
);

/// The blocks of code of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1);
    parts
        .map(|part| part.split("```").next().expect("it ends").to_owned())
        .collect()
}

fn guide() -> String {
    std::fs::read_to_string(root().join("docs/receiving-callbacks.md")).unwrap()
}

#[test]
fn the_programs_of_the_guide_are_those_of_the_examples() {
    let guide = guide();
    for (language, folder) in [("python", "python"), ("js", "nodejs")] {
        let folder = root().join("examples/receivers").join(folder);
        let files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
            .collect();
        let blocks = blocks(&guide, language);
        assert!(blocks.len() > 1, "{language}");
        for block in blocks {
            assert!(files.iter().any(|file| file.contains(&block)), "{block}");
        }
    }
    let known = ["sh", "json", "python", "js"].map(|language| blocks(&guide, language).len());
    assert_eq!(
        guide.matches("```").count(),
        2 * known.iter().sum::<usize>(),
        "another language"
    );
}

/// Every field of what is shown is one of what came, with a value of the same kind.
fn is_shown(shown: &Value, came: &Value) -> bool {
    match (shown, came) {
        (Value::Object(shown), Value::Object(came)) => shown
            .iter()
            .all(|(name, value)| came.get(name).is_some_and(|came| is_shown(value, came))),
        (shown, came) => std::mem::discriminant(shown) == std::mem::discriminant(came),
    }
}

/// As a shell runs it in the folder of the repository; what it leaves running ends with `dir`.
async fn shell(script: String, environment: Vec<(&'static str, String)>) -> Output {
    let run = move || {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", &script]).current_dir(root());
        command
            .envs(environment)
            .stdin(Stdio::null())
            .output()
            .expect("bash runs")
    };
    tokio::task::spawn_blocking(run).await.expect("joined")
}

async fn start(backend: Backend) -> (Product, String) {
    let product = Setup::on(backend).env("ADMIN_API_KEY", "").start().await;
    let tenant = product.tenant("111111111111111", "EAAG-a").await;
    (product, tenant.id)
}

async fn the_commands_of_the_guide_work_and_its_callback_is_as_shown(backend: Backend) {
    if !are_installed() {
        return;
    }
    let (product, tenant_id) = start(backend).await;
    let hi = InboundMessage::text("111111111111111", "+919111111111", "hi");
    product.sim.send_inbound(hi).unwrap();
    product.sim.idle().await;
    let dir = tempfile::tempdir().unwrap();
    let listening = Port::claim();
    let file = |name: &str| dir.path().join(name).display().to_string();
    // One shell for all of them, as one pastes them; the receiver goes on behind them until the test has what it printed.
    let commands: Vec<String> = blocks(&guide(), "sh")
        .into_iter()
        .map(|block| match block.trim_end() {
            server if server.ends_with("receiver.py") => format!(
                "{server} >{0} & receiver=$!\ntrap 'kill $receiver' EXIT\nuntil grep -q ': hi' {0}; do sleep 0.1; done",
                file("printed")
            ),
            command => command.to_owned(),
        })
        .collect();
    let script = commands
        .join("\n")
        .replace("localhost:3000", &format!("127.0.0.1:{}", product.port))
        .replace("localhost:8080", &format!("127.0.0.1:{listening}"))
        .replace("endpoint.json", &file("endpoint.json"))
        .replace("curl -s", "curl -fsS");
    let environment = vec![
        ("TENANT_ID", tenant_id.clone()),
        ("PORT", listening.to_string()),
        ("DATA_FILE", file("callbacks")),
        ("PYTHONPATH", root().join(".services/python").display().to_string()),
    ];
    let output = shell(script, environment).await;
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{out}\n{err}");
    let printed = std::fs::read_to_string(file("printed")).unwrap();
    assert_eq!(printed.matches("message.received").count(), 1, "{printed}");
    assert!(
        out.contains(r#""state":"paused""#) && out.contains(r#""state":"active""#),
        "{out}"
    );
    assert!(
        out.contains(r#""format":"meta""#) && out.contains(r#""nextCursor""#),
        "{out}"
    );
    assert!(out.contains(r#""isExact""#), "what a replay would bring: {out}");
    let endpoints = product.get(&format!("/tenants/{tenant_id}/endpoints")).await;
    let secrets = endpoints["data"][0]["secrets"].as_array().map(Vec::len);
    assert_eq!(secrets, Some(2), "{endpoints}");

    let came = callback(&product, &tenant_id).await.1;
    let shown: Value = serde_json::from_str(&blocks(&guide(), "json")[0]).unwrap();
    let came: Value = serde_json::from_slice(&came.body).unwrap();
    assert!(is_shown(&shown, &came), "{came:#}");
}

async fn the_two_commands_of_the_readme_show_callbacks(backend: Backend) {
    if !are_installed() {
        return;
    }
    let readme = |name: &str| {
        let text = std::fs::read_to_string(root().join(name)).unwrap();
        let blocks = blocks(&text, "sh").into_iter();
        blocks
            .filter(|block| block.contains("make receiver"))
            .collect::<Vec<_>>()
    };
    let commands = readme("README.md");
    assert_eq!(commands.len(), 1);
    assert_eq!(readme("README.bn.md"), commands);
    let (product, tenant_id) = start(backend).await;
    let hi = InboundMessage::text("111111111111111", "+919111111111", "hi");
    product.sim.send_inbound(hi).unwrap();
    product.sim.idle().await;
    let dir = tempfile::tempdir().unwrap();
    let listening = Port::claim();
    let file = |name: &str| dir.path().join(name).display().to_string();
    let commands = commands[0]
        .replace("localhost:3000", &format!("127.0.0.1:{}", product.port))
        .replace("localhost:8080", &format!("127.0.0.1:{listening}"));
    // What they start is ended as a whole.
    let script = format!(
        "set -m\n{} >{1} & receiver=$!\ntrap 'kill -- -$receiver' EXIT\nuntil grep -q ': hi' {1}; do sleep 0.1; done",
        commands.trim_end(),
        file("printed")
    );
    let environment = vec![
        ("TENANT_ID", tenant_id),
        ("PORT", listening.to_string()),
        ("DATA_FILE", file("callbacks")),
    ];
    let output = shell(script, environment).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What comes to a receiver of its own; with its secret.
async fn callback(product: &Product, tenant_id: &str) -> (String, ReceivedRequest) {
    let receiver = Receiver::start([]).await;
    let body = json!({"url": receiver.url(), "kinds": ["message.received"]});
    let made = product.post(&format!("/tenants/{tenant_id}/endpoints"), body).await;
    let wrote = InboundMessage::text("111111111111111", "+919111111111", "\u{995} \u{1F600}");
    product.sim.send_inbound(wrote).unwrap();
    receiver.until_requests(1).await;
    (text(&made["secret"]), receiver.requests().remove(0))
}

async fn the_shell_verifies_a_callback_and_reads_the_feed(backend: Backend) {
    let (product, tenant_id) = start(backend).await;
    let (secret, request) = callback(&product, &tenant_id).await;
    let dir = tempfile::tempdir().unwrap();
    let body = dir.path().join("body");
    let id = request.header("webhook-id").unwrap();
    let verify = async |secret: &str, bytes: &[u8], timestamp: &str, signature: &str| {
        std::fs::write(&body, bytes).unwrap();
        let script = format!(
            "examples/receivers/curl/verify.sh '{secret}' '{id}' '{timestamp}' 'v1,b3RoZXI= {signature}' <{}",
            body.display()
        );
        shell(script, Vec::new()).await.status.success()
    };
    let [timestamp, signature] = ["webhook-timestamp", "webhook-signature"].map(|name| request.header(name).unwrap());
    let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let written_again = format!("{:#}", serde_json::from_slice::<Value>(&request.body).unwrap());
    let of_old = standard_signature(&secret, id, "1760000000", &request.body);
    assert!(verify(&secret, &request.body, timestamp, signature).await);
    assert!(!verify(other, &request.body, timestamp, signature).await);
    assert!(!verify(&secret, written_again.as_bytes(), timestamp, signature).await);
    assert!(!verify(&secret, &request.body, "1760000000", &of_old).await);

    // What it has read it does not read again, though it was killed.
    let environment = |file: &str| {
        let place = dir.path().join(file).display().to_string();
        let [url, tenant_id] = [product.url(""), tenant_id.clone()];
        vec![("DAKGHAR_URL", url), ("TENANT_ID", tenant_id), ("PLACE_FILE", place)]
    };
    let feed = "timeout 5 examples/receivers/curl/feed.sh || true".to_owned();
    let read = async || {
        let output = shell(feed.clone(), environment("place")).await;
        String::from_utf8(output.stdout)
            .unwrap()
            .matches("message.received")
            .count()
    };
    assert_eq!(read().await, 1);
    let more = InboundMessage::text("111111111111111", "+919111111111", "more");
    product.sim.send_inbound(more).unwrap();
    let mut counts = Vec::new();
    let came = eventually(async || {
        counts.push(read().await);
        counts.iter().sum::<usize>() > 0
    });
    assert!(came.await);
    assert_eq!(read().await, 0);
    assert_eq!(counts.last(), Some(&1), "{counts:?}");
}
