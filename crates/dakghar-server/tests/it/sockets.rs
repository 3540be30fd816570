//! What only shows on a real connection: broken requests, slow ones, limits, and the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use dakghar_core::metrics::{IngestGap, Metrics};
use dakghar_server::http::{HttpConfig, serve, starting_router};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::sync::CancellationToken;

use crate::harness::Service;

/// Far longer than anything here takes; only a test that fails waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    serving: JoinHandle<()>,
    /// Makes the handshake of its own client, if it speaks TLS.
    pub(crate) secure: Option<TlsConnector>,
}

/// A connection past the handshake, if there is one.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub(crate) async fn start(router: Router, config: HttpConfig) -> Server {
    start_counted(router, config, Arc::default()).await
}

pub(crate) async fn start_counted(router: Router, config: HttpConfig, metrics: Arc<Metrics>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, router, shutdown.clone(), config, metrics));
    Server {
        addr,
        shutdown,
        serving,
        secure: None,
    }
}

impl Server {
    /// Begins to stop. Returns when everything has ended.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.serving)
            .await
            .expect("in time")
            .expect("no panic");
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.expect("connected")
    }

    /// A connection on which HTTP can be spoken.
    pub(crate) async fn open(&self) -> Box<dyn Duplex> {
        let stream = self.connect().await;
        let Some(secure) = &self.secure else {
            return Box::new(stream);
        };
        let name = ServerName::try_from("localhost").expect("a name");
        Box::new(secure.connect(name, stream).await.expect("a handshake"))
    }

    /// Sends these bytes and answers everything that comes back until the server closes.
    pub(crate) async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.open().await;
        stream.write_all(bytes.as_ref()).await.expect("written");
        read_to_end(&mut stream).await
    }
}

impl Server {
    /// Sends these bytes and no more, and answers everything that comes back.
    pub(crate) async fn exchange_half(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.expect("written");
        stream.shutdown().await.expect("shut down");
        read_to_end(&mut stream).await
    }
}

pub(crate) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    // A reset after the answer is as good as an end.
    let _ = read.expect("the server closes the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until the text is there.
pub(crate) async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut bytes = [0; 4096];
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut bytes))
            .await
            .expect("in time");
        match count.expect("readable") {
            0 => panic!("closed after {text}"),
            count => text.push_str(&String::from_utf8_lossy(&bytes[..count])),
        }
    }
    text
}

#[tokio::test]
async fn requests_that_break_the_protocol_are_refused_and_never_an_error_of_ours() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let server = start(service.router.clone(), HttpConfig::default()).await;
    let send = format!(
        "POST /tenants/{}/send HTTP/1.1\r\nHost: x\r\nConnection: close\r\n",
        tenant.id
    );
    let head = "Content-Type: application/json\r\n";
    let cases: Vec<(String, &str)> = vec![
        ("GET /healthz HTTP/1.0\r\n\r\n".into(), "HTTP/1.0 200"),
        (
            "GET http://other/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".into(),
            "HTTP/1.1 200",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".into(),
            "HTTP/1.1 404",
        ),
        (
            "CONNECT a:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".into(),
            "HTTP/1.1 404",
        ),
        (
            "GET //healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".into(),
            "HTTP/1.1 404",
        ),
        ("nonsense\r\n\r\n".into(), "HTTP/1.1 400"),
        (
            format!("{send}{head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{{}}"),
            "HTTP/1.1 400",
        ),
        (
            format!("{send}{head}Transfer-Encoding: xchunked\r\n\r\n{{}}"),
            "HTTP/1.1 400",
        ),
        (format!("{send}{head}Content-Length : 2\r\n\r\n{{}}"), "HTTP/1.1 400"),
        (
            format!("{send}{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "HTTP/1.1 400",
        ),
        (
            format!("{send}{head}Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"),
            "HTTP/1.1 413",
        ),
        (
            format!(
                "GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                "x".repeat(9000)
            ),
            "HTTP/1.1 414",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\nX-Big: {}\r\n\r\n", "x".repeat(100_000)),
            "HTTP/1.1 431",
        ),
    ];
    for (bytes, expected) in cases {
        let answer = server.exchange(&bytes).await;
        let shown: String = bytes.chars().take(120).collect();
        assert!(answer.starts_with(expected), "{shown:?}: {answer:?}");
    }
    assert!(service.queue.is_empty());
}

#[tokio::test]
async fn a_body_that_stops_half_way_stores_nothing() {
    let service = Service::open();
    let tenant = service.register("Tenant A", "111111111111111").await;
    let server = start(service.router.clone(), HttpConfig::default()).await;
    let mut stream = server.connect().await;
    let head = format!(
        "POST /tenants/{}/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n",
        tenant.id
    );
    let body = r#"{"to":"+919111111111","text":"x"}"#;
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .await
        .expect("written");
    stream.shutdown().await.expect("half closed");
    let answer = read_to_end(&mut stream).await;
    assert!(!answer.contains("HTTP/1.1 2"), "{answer}");
    let list = service.get(&format!("/tenants/{}/messages", tenant.id)).await;
    assert_eq!(list.json["data"], serde_json::json!([]));
}

#[tokio::test]
async fn a_slow_head_ends_the_connection_and_a_slow_body_the_request() {
    let config = HttpConfig {
        header_read_timeout: Duration::from_millis(200),
        body_read_timeout: Duration::from_millis(200),
        ..HttpConfig::default()
    };
    let mut setup = crate::harness::Setup::default();
    setup.http = config.clone();
    let service = Service::start(setup);
    let server = start(service.router.clone(), config).await;
    let closed = server.exchange("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
    assert_eq!(closed, "");

    let head = "POST /whatsapp/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{";
    let mut stream = server.connect().await;
    stream.write_all(head.as_bytes()).await.expect("written");
    let answer = read_until(&mut stream, "in time").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn a_connection_may_be_idle_longer_than_a_head_may_take() {
    let config = HttpConfig {
        header_read_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_secs(600),
        ..HttpConfig::default()
    };
    let server = start(Service::open().router, config).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .expect("written");
        assert!(read_until(&mut stream, "\"ok\"").await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(400)).await;
    }

    let config = HttpConfig {
        header_read_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_millis(300),
        ..HttpConfig::default()
    };
    let server = start(Service::open().router, config).await;
    assert_eq!(server.exchange("").await, "");
}

#[tokio::test]
async fn an_answer_may_be_read_slowly_but_not_left_unread() {
    // More than the buffers of both ends take.
    const BODY_BYTES: usize = 32 * 1024 * 1024;
    let router = Router::new().route("/", get(|| async { vec![b'x'; BODY_BYTES] }));
    let config = HttpConfig {
        header_read_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_secs(1),
        ..HttpConfig::default()
    };
    let server = start(router, config).await;
    let ask = async || {
        let mut stream = server.connect().await;
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("written");
        stream
    };
    let (mut slow, mut unread) = (ask().await, ask().await);
    let (mut count, mut chunk) = (0, vec![0; 1024 * 1024]);
    loop {
        match slow.read(&mut chunk).await.expect("not cut") {
            0 => break,
            more => count += more,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(count > BODY_BYTES, "{count}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(read_to_end(&mut unread).await.len() < BODY_BYTES);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let config = HttpConfig {
        connections_max: 1,
        ..HttpConfig::default()
    };
    let server = start(Service::open().router, config).await;
    let mut first = server.connect().await;
    first
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("written");
    read_until(&mut first, "\"ok\"").await;
    let mut second = server.connect().await;
    second
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("written");
    let mut byte = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(200), second.read(&mut byte)).await;
    assert!(early.is_err(), "served beyond the limit");
    drop(first);
    assert!(read_until(&mut second, "\"ok\"").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_shutdown_lets_requests_end_and_takes_no_new_ones() {
    let (asked, mut is_asked) = tokio::sync::mpsc::channel::<()>(1);
    let go = CancellationToken::new();
    let release = go.clone();
    let router = Router::new().route(
        "/slow",
        get(async move || {
            asked.send(()).await.expect("the test listens");
            go.cancelled().await;
            "done"
        }),
    );
    let server = start(router, HttpConfig::default()).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("written");
    is_asked.recv().await.expect("asked");
    server.shutdown.cancel();
    assert_eq!(read_to_end(&mut idle).await, "");
    release.cancel();
    let answer = read_to_end(&mut busy).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"),
        "{answer}"
    );
    assert!(
        answer.to_ascii_lowercase().contains("connection: close"),
        "its client is told not to ask here again: {answer}"
    );
    tokio::time::timeout(PATIENCE, server.serving)
        .await
        .expect("in time")
        .expect("ended");
    assert!(TcpStream::connect(server.addr).await.is_err());
}

#[tokio::test]
async fn a_request_waits_for_the_start_and_health_checks_do_not() {
    let (opened, is_opened) = tokio::sync::watch::channel(None);
    let router = starting_router(&HttpConfig::default(), Arc::default(), is_opened);
    let server = start(router, HttpConfig::default()).await;
    let mut waiting = server.connect().await;
    waiting
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .expect("written");
    for (path, status) in [("/healthz", "HTTP/1.1 200"), ("/readyz", "HTTP/1.1 503")] {
        let answer = server.exchange(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert!(answer.starts_with(status), "{answer}");
        // Its connection ends with the start, and the client knows.
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    opened.send_replace(Some(Service::open().router));
    let answer = read_to_end(&mut waiting).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_webhook_that_gives_up_waiting_for_the_start_is_a_gap() {
    let metrics = Arc::<Metrics>::default();
    let (_opened, is_opened) = tokio::sync::watch::channel(None);
    let router = starting_router(&HttpConfig::default(), metrics.clone(), is_opened);
    let server = start(router, HttpConfig::default()).await;
    for (request, gaps) in [
        ("GET /", 0),
        ("POST /whatsapp/webhook", 1),
        ("POST /whatsapp/webhook/670843887433847", 2),
    ] {
        let mut waiting = server.connect().await;
        let head = format!("{request} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        waiting.write_all(head.as_bytes()).await.expect("written");
        // As long as a request that is known of would take.
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(waiting);
        let gap = || metrics.ingest_gaps.of(IngestGap::ClosedEarly).get();
        let counted = async {
            while gap() != gaps {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, counted).await.expect("in time");
    }
}

#[tokio::test]
async fn who_connected_before_a_shutdown_is_answered() {
    let server = start(Service::open().router, HttpConfig::default()).await;
    let mut accepted = server.connect().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Nothing waits between the two: the server cannot have accepted this one.
    let mut before_the_door = std::net::TcpStream::connect(server.addr).expect("connected");
    server.shutdown.cancel();
    let head = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    std::io::Write::write_all(&mut before_the_door, head).expect("written");
    before_the_door.set_nonblocking(true).expect("set");
    let mut before_the_door = TcpStream::from_std(before_the_door).expect("registered");
    accepted.write_all(head).await.expect("written");
    for stream in [&mut accepted, &mut before_the_door] {
        let answer = read_to_end(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
    }
    tokio::time::timeout(PATIENCE, server.serving)
        .await
        .expect("in time")
        .expect("ended");
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let router = Router::new().route("/stuck", post(std::future::pending::<()>));
    let config = HttpConfig {
        drain_timeout: Duration::from_millis(100),
        ..HttpConfig::default()
    };
    let server = start(router, config).await;
    let mut stuck = server.connect().await;
    stuck
        .write_all(b"POST /stuck HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        .await
        .expect("written");
    // The request must be under way before the shutdown.
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.shutdown.cancel();
    tokio::time::timeout(PATIENCE, server.serving)
        .await
        .expect("in time")
        .expect("ended");
    assert_eq!(read_to_end(&mut stuck).await, "");
}

#[tokio::test]
async fn http2_is_spoken_without_tls_and_says_its_limits() {
    let server = start(Service::open().router, HttpConfig::default()).await;
    let mut stream = server.connect().await;
    let empty_settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .expect("written");
    stream.write_all(&empty_settings).await.expect("written");
    let mut head = [0; 9];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await;
    read.expect("in time").expect("a frame");
    assert_eq!(head[3], 4, "not a SETTINGS frame: {head:?}");
    let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
    stream.read_exact(&mut payload).await.expect("the whole frame");
    let settings: Vec<(u16, u32)> = payload
        .chunks_exact(6)
        .map(|entry| {
            let (name, value) = entry.split_at(2);
            let value = value.try_into().expect("four bytes");
            (u16::from_be_bytes([name[0], name[1]]), u32::from_be_bytes(value))
        })
        .collect();
    // SETTINGS_MAX_CONCURRENT_STREAMS and SETTINGS_MAX_HEADER_LIST_SIZE.
    assert!(
        settings.contains(&(3, 128)) && settings.contains(&(6, 32 * 1024)),
        "{settings:?}"
    );
}

fn limited(max: usize) -> HttpConfig {
    HttpConfig {
        connections_per_address_max: max,
        ..HttpConfig::default()
    }
}

#[tokio::test]
async fn a_connection_without_a_first_byte_is_closed() {
    let config = HttpConfig {
        header_read_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_secs(600),
        ..HttpConfig::default()
    };
    let server = start(Service::open().router, config).await;
    let mut silent = server.connect().await;
    assert_eq!(read_to_end(&mut silent).await, "");
}

#[tokio::test]
async fn connections_of_one_address_beyond_its_limit_are_closed_and_others_are_served() {
    let server = start(Service::open().router, limited(2)).await;
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.expect("written");
        read_until(&mut stream, "\r\n\r\n").await;
        held.push(stream);
    }
    assert_eq!(server.exchange(request).await, "", "closed without an answer");
    let other = tokio::net::TcpSocket::new_v4().expect("a socket");
    other.bind("127.0.0.2:0".parse().expect("an address")).expect("bound");
    let mut other = other.connect(server.addr).await.expect("connected");
    other.write_all(request.as_bytes()).await.expect("written");
    assert!(read_until(&mut other, "\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    // A connection that ends makes room; the server sees the end a moment later.
    drop(held);
    let again = async {
        let closing = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        while !server.exchange(closing).await.starts_with("HTTP/1.1 200") {}
    };
    tokio::time::timeout(PATIENCE, again)
        .await
        .expect("there is room again");
}

/// Answers, and holds the request for ever where the path says so.
fn holding() -> Router {
    Router::new()
        .route("/now", get(async || "now"))
        .route("/never", get(std::future::pending::<&'static str>))
}

/// What comes back to a request that says it was forwarded for this address; `None` if nothing does yet.
async fn forwarded(server: &Server, path: &str, client: &str) -> (TcpStream, String) {
    let mut stream = server.connect().await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("written");
    let answer = if path == "/never" {
        String::new()
    } else {
        read_until(&mut stream, "\r\n\r\n").await
    };
    (stream, answer)
}

#[tokio::test]
async fn behind_a_trusted_proxy_its_clients_are_counted() {
    let mut config = limited(1);
    config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let server = start(holding(), config).await;
    let (_held, _) = forwarded(&server, "/never", "203.0.113.7").await;
    let refused = async {
        while !forwarded(&server, "/now", "1.1.1.1, 203.0.113.7")
            .await
            .1
            .starts_with("HTTP/1.1 503")
        {}
    };
    tokio::time::timeout(PATIENCE, refused)
        .await
        .expect("the client has its one request under way");
    let (_, answer) = forwarded(&server, "/now", "203.0.113.8").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "another client: {answer}");
}

#[tokio::test]
async fn what_a_stranger_says_about_its_address_is_ignored() {
    let server = start(holding(), limited(1)).await;
    let (_held, _) = forwarded(&server, "/never", "203.0.113.7").await;
    let mut stream = server.connect().await;
    let _ = stream
        .write_all(b"GET /now HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.8\r\n\r\n")
        .await;
    assert_eq!(
        read_to_end(&mut stream).await,
        "",
        "closed: the address has its one connection"
    );
}
