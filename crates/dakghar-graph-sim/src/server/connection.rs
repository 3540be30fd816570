//! The handle by which a handler can cut the very connection its request came on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// The connection that a request came on; in the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) peer: SocketAddr,
    /// Cancelled, it ends the connection.
    pub(super) cut: CancellationToken,
    /// Whether it ends with a reset.
    pub(super) is_reset: Arc<AtomicBool>,
}

impl Connection {
    /// Resets the connection; nothing more is written to it. The caller is dropped along with it.
    pub(crate) async fn reset(&self) -> Infallible {
        self.is_reset.store(true, Ordering::Release);
        self.cut.cancel();
        std::future::pending().await
    }
}
