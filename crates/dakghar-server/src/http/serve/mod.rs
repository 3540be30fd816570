//! Accepts connections, and serves each in a task of its own.
//!
//! The loop is our own because a public server needs limits that a plain loop lacks: on the number of connections, on
//! the time for the head of a request and the time without a request, and on abuse of HTTP/2. A shutdown lets requests
//! under way end, but does not wait for ever. Where TLS is spoken, its handshake is under the same limits.

mod activity;
mod addresses;
mod connection;
mod heads;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use dakghar_core::metrics::Metrics;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::HttpConfig;
use addresses::Addresses;
use connection::{Connection, Deadlines};

/// The wait after a failed accept, such as when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of the read buffer of an HTTP/1 connection; a larger head is answered with 431.
const HTTP1_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// The most bytes of all headers of an HTTP/2 request.
const HTTP2_HEADER_BYTES_MAX: u32 = 32 * 1024;
/// The most requests at a time on one HTTP/2 connection.
const HTTP2_STREAMS_MAX: u32 = 128;
/// The silence on an HTTP/2 connection after which it is pinged. It is given up if the answer takes as long again.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);

/// Serves until `shutdown`, then until the requests under way have ended or the drain timeout is over. Connections that
/// are refused are counted in `metrics`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    config: HttpConfig,
    metrics: Arc<Metrics>,
) {
    let tasks = TaskTracker::new();
    let cut = CancellationToken::new();
    let deadlines = Deadlines::of(&config);
    let slots = Arc::new(Semaphore::new(config.connections_max));
    let builder = Arc::new(builder());
    let addresses = Addresses::new(&config, metrics.clone());
    let serve = |stream, peer: SocketAddr, slot| {
        let Some(client) = addresses.connect(peer.ip()) else {
            return;
        };
        let connection = Connection {
            router: router.clone(),
            builder: Arc::clone(&builder),
            deadlines,
            shutdown: shutdown.clone(),
            cut: cut.clone(),
            client,
            slot,
            tls: config.tls.clone(),
            hsts: config.hsts.clone(),
            metrics: metrics.clone(),
        };
        tasks.spawn(connection.serve(stream));
    };
    let accept = async {
        loop {
            // Take a slot first: a connection beyond the limit waits unaccepted and costs nothing here.
            let slot = Arc::clone(&slots).acquire_owned().await.expect("never closed");
            match listener.accept().await {
                Ok((stream, peer)) => serve(stream, peer, slot),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(accept).await;
    // Closing the listener resets the connections in its backlog, so those are accepted first.
    for (stream, peer) in connected(listener) {
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            break;
        };
        serve(stream, peer, slot);
    }
    tasks.close();
    if tokio::time::timeout(config.drain_timeout, tasks.wait()).await.is_err() {
        tracing::warn!(
            connections = tasks.len(),
            "requests did not end in time; their connections are cut"
        );
        cut.cancel();
        tasks.wait().await;
    }
}

/// Returns the connections that nobody has accepted yet, without waiting for more; then closes.
fn connected(listener: TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    let listener = listener.into_std().ok();
    std::iter::from_fn(move || {
        let (stream, peer) = listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    })
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // This timeout would also end idle connections; the watch over the connection tells the two apart.
        .header_read_timeout(None)
        .max_buf_size(HTTP1_BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(HTTP2_HEADER_BYTES_MAX)
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(HTTP2_PING_INTERVAL);
    builder
}
