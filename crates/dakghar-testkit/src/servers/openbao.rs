//! An OpenBao server for tests, in memory and without TLS.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Server;
use super::process::{Kind, Process, pid_with_argument};

/// The token that may do everything.
const ROOT_TOKEN: &str = "root";

struct OpenBaoKind;

fn listen(port: u16) -> String {
    format!("-dev-listen-address=127.0.0.1:{port}")
}

impl Kind for OpenBaoKind {
    const SERVER: Server = Server::OpenBao;

    fn arguments(&self, port: u16, _: &Path) -> Vec<String> {
        vec![
            "server".to_owned(),
            "-dev".to_owned(),
            "-dev-no-store-token".to_owned(),
            format!("-dev-root-token-id={ROOT_TOKEN}"),
            listen(port),
        ]
    }

    /// It does not tell its process id, so the process is looked for that was told to listen there.
    async fn answering_pid(port: u16) -> Option<u32> {
        let (status, _) = call(port, "GET", "sys/health", None, "").await?;
        if status != 200 {
            return None;
        }
        pid_with_argument(&listen(port))
    }
}

/// An OpenBao server of one test. It forgets everything when it is killed. Killed when dropped.
pub struct OpenBao {
    process: Process<OpenBaoKind>,
    _folder: TempDir,
}

impl OpenBao {
    /// Starts a server with a transit engine at `transit` and a key `dakghar` in it.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start() -> Self {
        let folder = TempDir::with_prefix("dakghar-openbao-").expect("the temporary folder can be written");
        let server = Self {
            process: Process::start(OpenBaoKind, folder.path(), std::process::id()).await,
            _folder: folder,
        };
        server
            .post("sys/mounts/transit", &serde_json::json!({"type": "transit"}))
            .await;
        server.post("transit/keys/dakghar", &serde_json::json!({})).await;
        server
    }

    /// The address, for `KMS`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.process.port())
    }

    /// The token that may do everything.
    pub const fn token(&self) -> &'static str {
        ROOT_TOKEN
    }

    /// Posts to a path below `/v1/`; answers the JSON, or `null`.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = call(self.process.port(), "POST", path, Some(body), ROOT_TOKEN).await;
        let (status, answer) = answer.expect("the server answers");
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap_or_default()
    }

    /// Sends a signal by its name, such as `STOP`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Kills the server.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// Calls a path below `/v1/`; answers status and body.
async fn call(port: u16, method: &str, path: &str, body: Option<&Value>, token: &str) -> Option<(u16, String)> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!(
        "{method} /v1/{path} HTTP/1.0\r\nHost: 127.0.0.1\r\nX-Vault-Token: {token}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
