//! The receiver of a tenant on a real socket, with TLS or without: it reads requests and then behaves as badly as it is
//! told.

mod authority;
mod checking;
mod reply;

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

pub use authority::{Authority, Flaw};
pub use checking::{hub_signature, standard_signature};
pub use reply::Reply;

/// A request as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRequest {
    /// Request line and headers.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl ReceivedRequest {
    /// The value of a header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// What came to a receiver so far.
#[derive(Clone, Debug, Default)]
struct Seen {
    connections: usize,
    /// Connections on which TLS was not agreed on.
    refused: usize,
    /// Bytes that were read, after TLS.
    bytes: usize,
    requests: Vec<ReceivedRequest>,
}

/// A running receiver; it ends when dropped.
pub struct Receiver {
    port: u16,
    seen: Arc<watch::Sender<Seen>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    accepting: AbortHandle,
}

impl Receiver {
    /// Starts a receiver that goes through `replies`, one a request, and answers 200 after them; Meta's challenge
    /// as Meta wants it.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_with(replies, None).await
    }

    /// The same over TLS.
    pub async fn start_tls(replies: impl IntoIterator<Item = Reply>, tls: TlsAcceptor) -> Self {
        Self::start_with(replies, Some(tls)).await
    }

    async fn start_with(replies: impl IntoIterator<Item = Reply>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let peer = Peer {
            replies: Arc::new(Mutex::new(replies.into_iter().collect())),
            seen: Arc::new(watch::Sender::default()),
            tls,
        };
        let (seen, replies) = (peer.seen.clone(), peer.replies.clone());
        let accepting = tokio::spawn(accept(listener, peer)).abort_handle();
        Self {
            port,
            seen,
            replies,
            accepting,
        }
    }

    /// Answers 200 to what comes from now on.
    pub fn recover(&self) {
        self.replies.lock().clear();
    }

    /// Its port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its URL without TLS.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Every request that was read to its end, in order.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.seen.borrow().requests.clone()
    }

    /// Connections that were taken.
    pub fn connections(&self) -> usize {
        self.seen.borrow().connections
    }

    /// Connections on which TLS was not agreed on.
    pub fn refused(&self) -> usize {
        self.seen.borrow().refused
    }

    /// Bytes of requests that were read, after TLS.
    pub fn bytes(&self) -> usize {
        self.seen.borrow().bytes
    }

    /// Waits until so many requests were read.
    pub async fn until_requests(&self, count: usize) {
        let mut seen = self.seen.subscribe();
        let reached = seen.wait_for(|seen| seen.requests.len() >= count).await;
        reached.expect("the receiver is there");
    }

    /// Waits until so many connections ended without TLS.
    pub async fn until_refused(&self, count: usize) {
        let mut seen = self.seen.subscribe();
        let reached = seen.wait_for(|seen| seen.refused >= count).await;
        reached.expect("the receiver is there");
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[derive(Clone)]
struct Peer {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<watch::Sender<Seen>>,
    tls: Option<TlsAcceptor>,
}

async fn accept(listener: TcpListener, peer: Peer) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        peer.seen.send_modify(|seen| seen.connections += 1);
        connections.spawn(peer.clone().take(stream));
    }
}

impl Peer {
    async fn take(self, stream: TcpStream) {
        let Some(tls) = self.tls.clone() else {
            return self.serve(stream).await;
        };
        match tls.accept(stream).await {
            Ok(stream) => self.serve(stream).await,
            Err(_) => self.seen.send_modify(|seen| seen.refused += 1),
        }
    }

    async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        while let Some(request) = self.read(&mut stream).await {
            let reply = Reply::by_itself(&request.head);
            self.seen.send_modify(|seen| seen.requests.push(request));
            let reply = self.replies.lock().pop_front().unwrap_or(reply);
            if !reply.write(&mut stream).await {
                return;
            }
        }
    }

    async fn read(&self, stream: &mut (impl AsyncRead + Unpin)) -> Option<ReceivedRequest> {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more(stream, &mut bytes).await?;
        };
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let mut request = ReceivedRequest { head, body: Vec::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok());
        let end = head_end + length.unwrap_or(0_usize);
        while bytes.len() < end {
            self.more(stream, &mut bytes).await?;
        }
        request.body = bytes[head_end..end].to_vec();
        Some(request)
    }

    async fn more(&self, stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> Option<()> {
        let count = stream.read_buf(bytes).await.ok()?;
        self.seen.send_modify(|seen| seen.bytes += count);
        (count > 0).then_some(())
    }
}
