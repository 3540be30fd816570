//! A Prometheus server for tests.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Server;
use super::process::{Kind, Process};

const CONFIG: &str = "prometheus.yml";
const DATA: &str = "data";

struct PrometheusKind;

impl Kind for PrometheusKind {
    const SERVER: Server = Server::Prometheus;

    fn arguments(&self, port: u16, folder: &Path) -> Vec<String> {
        let of_folder = |name: &str| folder.join(name).display().to_string();
        vec![
            format!("--config.file={}", of_folder(CONFIG)),
            format!("--storage.tsdb.path={}", of_folder(DATA)),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--enable-feature=exemplar-storage".to_owned(),
        ]
    }

    /// It does not tell its process id, but where its data are, and the id lies beside them.
    async fn answering_pid(port: u16) -> Option<u32> {
        get(port, "/-/ready").await?;
        let flags: Value = serde_json::from_str(&get(port, "/api/v1/status/flags").await?).ok()?;
        let data = Path::new(flags["data"]["storage.tsdb.path"].as_str()?);
        let pid = std::fs::read_to_string(data.with_file_name("pid")).ok()?;
        pid.parse().ok()
    }
}

/// A Prometheus server of one test that scrapes one target, every second. Killed when dropped.
pub struct Prometheus {
    process: Process<PrometheusKind>,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts a server that scrapes `/metrics` of this address.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn scraping(target: SocketAddr) -> Self {
        let folder = TempDir::with_prefix("dakghar-prometheus-").expect("the temporary folder can be written");
        let config = format!(
            "global: {{scrape_interval: 1s}}\n\
             scrape_configs: [{{job_name: dakghar, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        std::fs::write(folder.path().join(CONFIG), config).expect("the temporary folder can be written");
        Self {
            process: Process::start(PrometheusKind, folder.path(), std::process::id()).await,
            _folder: folder,
        }
    }

    /// Asks a path of its HTTP API; answers `data`, or `null`.
    pub async fn ask(&self, path: &str) -> Value {
        let answer = get(self.process.port(), path).await.unwrap_or_default();
        let mut answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        answer["data"].take()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// The body of an answer with status 200.
async fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split_whitespace().nth(1).filter(|status| *status == "200")?;
    Some(body.to_owned())
}
