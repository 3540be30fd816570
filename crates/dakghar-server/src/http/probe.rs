//! Asks a running process about its health, as the health check of a container does.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::HOST;
use axum::http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::unverified;

/// The most bytes of an answer that are read; a real one has some hundreds.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A question about the health of a process.
#[derive(Clone, Copy, Debug)]
pub struct HealthProbe {
    /// Where the process answers health checks.
    pub addr: SocketAddr,
    /// True if it speaks TLS there.
    pub tls: bool,
    /// True to ask whether it can work, false to ask only whether it is alive.
    pub ready: bool,
    /// The longest that all of it may take.
    pub timeout: Duration,
}

/// The parts of both answers that tell why a process is not well.
#[derive(Deserialize)]
struct Told {
    status: String,
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    status: String,
}

impl HealthProbe {
    /// The URL that is asked.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.addr, self.path())
    }

    /// Asks once. An error says in one line why the process does not count as healthy.
    pub async fn ask(&self) -> Result<(), String> {
        let url = self.url();
        let Ok(asked) = tokio::time::timeout(self.timeout, self.answer()).await else {
            return Err(format!("{url} has not answered within {} ms", self.timeout.as_millis()));
        };
        let (status, body) = asked.map_err(|why| format!("{url}: {why}"))?;
        if status == StatusCode::OK {
            return Ok(());
        }
        Err(format!("{url} answers {}{}", status.as_u16(), told(&body)))
    }

    const fn path(&self) -> &'static str {
        if self.ready { "/readyz" } else { "/healthz" }
    }

    async fn answer(&self) -> Result<(StatusCode, Vec<u8>), String> {
        let connected = TcpStream::connect(self.addr).await;
        let stream = connected.map_err(|error| format!("nobody answers there ({error})"))?;
        if !self.tls {
            return self.answer_over(stream).await;
        }
        let name = ServerName::from(self.addr.ip());
        let shaken = unverified::connector().connect(name, stream).await;
        let stream = shaken.map_err(|error| format!("what answers there speaks no TLS ({error})"))?;
        self.answer_over(stream).await
    }

    async fn answer_over<S>(&self, stream: S) -> Result<(StatusCode, Vec<u8>), String>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| describe(&error))?;
        let request = Request::get(self.path())
            .header(HOST, self.addr.to_string())
            .body(Body::empty())
            .expect("a path and an address are a request");
        let asking = async move {
            let answer = sender.send_request(request).await.map_err(|error| describe(&error))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| format!("its answer cannot be read ({error})"))?;
            Ok((head.status, body.to_bytes().to_vec()))
        };
        // The connection moves the bytes, and ends when the sender is gone.
        let (answer, _) = tokio::join!(asking, connection);
        answer
    }
}

fn describe(error: &hyper::Error) -> String {
    format!("what answers there speaks no HTTP ({error})")
}

/// Returns what the answer says of itself, and nothing of one that is not ours.
fn told(body: &[u8]) -> String {
    let Ok(told) = serde_json::from_slice::<Told>(body) else {
        return String::new();
    };
    let down = told.dependencies.iter().filter(|dependency| dependency.status != "up");
    let down: Vec<&str> = down.map(|dependency| dependency.name.as_str()).collect();
    if down.is_empty() {
        format!(": {}", told.status)
    } else {
        format!(": {} (down: {})", told.status, down.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_tells_what_is_down() {
        let body = br#"{"status":"not_ready","dependencies":[{"name":"store","status":"down","problem":null},{"name":"queue","status":"up"}]}"#;
        assert_eq!(told(body), ": not_ready (down: store)");
        assert_eq!(told(br#"{"status":"stopped","version":"1"}"#), ": stopped");
        assert_eq!(told(b"<html>"), "");
    }
}
