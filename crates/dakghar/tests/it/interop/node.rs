//! Programs on Node.js as child processes: one that uses BullMQ, and Bull Board.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use dakghar_testkit::Port;
use dakghar_testkit::servers::skip_without;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::product::{Product, eventually, text};

fn folder_of_the_tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/interop")
}

fn folder_of_bull_board() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/bull-board")
}

/// Whether Node.js is there, with the packages these tests need; says so if not, and panics in CI.
pub(super) fn node_is_installed() -> bool {
    let version = std::process::Command::new("node").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        skip_without("Node.js (node, npm)");
        return false;
    }
    let has_packages = |folder: PathBuf| folder.join("node_modules/bullmq/package.json").is_file();
    if !has_packages(folder_of_the_tests()) || !has_packages(folder_of_bull_board()) {
        skip_without("a package of npm");
        return false;
    }
    true
}

/// Dakghar's queue in the hands of Node's BullMQ.
pub(super) struct NodeQueue {
    pipes: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    _process: Child,
}

impl NodeQueue {
    pub(super) fn of(product: &Product) -> Self {
        let mut process = Command::new("node")
            .args(["queue.js", product.setting("REDIS_URL")])
            .current_dir(folder_of_the_tests())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node runs");
        let input = process.stdin.take().expect("it is a pipe");
        let output = process.stdout.take().expect("it is a pipe");
        Self {
            pipes: Mutex::new((input, BufReader::new(output).lines())),
            _process: process,
        }
    }

    /// One command of `queue.js`.
    async fn call(&self, command: &str, argument: Value) -> Value {
        let mut pipes = self.pipes.lock().await;
        let (input, output) = &mut *pipes;
        let line = format!("{}\n", json!([command, argument]));
        input.write_all(line.as_bytes()).await.expect("node reads");
        let answer = output.next_line().await.expect("node writes");
        let answer = answer.unwrap_or_else(|| panic!("node ended at {command}; its errors are above"));
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{command}: {error}: {answer}"))
    }

    /// Removes a job that is there.
    pub(super) async fn remove(&self, id: &str) {
        assert_eq!(self.call("remove", json!(id)).await, json!(true), "{id}");
    }

    pub(super) async fn add(&self, jobs: &[Value]) {
        let ids = self.call("add", json!(jobs)).await;
        assert_eq!(ids.as_array().map(Vec::len), Some(jobs.len()), "{ids}");
    }

    pub(super) async fn state(&self, id: &str) -> String {
        text(&self.call("state", json!(id)).await)
    }

    pub(super) async fn until_state(&self, id: &str, state: &str) {
        let reached = eventually(async || self.state(id).await == state).await;
        assert!(reached, "{id} is {} and not {state}", self.state(id).await);
    }

    pub(super) async fn until_counts(&self, counts: &Value) {
        let reached = eventually(async || self.call("counts", json!(null)).await == *counts).await;
        assert!(
            reached,
            "{} instead of {counts}",
            self.call("counts", json!(null)).await
        );
    }

    pub(super) async fn list(&self, state: &str) -> Vec<Value> {
        let jobs = self.call("list", json!(state)).await;
        jobs.as_array().cloned().expect("a list")
    }
}

/// The Bull Board of `deploy/`, looking at an installation's Redis.
pub(super) struct BullBoard {
    url: String,
    http: reqwest::Client,
    _process: Child,
}

impl BullBoard {
    pub(super) async fn start(product: &Product) -> Self {
        let port = Port::claim();
        let process = Command::new("node")
            .arg("server.js")
            .current_dir(folder_of_bull_board())
            .env("PORT", port.to_string())
            .env("REDIS_URL", product.setting("REDIS_URL"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node runs");
        let board = Self {
            url: format!("http://127.0.0.1:{port}"),
            http: product.http.clone(),
            _process: process,
        };
        let answers = async || {
            board
                .http
                .get(&board.url)
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
        };
        assert!(eventually(answers).await, "Bull Board does not show its page");
        board
    }

    /// The queue as its page gets it, with the jobs of one state.
    pub(super) async fn queue(&self, state: &str) -> Value {
        let url = format!(
            "{}/api/queues?activeQueue=whatsapp-send-queue&status={state}&page=1&jobsPerPage=100",
            self.url
        );
        let answer = self.http.get(&url).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let queues: Value = answer.json().await.expect("JSON");
        let queues = queues["queues"].as_array().cloned().expect("a list");
        assert_eq!(queues.len(), 1, "{queues:#?}");
        queues[0].clone()
    }
}
