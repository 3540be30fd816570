//! The port, and the server on it from the first moment to the open store.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
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
/// The fewest connections with which a process is started: with less it would only look alive.
const CONNECTIONS_MIN: usize = 64;
/// Connections to the port for metrics, and those of one address: some scrapers, and people who look.
const METRICS_CONNECTIONS_MAX: (usize, usize) = (128, 64);
/// The time to the first byte on the port for metrics, and the time without a request. Who is silent makes room soon.
const METRICS_WAITS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));

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

/// Takes the configured port. A worker answers health checks only: it takes the address of those, if they have one, and
/// where its port is taken, by the API on the same machine, a free one.
pub(super) async fn listen(config: &Config, parts: Parts) -> anyhow::Result<TcpListener> {
    if let Some(addr) = config.server.health_addr.filter(|_| !parts.api) {
        let bound = TcpListener::bind(addr).await;
        return bound.with_context(|| format!("cannot listen on {addr} (HEALTH_ADDR)"));
    }
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
        connections_max: METRICS_CONNECTIONS_MAX.0,
        connections_per_address_max: METRICS_CONNECTIONS_MAX.1,
        header_read_timeout: METRICS_WAITS.0,
        idle_timeout: METRICS_WAITS.1,
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

/// Sets how many connections are taken: as many as are wanted, or fewer where the process may not open enough files.
/// Clients must not use up the files that the calls to Meta and the store need.
pub(super) fn limit_connections(config: HttpConfig, calls_max: usize) -> anyhow::Result<HttpConfig> {
    let wanted = config.connections_max;
    let reserved = FILES_RESERVED + calls_max;
    // A system that cannot be asked has no such limit.
    let files = rlimit::increase_nofile_limit((wanted + reserved) as u64).unwrap_or(u64::MAX);
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let left = connections_within(files, reserved);
    if left >= wanted {
        return Ok(config);
    }
    if left < CONNECTIONS_MIN {
        bail!(
            "the limit of open files (ulimit -n) is {files}, which leaves room for {left} connections; it must be {} at \
             least, and should be {}",
            CONNECTIONS_MIN * 2,
            wanted + reserved
        );
    }
    tracing::warn!(
        connections_max = left,
        files,
        "the limit of open files (ulimit -n) allows few connections"
    );
    Ok(HttpConfig {
        connections_max: left,
        // One address must leave room for others, however little there is.
        connections_per_address_max: config.connections_per_address_max.min(left / 2),
        ..config
    })
}

/// Returns how many connections so many files leave. What is kept for the rest of the process is half of them at most.
fn connections_within(files: usize, reserved: usize) -> usize {
    files - reserved.min(files / 2)
}

/// Two handles of the socket behind a listener: connections go to whichever accepts.
fn twice(listener: TcpListener) -> anyhow::Result<(TcpListener, TcpListener)> {
    let first = listener.into_std()?;
    let second = first.try_clone()?;
    Ok((TcpListener::from_std(first)?, TcpListener::from_std(second)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_are_shared_between_clients_and_the_rest() {
        let within = |files| connections_within(files, 1_024);
        assert_eq!([within(128), within(256), within(1_024)], [64, 128, 512]);
        assert_eq!([within(2_048), within(2_049), within(11_024)], [1_024, 1_025, 10_000]);
    }
}
