//! A TCP proxy in front of Redis that can let connections go silent, and lead new ones elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    target_port: AtomicU16,
    /// Connections with these numbers, in the order of their acceptance, are silent: bytes are taken and dropped.
    silent_from: AtomicU64,
    silent_below: AtomicU64,
    accepted: AtomicU64,
}

impl Proxy {
    pub(super) async fn start(target_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            target_port: AtomicU16::new(target_port),
            silent_from: AtomicU64::new(0),
            silent_below: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
        });
        tokio::spawn(accept(listener, state.clone()));
        Self { address, state }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// The present connections stay open, but nothing goes through them any more, except for the first `spared`. New
    /// ones work.
    pub(super) fn silence_present_connections(&self, spared: u64) {
        self.state.silent_from.store(spared, Ordering::SeqCst);
        let accepted = self.state.accepted.load(Ordering::SeqCst);
        self.state.silent_below.store(accepted, Ordering::SeqCst);
    }

    /// New connections lead to this port; the present ones stay where they are.
    pub(super) fn lead_to(&self, port: u16) {
        self.state.target_port.store(port, Ordering::SeqCst);
    }

    pub(super) fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::SeqCst)
    }
}

impl State {
    fn is_silent(&self, number: u64) -> bool {
        (self.silent_from.load(Ordering::SeqCst)..self.silent_below.load(Ordering::SeqCst)).contains(&number)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let number = state.accepted.fetch_add(1, Ordering::SeqCst);
        let Ok(server) = TcpStream::connect(("127.0.0.1", state.target_port.load(Ordering::SeqCst))).await else {
            continue;
        };
        let (client_read, client_write) = client.into_split();
        let (server_read, server_write) = server.into_split();
        tokio::spawn(carry(client_read, server_write, number, state.clone()));
        tokio::spawn(carry(server_read, client_write, number, state.clone()));
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, number: u64, state: Arc<State>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if !state.is_silent(number) && to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    // A silent connection does not even end.
    if state.is_silent(number) {
        std::future::pending::<()>().await;
    }
}
