//! `dakghar serve`, `dakghar api` and `dakghar worker`: open, serve, drain.

mod listening;
mod parts;

pub use parts::Parts;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::bail;
use dakghar_core::app::App;
use dakghar_core::metrics::Metrics;
use dakghar_server::http::{HttpConfig, keep_listening};
use dakghar_server::worker;

use super::output;
use crate::banner;
use crate::config::Config;
use crate::lifecycle::{DRAIN_MAX, Lifecycle};
use crate::wiring::{GroupCommits, Purpose, Wired, process_metrics, wire};
use listening::{StartingServer, connections_max, listen, serve_metrics};

/// A process that has its port and its store, and serves nobody yet.
struct Opened {
    server: StartingServer,
    metrics_addr: Option<SocketAddr>,
    wired: Wired,
}

/// A process that takes work. Both values are needed to end it well.
struct Serving {
    app: App,
    group_commits: GroupCommits,
}

/// Runs until a signal.
pub async fn run(config: Config, parts: Parts) -> anyhow::Result<()> {
    if !parts.is_whole() && !config.is_distributed() {
        bail!("separate processes need a shared store: set MONGO_URI, or use `dakghar serve`");
    }
    let lifecycle = Lifecycle::start()?;
    let metrics = process_metrics();
    let opening = Box::pin(open(&config, parts, &lifecycle, &metrics));
    let Some(opened) = opening.await? else {
        tracing::info!("stopped before the store was open");
        return Ok(());
    };
    let serving = serve(&config, parts, &lifecycle, opened);
    drain(lifecycle, serving).await;
    Ok(())
}

/// Takes the port and opens the store. Returns `None` when a signal came first.
async fn open(
    config: &Config,
    parts: Parts,
    lifecycle: &Lifecycle,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Option<Opened>> {
    // The ports come first: a start that fails for them must not have touched the store.
    let listener = listen(config, parts).await?;
    let metrics_addr = serve_metrics(config, lifecycle, metrics).await?;
    let server = StartingServer::start(listener, http_config(config), lifecycle, metrics)?;
    tokio::select! {
        wired = open_store(config, parts, metrics) => Ok(Some(Opened { server, metrics_addr, wired: wired? })),
        // Nothing was accepted yet, and the next start repeats the work that was begun.
        () = lifecycle.stopping.cancelled() => Ok(None),
    }
}

/// Opens the store and the queue, and finishes work that an earlier process has left undone.
async fn open_store(config: &Config, parts: Parts, metrics: &Arc<Metrics>) -> anyhow::Result<Wired> {
    let wired = wire(config, Purpose::Server { sends: parts.worker }, metrics.clone()).await?;
    wired.app.tenants.finish_removals().await?;
    if parts.worker && !config.is_distributed() {
        wired.app.reconciling.take_over_orphans().await?;
    }
    Ok(wired)
}

fn http_config(config: &Config) -> HttpConfig {
    let defaults = HttpConfig::default();
    HttpConfig {
        admin_api_key: config.server.admin_api_key.clone(),
        production: config.server.is_production,
        drain_timeout: DRAIN_MAX,
        connections_max: connections_max(defaults.connections_max, config.sending.worker_concurrency as usize),
        trusted_proxies: config.server.trusted_proxies.clone(),
        wrong_keys_per_minute_max: config.server.wrong_keys_per_minute_max,
        connections_per_address_max: config.server.connections_per_address_max,
        ..defaults
    }
}

/// Starts the halves, and says that they are ready.
fn serve(config: &Config, parts: Parts, lifecycle: &Lifecycle, opened: Opened) -> Serving {
    let Opened {
        server,
        metrics_addr,
        wired,
    } = opened;
    let Wired {
        app,
        backend,
        group_commits,
        ..
    } = wired;
    if parts.worker {
        worker::start(&app, &lifecycle.tasks, &lifecycle.stopping);
    }
    let addr = server.addr();
    if parts.api {
        output::line(&banner::text(config, &backend, addr, metrics_addr));
    }
    let metrics = metrics_addr.map(tracing::field::display);
    tracing::info!(%addr, metrics, backend, api = parts.api, worker = parts.worker, "ready");
    server.open(app.clone(), parts, lifecycle);
    if parts.api {
        let (listening, stopping) = (app.listening.clone(), lifecycle.stopping.clone());
        lifecycle.tasks.spawn(keep_listening(listening, stopping));
    }
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    Serving { app, group_commits }
}

/// Waits for a signal, and then for everything that is under way.
async fn drain(lifecycle: Lifecycle, serving: Serving) {
    let Serving { app, group_commits } = serving;
    let stopping = lifecycle.stopping.clone();
    lifecycle.tasks.spawn(async move {
        stopping.cancelled().await;
        app.close_queue().await;
    });
    lifecycle.run_to_end(group_commits.finish()).await;
}
