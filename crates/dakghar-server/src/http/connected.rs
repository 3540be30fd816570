//! The connection that a request came over, for answers that take long.

use std::any::Any;
use std::sync::Arc;

use axum::http::Extensions;
use tokio_util::sync::CancellationToken;

/// The connection of a request; an extension of the request.
#[derive(Clone)]
pub(super) struct Connected {
    shutdown: CancellationToken,
    begin: Arc<dyn Fn() -> UnderWay + Send + Sync>,
}

/// Something is under way on the connection until this is dropped.
pub(super) struct UnderWay(#[expect(dead_code, reason = "dropping it is its use")] Box<dyn Any + Send>);

impl Connected {
    /// `begin` returns what says that something is under way, for as long as it lives.
    pub(super) fn new<T: Send + 'static>(
        shutdown: CancellationToken,
        begin: impl Fn() -> T + Send + Sync + 'static,
    ) -> Self {
        Self {
            shutdown,
            begin: Arc::new(move || UnderWay(Box::new(begin()))),
        }
    }

    /// Returns the connection of a request. One that came over none, as in a test, is never shut down.
    pub(super) fn of(extensions: &Extensions) -> Self {
        let known = extensions.get::<Self>().cloned();
        known.unwrap_or_else(|| Self::new(CancellationToken::new(), || ()))
    }

    /// Waits until the process stops: what is under way must end now.
    pub(super) async fn shut_down(&self) {
        self.shutdown.cancelled().await;
    }

    /// Says that the silence of the connection means nothing for now. Without it, a connection of which the client takes
    /// nothing for a while is cut.
    pub(super) fn begin(&self) -> UnderWay {
        (self.begin)()
    }
}
