//! HTTP/2 used to make the server work for nothing: each connection is ended, and others are served meanwhile.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use dakghar_server::http::HttpConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};

use crate::harness::Service;
use crate::sockets::{Duplex, Server, start};
use crate::tls::start_tls;

/// The listener that a test attacks.
#[derive(Clone, Copy)]
enum Listener {
    Plain,
    Tls,
}

impl Listener {
    async fn start(self, router: Router, config: HttpConfig) -> Server {
        match self {
            Self::Plain => start(router, config).await,
            Self::Tls => start_tls(router, config).await,
        }
    }
}

/// Attacks both listeners.
macro_rules! on_both_listeners {
    ($($name:ident),* $(,)?) => {
        mod plain {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(super::Listener::Plain).await; })*
        }
        mod tls {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(super::Listener::Tls).await; })*
        }
    };
}

on_both_listeners!(
    who_resets_each_request_at_once_is_sent_away,
    a_head_without_end_is_cut_off,
    a_head_that_unpacks_to_megabytes_is_not_answered,
    requests_beyond_the_limit_of_a_connection_are_refused,
    an_answer_that_is_given_no_window_does_not_stay_for_ever,
);

const PATIENCE: Duration = Duration::from_secs(60);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The code of a connection whose client does too much.
const ENHANCE_YOUR_CALM: u32 = 11;
const REFUSED_STREAM: u32 = 7;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The block of the headers of `GET {path}`.
fn get_block(path: &str) -> Vec<u8> {
    // By the static table: method GET, scheme http, a literal path, a literal authority.
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).expect("short")];
    block.extend(path.as_bytes());
    block.extend([0x01, 1, b'x']);
    block
}

fn get_frame(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &get_block(path))
}

/// One HTTP/2 connection, past its preface.
struct Client {
    from: ReadHalf<Box<dyn Duplex>>,
    to: WriteHalf<Box<dyn Duplex>>,
}

impl Client {
    async fn connect(server: &Server, settings: &[u8]) -> Self {
        let (from, to) = split(server.open().await);
        let mut client = Self { from, to };
        let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        preface.extend(frame(SETTINGS, 0, 0, settings));
        client.to.write_all(&preface).await.expect("written");
        client
    }

    /// The next frame; `None` at the end of the connection.
    async fn read(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.from.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.from.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((head[3], stream, payload))
    }

    /// Reads until a frame of this kind comes.
    async fn until(&mut self, kind: u8) -> (u32, Vec<u8>) {
        let reading = async {
            loop {
                let (found, stream, payload) = self.read().await.expect("a frame before the end");
                if found == kind {
                    return (stream, payload);
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("in time")
    }

    /// Writes what is made until the server has ended the connection, and answers the code that it gave. Panics if it
    /// takes more than `bytes_max`.
    async fn flood(self, bytes_max: usize, mut more: impl FnMut() -> Vec<u8>) -> Option<u32> {
        let Self { from, mut to } = self;
        let reading = tokio::spawn(async move {
            let mut client = Reader(from);
            client.until_end().await
        });
        let writing = async {
            let mut count = 0;
            while count < bytes_max {
                let bytes = more();
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
                count += bytes.len();
            }
            panic!("it took {count} bytes");
        };
        tokio::time::timeout(PATIENCE, writing).await.expect("in time");
        let code = tokio::time::timeout(PATIENCE, reading).await.expect("in time");
        code.expect("joined")
    }
}

/// The end of a connection that is read only.
struct Reader(ReadHalf<Box<dyn Duplex>>);

impl Reader {
    /// Reads to the end. Answers the code of the server's farewell, if it got here before a reset.
    async fn until_end(&mut self) -> Option<u32> {
        let mut code = None;
        let mut head = [0; 9];
        while self.0.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            if self.0.read_exact(&mut payload).await.is_err() {
                break;
            }
            if head[3] == GOAWAY {
                code = Some(u32::from_be_bytes(payload[4..8].try_into().expect("four bytes")));
            }
        }
        code
    }
}

async fn is_served(server: &Server) {
    let answer = server
        .exchange("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

async fn who_resets_each_request_at_once_is_sent_away(listener: Listener) {
    let server = listener.start(Service::open().router, HttpConfig::default()).await;
    let client = Client::connect(&server, &[]).await;
    let mut stream = 1;
    let code = client
        .flood(64 * 1024 * 1024, || {
            let mut bytes = Vec::new();
            for _ in 0..1_000 {
                bytes.extend(get_frame(stream, "/healthz"));
                bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
                stream += 2;
            }
            bytes
        })
        .await;
    assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
    is_served(&server).await;
}

async fn a_head_without_end_is_cut_off(listener: Listener) {
    let server = listener.start(Service::open().router, HttpConfig::default()).await;
    let mut client = Client::connect(&server, &[]).await;
    client
        .to
        .write_all(&frame(HEADERS, END_STREAM, 1, &get_block("/healthz")))
        .await
        .expect("written");
    // A header of a name and a value of a letter each, not to be remembered.
    let piece: Vec<u8> = [0x00, 1, b'a', 1, b'b'].repeat(3_000);
    client
        .flood(64 * 1024 * 1024, || frame(CONTINUATION, 0, 1, &piece))
        .await;
    is_served(&server).await;
}

async fn a_head_that_unpacks_to_megabytes_is_not_answered(listener: Listener) {
    let server = listener.start(Service::open().router, HttpConfig::default()).await;
    let mut client = Client::connect(&server, &[]).await;
    let mut block = get_block("/healthz");
    // A header of 4,000 bytes, remembered, and then named by one byte again and again: 60 MB.
    block.extend([0x40, 1, b'a', 0x7f, 0xa1, 0x1e]);
    block.extend([b'b'; 4_000]);
    block.extend([0xbe; 12_000]);
    client
        .to
        .write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block))
        .await
        .expect("written");
    let reading = async {
        while let Some((kind, _, payload)) = client.read().await {
            match kind {
                RST_STREAM | GOAWAY => return,
                // The status of an answer by the static table: 8 is 200, and a literal one begins with 0x48 or 0x08.
                HEADERS => {
                    assert_ne!(payload[0], 0x88, "it was answered with 200");
                    return;
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("in time");
    is_served(&server).await;
}

fn holding() -> Router {
    Router::new()
        .route("/never", get(std::future::pending::<&'static str>))
        .route("/healthz", get(async || "ok"))
        .route("/large", get(async || vec![b'x'; 4 * 1024 * 1024]))
}

async fn requests_beyond_the_limit_of_a_connection_are_refused(listener: Listener) {
    let server = listener.start(holding(), HttpConfig::default()).await;
    let mut client = Client::connect(&server, &[]).await;
    let all: Vec<u8> = (0..129).flat_map(|n| get_frame(n * 2 + 1, "/never")).collect();
    client.to.write_all(&all).await.expect("written");
    let (stream, code) = client.until(RST_STREAM).await;
    assert_eq!((stream, code), (257, REFUSED_STREAM.to_be_bytes().to_vec()));
    is_served(&server).await;
}

async fn an_answer_that_is_given_no_window_does_not_stay_for_ever(listener: Listener) {
    let config = HttpConfig {
        header_read_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_secs(1),
        ..HttpConfig::default()
    };
    let server = listener.start(holding(), config).await;
    // SETTINGS_INITIAL_WINDOW_SIZE is 0: no byte of a body may be sent.
    let mut client = Client::connect(&server, &[0, 4, 0, 0, 0, 0]).await;
    client.to.write_all(&get_frame(1, "/large")).await.expect("written");
    let (stream, _) = client.until(HEADERS).await;
    assert_eq!(stream, 1);
    let ended = async {
        while let Some((kind, _, _)) = client.read().await {
            assert!(kind != DATA && kind != WINDOW_UPDATE, "a body without a window");
        }
    };
    tokio::time::timeout(PATIENCE, ended)
        .await
        .expect("the server ends the connection");
    is_served(&server).await;
}
