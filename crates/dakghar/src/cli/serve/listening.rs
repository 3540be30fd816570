//! The port, and the server on it from the first moment to the open store.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use dakghar_core::app::App;
use dakghar_core::metrics::Metrics;
use dakghar_server::http::{self, HttpConfig};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::parts::Parts;
use crate::config::{Config, MetricsAddr};
use crate::lifecycle::{DRAIN_MAX, Lifecycle};
use crate::wiring::vital;

/// Open files kept for the store and the queue, beside those of the calls to Meta.
const FILES_RESERVED: usize = 512;
/// Connections to the port for metrics: some scrapers, and people who look.
const METRICS_CONNECTIONS_MAX: usize = 32;

/// Starts the server of an open store.
type Opening = Box<dyn FnOnce(App, Parts, &Lifecycle)>;

/// A server whose store is not open yet. It answers health checks, and lets all other requests wait.
pub(super) struct StartingServer {
    addr: SocketAddr,
    opening: Opening,
}

impl StartingServer {
    /// Serves on a second handle of the listener, until the first one is served or the process stops.
    pub(super) fn start(
        listener: TcpListener,
        config: HttpConfig,
        lifecycle: &Lifecycle,
        metrics: &Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let addr = listener.local_addr()?;
        let (listener, meanwhile) = twice(listener)?;
        let starting = lifecycle.stopping.child_token();
        let (opened, is_opened) = watch::channel(None);
        let router = http::starting_router(&config, metrics.clone(), is_opened);
        let serving = http::serve(meanwhile, router, starting.clone(), config.clone(), metrics.clone());
        lifecycle.tasks.spawn(vital("the server at start", serving));
        let opening = move |app: App, parts: Parts, lifecycle: &Lifecycle| {
            let metrics = app.metrics.clone();
            let router = if parts.api {
                http::router(app, config.clone())
            } else {
                http::health_router(app, config.clone())
            };
            opened.send_replace(Some(router.clone()));
            // The channel holds the use cases, which must be gone at the end.
            drop(opened);
            starting.cancel();
            let stopping = lifecycle.stopping.clone();
            let serving = http::serve(listener, router, stopping, config, metrics);
            lifecycle.tasks.spawn(vital("the server", serving));
        };
        Ok(Self {
            addr,
            opening: Box::new(opening),
        })
    }

    /// The address that is listened on, with the port that was taken.
    pub(super) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves the halves that this process runs, to the requests that waited first.
    pub(super) fn open(self, app: App, parts: Parts, lifecycle: &Lifecycle) {
        (self.opening)(app, parts, lifecycle);
    }
}

/// Takes the configured port. A worker answers health checks only: where its port is taken, by the API on the same
/// machine, it takes a free one.
pub(super) async fn listen(config: &Config, parts: Parts) -> anyhow::Result<TcpListener> {
    let addr = SocketAddr::new(config.server.bind_addr, config.server.port);
    match TcpListener::bind(addr).await {
        Ok(listener) => Ok(listener),
        Err(_) if !parts.api => Ok(TcpListener::bind(SocketAddr::new(addr.ip(), 0)).await?),
        Err(error) => Err(error).with_context(|| format!("cannot listen on {addr} (BIND_ADDR, PORT)")),
    }
}

/// Serves metrics on a port of their own, until the process stops. Returns the address, unless they are off.
pub(super) async fn serve_metrics(
    config: &Config,
    lifecycle: &Lifecycle,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Option<SocketAddr>> {
    let bound = match config.server.metrics {
        MetricsAddr::Off => return Ok(None),
        MetricsAddr::Chosen(addr) => TcpListener::bind(addr)
            .await
            .with_context(|| format!("cannot serve metrics on {addr} (METRICS_ADDR)"))?,
        // Several processes on one machine: only the first one gets it.
        MetricsAddr::Default(addr) => match TcpListener::bind(addr).await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind(SocketAddr::new(addr.ip(), 0)).await?,
        },
    };
    let addr = bound.local_addr()?;
    let settings = HttpConfig {
        connections_max: METRICS_CONNECTIONS_MAX,
        drain_timeout: DRAIN_MAX,
        ..HttpConfig::default()
    };
    let stopping = lifecycle.stopping.clone();
    let router = http::metrics_router(metrics);
    lifecycle
        .tasks
        .spawn(http::serve(bound, router, stopping, settings, metrics.clone()));
    Ok(Some(addr))
}

/// Returns the wanted number of connections, or fewer where the process may not open enough files: clients must not
/// use up the files that the calls to Meta and the store need.
pub(super) fn connections_max(wanted: usize, calls_max: usize) -> usize {
    let reserved = FILES_RESERVED + calls_max;
    // A system that cannot be asked has no such limit.
    let files = rlimit::increase_nofile_limit((wanted + reserved) as u64).unwrap_or(u64::MAX);
    let left = usize::try_from(files)
        .unwrap_or(usize::MAX)
        .saturating_sub(reserved)
        .max(1);
    if left < wanted {
        tracing::warn!(
            connections_max = left,
            files,
            "the limit of open files (ulimit -n) allows few connections"
        );
    }
    left.min(wanted)
}

/// Two handles of the socket behind a listener: connections go to whichever accepts.
fn twice(listener: TcpListener) -> anyhow::Result<(TcpListener, TcpListener)> {
    let first = listener.into_std()?;
    let second = first.try_clone()?;
    Ok((TcpListener::from_std(first)?, TcpListener::from_std(second)?))
}
