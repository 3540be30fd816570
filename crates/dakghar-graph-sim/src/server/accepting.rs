//! Accepts connections and serves each in its own task, with a handle by which a handler can cut it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::router::router;
use super::stream::ResettableStream;
use crate::state::State;

/// Wait after a failed accept, such as when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves until the state's `shutdown`; then every connection is dropped.
pub(crate) async fn serve(listener: TcpListener, state: Arc<State>, tasks: TaskTracker) {
    let shutdown = state.shutdown.clone();
    let router = router(Arc::clone(&state));
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = Connection {
                        id: state.stats.connections.next(),
                        peer,
                        cut: shutdown.child_token(),
                        is_reset: Arc::default(),
                    };
                    tasks.spawn(serve_one(stream, connection, router.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(accept).await;
}

async fn serve_one(stream: TcpStream, connection: Connection, router: Router) {
    // A failure only means slower small answers.
    let _ = stream.set_nodelay(true);
    let stream = ResettableStream::over(stream, Arc::clone(&connection.is_reset));
    let cut = connection.cut.clone();
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        router.call(request)
    });
    let builder = Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    if let Some(Err(error)) = cut.run_until_cancelled(serving).await {
        tracing::debug!(%error, "connection ended");
    }
}
