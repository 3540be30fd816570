//! Programs of others as child processes: receivers of callbacks in Python and on Node.js.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use dakghar_testkit::Port;
use dakghar_testkit::servers::skip_without;
use parking_lot::Mutex;

use crate::product::eventually;

/// The folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The interpreters of what is started here are there, with the packages; says so if not, and panics in CI.
pub fn are_installed() -> bool {
    let runs = |program: &str| {
        let version = Command::new(program).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let packages = [
        ".services/python/standardwebhooks",
        ".services/python/pywa",
        "crates/dakghar/tests/it/graph_face/node_modules/@kapso",
        "examples/receivers/nodejs/node_modules/standardwebhooks",
    ];
    let missing = packages.iter().find(|package| !root().join(package).is_dir());
    if !runs("python3") || !runs("node") {
        skip_without("python3 or node");
        return false;
    }
    if let Some(missing) = missing {
        skip_without(missing);
    }
    missing.is_none()
}

/// A program that listens on the port in its variable `PORT` and writes lines. It is killed when dropped.
pub struct Program {
    port: Port,
    script: &'static str,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Program {
    /// Starts a script of the repository and waits until somebody listens on its port.
    pub async fn start(script: &'static str, environment: &[(&str, &str)]) -> Self {
        let port = Port::claim();
        let lines = Arc::default();
        let program = Self {
            child: spawn(script, &port, environment, &lines),
            port,
            script,
            lines,
        };
        program.ready().await;
        program
    }

    /// kill -9, and the same again on its port.
    pub async fn restart(&mut self, environment: &[(&str, &str)]) {
        self.kill();
        self.child = spawn(self.script, &self.port, environment, &self.lines);
        self.ready().await;
    }

    async fn ready(&self) {
        let listens = async || {
            tokio::net::TcpStream::connect(("127.0.0.1", self.port.number()))
                .await
                .is_ok()
        };
        assert!(eventually(listens).await, "{} does not listen", self.script);
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What it has written so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }

    /// How many lines hold this text.
    pub fn count(&self, part: &str) -> usize {
        self.lines.lock().iter().filter(|line| line.contains(part)).count()
    }

    /// Waits until a line holds this text.
    pub async fn until(&self, part: &str) {
        let came = eventually(async || self.count(part) > 0).await;
        assert!(came, "no line with {part}: {:#?}", self.lines());
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(script: &str, port: &Port, environment: &[(&str, &str)], lines: &Arc<Mutex<Vec<String>>>) -> Child {
    let path = root().join(script);
    let is_python = path.extension().is_some_and(|extension| extension == "py");
    let mut child = Command::new(if is_python { "python3" } else { "node" })
        .arg(&path)
        .env("PORT", port.to_string())
        .env("PYTHONPATH", root().join(".services/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let written = lines.clone();
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            written.lock().push(line);
        }
    });
    child
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
