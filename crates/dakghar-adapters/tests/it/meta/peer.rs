//! A Graph API made of a bare socket: it reads requests and then behaves as badly as it is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// The peer's reaction to the next request it has read, whichever connection it came on.
#[derive(Clone)]
pub(crate) enum Act {
    /// Answers and keeps the connection.
    Answer(Vec<u8>),
    /// Answers as if to keep the connection, and closes it right after.
    AnswerAndClose(Vec<u8>),
    /// Answers, and resets the connection at the first byte of whatever comes next on it.
    AnswerThenResetNext(Vec<u8>),
    /// Writes this and resets the connection.
    WriteAndReset(Vec<u8>),
    /// Says nothing and closes its side.
    Close,
    /// Says nothing and keeps the connection.
    Silence,
}

/// A request as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// The running peer; it ends when dropped.
pub(crate) struct Peer {
    pub(crate) base_url: String,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Shared {
    acts: Mutex<VecDeque<Act>>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
}

impl Peer {
    /// Starts a peer that goes through `acts`, one a request, and accepts every message after them.
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        shared.acts.lock().extend(acts);
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, shared.clone())));
        Self {
            base_url,
            shared,
            _accepting: accepting,
        }
    }

    /// Every request whose bytes arrived, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(serve(stream, shared.clone()));
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    while let Some(request) = read_request(&mut stream).await {
        shared.requests.lock().push(request);
        let act = shared
            .acts
            .lock()
            .pop_front()
            .unwrap_or_else(|| Act::Answer(accepted("wamid.default")));
        match act {
            Act::Answer(bytes) => drop(stream.write_all(&bytes).await),
            Act::AnswerAndClose(bytes) => {
                drop(stream.write_all(&bytes).await);
                return;
            }
            Act::AnswerThenResetNext(bytes) => {
                drop(stream.write_all(&bytes).await);
                drop(stream.read_u8().await);
                return reset(&stream);
            }
            Act::WriteAndReset(bytes) => {
                drop(stream.write_all(&bytes).await);
                // Let the bytes arrive; a reset throws away what is still on its way.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return reset(&stream);
            }
            Act::Close => return,
            Act::Silence => std::future::pending().await,
        }
    }
}

/// The socket is dropped right after, and closes with a reset instead of an orderly end.
fn reset(stream: &TcpStream) {
    stream.set_zero_linger().unwrap();
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_bytes = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_bytes].to_vec()).unwrap();
    let body_bytes = header(&head, "content-length").map_or(0, |length| length.parse::<usize>().unwrap());
    while bytes.len() < head_bytes + body_bytes {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    assert_eq!(bytes.len(), head_bytes + body_bytes, "requests are not pipelined");
    let body = String::from_utf8(bytes[head_bytes..].to_vec()).unwrap();
    Some(Request { head, body })
}

/// The value of a header of a request.
pub(crate) fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// An answer with these further header lines, each ending in a line break.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The answer that takes a message.
pub(crate) fn accepted(wamid: &str) -> Vec<u8> {
    let body = format!(r#"{{"messaging_product":"whatsapp","messages":[{{"id":"{wamid}"}}]}}"#);
    answer("200 OK", "content-type: application/json\r\n", &body)
}
