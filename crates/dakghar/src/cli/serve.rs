//! `dakghar serve`, `dakghar api` and `dakghar worker`: open, serve, drain.

mod listening;
mod parts;

pub use parts::Parts;

use anyhow::bail;
use dakghar_core::app::App;
use dakghar_server::http::HttpConfig;
use dakghar_server::worker;

use super::output;
use crate::banner;
use crate::config::Config;
use crate::lifecycle::{DRAIN_MAX, Lifecycle};
use crate::wiring::{GroupCommits, Purpose, Wired, wire};
use listening::{StartingServer, connections_max, listen};

/// A process that has its port and its store, and serves nobody yet.
struct Opened {
    server: StartingServer,
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
    let Some(opened) = open(&config, parts, &lifecycle).await? else {
        tracing::info!("stopped before the store was open");
        return Ok(());
    };
    let serving = serve(&config, parts, &lifecycle, opened);
    drain(lifecycle, serving).await;
    Ok(())
}

/// Takes the port and opens the store. Returns `None` when a signal came first.
async fn open(config: &Config, parts: Parts, lifecycle: &Lifecycle) -> anyhow::Result<Option<Opened>> {
    // The port comes first: a start that fails for it must not have touched the store.
    let listener = listen(config, parts).await?;
    let server = StartingServer::start(listener, http_config(config), lifecycle)?;
    tokio::select! {
        wired = open_store(config, parts) => Ok(Some(Opened { server, wired: wired? })),
        // Nothing was accepted yet, and the next start repeats the work that was begun.
        () = lifecycle.stopping.cancelled() => Ok(None),
    }
}

/// Opens the store and the queue, and finishes work that an earlier process has left undone.
async fn open_store(config: &Config, parts: Parts) -> anyhow::Result<Wired> {
    let wired = wire(config, Purpose::Server { sends: parts.worker }).await?;
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
        connections_per_address_max: config.server.connections_per_address_max,
        ..defaults
    }
}

/// Starts the halves, and says that they are ready.
fn serve(config: &Config, parts: Parts, lifecycle: &Lifecycle, opened: Opened) -> Serving {
    let Opened { server, wired } = opened;
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
        output::line(&banner::text(config, &backend, addr));
    }
    tracing::info!(%addr, backend, api = parts.api, worker = parts.worker, "ready");
    server.open(app.clone(), parts, lifecycle);
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
