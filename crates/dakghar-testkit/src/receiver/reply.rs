//! What a receiver answers, from polite to hostile.

use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// The answer to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Writes these bytes and keeps the connection.
    Bytes(Vec<u8>),
    /// Writes these bytes and closes the connection.
    BytesThenClose(Vec<u8>),
    /// Writes these bytes, and then the others again and again for as long as somebody reads.
    Endless(Vec<u8>, Vec<u8>),
    /// Writes these bytes one by one, with this time between them.
    Slow(Vec<u8>, Duration),
    /// Writes nothing and keeps the connection.
    Silence,
    /// Writes nothing and closes the connection.
    Close,
}

impl Reply {
    /// A whole answer of this status without a body.
    pub fn status(status: u16) -> Self {
        Self::answer(status, "", b"")
    }

    /// A whole answer, with header lines that each end in CR LF.
    pub fn answer(status: u16, headers: &str, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len()
        );
        Self::Bytes([head.as_bytes(), body].concat())
    }

    /// What a receiver answers to a request with this head when it was told nothing.
    pub(super) fn by_itself(head: &str) -> Self {
        let challenge = head
            .lines()
            .next()
            .and_then(|line| line.split_once("hub.challenge=").map(|(_, rest)| rest));
        let end = |char: char| char == '&' || char == ' ';
        let challenge = challenge.and_then(|rest| rest.split(end).next()).unwrap_or_default();
        Self::answer(200, "", challenge.as_bytes())
    }

    /// Sends to another place.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::answer(status, &format!("location: {location}\r\n"), b"")
    }

    /// A body that ends in years.
    pub fn endless_body(status: u16) -> Self {
        let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: 1000000000000000000\r\n\r\n");
        Self::Endless(head.into_bytes(), vec![b'x'; 64 * 1024])
    }

    /// Ten megabytes of zeros as a few kilobytes.
    pub fn gzip_bomb(status: u16) -> Self {
        let packed = Command::new("sh")
            .args(["-c", "head -c 10000000 /dev/zero | gzip -9"])
            .stdin(Stdio::null())
            .output()
            .expect("a shell can be started");
        Self::answer(status, "content-encoding: gzip\r\n", &packed.stdout)
    }

    /// So many header lines.
    pub fn many_headers(count: usize) -> Self {
        let lines: Vec<_> = (0..count).map(|number| format!("x-{number}: y\r\n")).collect();
        Self::answer(200, &lines.concat(), b"")
    }

    /// One header of so many bytes.
    pub fn large_header(bytes: usize) -> Self {
        Self::answer(200, &format!("x-large: {}\r\n", "y".repeat(bytes)), b"")
    }

    /// Dies in the middle of a body.
    pub fn broken_off(status: u16) -> Self {
        let text = format!("HTTP/1.1 {status} Said\r\ncontent-length: 100\r\n\r\nhalf");
        Self::BytesThenClose(text.into_bytes())
    }

    /// Returns whether the connection is kept.
    pub(super) async fn write(self, stream: &mut (impl AsyncWrite + Unpin)) -> bool {
        match self {
            Self::Bytes(bytes) => stream.write_all(&bytes).await.is_ok() && stream.flush().await.is_ok(),
            Self::BytesThenClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                false
            }
            Self::Endless(bytes, again) => {
                let mut written = stream.write_all(&bytes).await;
                while written.is_ok() {
                    written = stream.write_all(&again).await;
                }
                false
            }
            Self::Slow(bytes, wait) => {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() || stream.flush().await.is_err() {
                        return false;
                    }
                    tokio::time::sleep(wait).await;
                }
                true
            }
            Self::Silence => std::future::pending().await,
            Self::Close => false,
        }
    }
}
