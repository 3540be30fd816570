//! A server for tests that answers as AWS does, in memory: moto.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Server;
use super::process::{Kind, Process, pid_with_argument};

const REGION: &str = "eu-central-1";

struct MotoKind;

fn listen(port: u16) -> String {
    format!("--port={port}")
}

impl Kind for MotoKind {
    const SERVER: Server = Server::Moto;

    fn arguments(&self, port: u16, _: &Path) -> Vec<String> {
        vec!["--host=127.0.0.1".to_owned(), listen(port)]
    }

    async fn answering_pid(port: u16) -> Option<u32> {
        call(port, "GET /moto-api/", "", "").await?;
        pid_with_argument(&listen(port))
    }
}

/// A server of one test. It forgets everything when it is killed. Killed when dropped.
pub struct Moto {
    process: Process<MotoKind>,
    _folder: TempDir,
}

impl Moto {
    /// Starts a server.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start() -> Self {
        let folder = TempDir::with_prefix("dakghar-moto-").expect("the temporary folder can be written");
        Self {
            process: Process::start(MotoKind, folder.path(), std::process::id()).await,
            _folder: folder,
        }
    }

    /// The port on this machine.
    pub const fn port(&self) -> u16 {
        self.process.port()
    }

    /// Makes a key of KMS that encrypts, and returns its ARN.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn new_key(&self) -> String {
        let headers = format!(
            "X-Amz-Target: TrentService.CreateKey\r\nContent-Type: application/x-amz-json-1.1\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=it/20260101/{REGION}/kms/aws4_request, SignedHeaders=host, \
             Signature=0\r\n"
        );
        let answer = call(self.port(), "POST /", &headers, &json!({}).to_string()).await;
        let answer: Value = serde_json::from_str(&answer.expect("an answer")).expect("JSON");
        let arn = answer["KeyMetadata"]["Arn"].as_str();
        arn.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// The body of an answer with status 200.
async fn call(port: u16, what: &str, headers: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!(
        "{what} HTTP/1.0\r\nHost: kms.{REGION}.amazonaws.com\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split_whitespace().nth(1).filter(|status| *status == "200")?;
    Some(body.to_owned())
}
