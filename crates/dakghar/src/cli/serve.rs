//! `dakghar serve`, `dakghar api` and `dakghar worker`.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use dakghar_server::http::{self, HttpConfig};
use dakghar_server::worker;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::output;
use crate::banner;
use crate::config::Config;
use crate::lifecycle::{DRAIN_MAX, Lifecycle};
use crate::wiring::{Purpose, Wired, wire};

/// Open files kept for the store and the queue, beside those of the calls to Meta.
const FILES_RESERVED: usize = 512;

/// Which halves this process runs.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// The HTTP API and Meta's webhook.
    pub api: bool,
    /// The send worker and the timers.
    pub worker: bool,
}

/// Runs until a signal.
pub async fn run(config: Config, parts: Parts) -> anyhow::Result<()> {
    let is_whole = parts.api && parts.worker;
    if !is_whole && !config.is_distributed() {
        bail!("separate processes need a shared store: set MONGO_URI, or use `dakghar serve`");
    }
    let lifecycle = Lifecycle::start()?;
    // The port first: a start that fails for it must not have touched the store.
    let addr = SocketAddr::new(config.bind_addr, config.port);
    let listener = if parts.api || config.is_distributed() {
        Some(listen(addr, parts).await?)
    } else {
        None
    };
    let defaults = HttpConfig::default();
    let settings = HttpConfig {
        admin_api_key: config.admin_api_key.clone(),
        production: config.is_production,
        drain_timeout: DRAIN_MAX,
        connections_max: connections_max(defaults.connections_max, config.worker_concurrency as usize),
        ..defaults
    };
    // Opening the store may take a while. Meanwhile a second handle of the same port answers health checks, and lets
    // the rest wait.
    let starting = lifecycle.stopping.child_token();
    let (opened, is_opened) = watch::channel(None);
    let listener = match listener {
        Some(listener) => {
            let (listener, meanwhile) = twice(listener)?;
            let router = http::starting_router(&settings, is_opened);
            let serving = http::serve(meanwhile, router, starting.clone(), settings.clone());
            lifecycle.tasks.spawn(serving);
            Some(listener)
        }
        None => None,
    };
    let opening = async {
        let wired = wire(&config, Purpose::Server { sends: parts.worker }).await?;
        wired.app.finish_removals().await?;
        if parts.worker && !config.is_distributed() {
            wired.app.take_over_orphans().await?;
        }
        anyhow::Ok(wired)
    };
    let Wired {
        app,
        backend,
        group_commits,
    } = tokio::select! {
        wired = opening => wired?,
        // Nothing was accepted yet, and what was begun is done again by the next start.
        () = lifecycle.stopping.cancelled() => {
            tracing::info!("stopped before the store was open");
            return Ok(());
        }
    };
    if parts.worker {
        worker::start(&app, &lifecycle.tasks, &lifecycle.stopping);
    }
    if let Some(listener) = listener {
        let addr = listener.local_addr()?;
        let router = if parts.api {
            http::router(app.clone(), settings.clone())
        } else {
            http::health_router(app.clone(), settings.clone())
        };
        if parts.api {
            output::line(&banner::text(&config, &backend, addr));
        }
        tracing::info!(%addr, backend, api = parts.api, worker = parts.worker, "ready");
        opened.send_replace(Some(router.clone()));
        // It holds the use cases, which must be gone at the end.
        drop(opened);
        starting.cancel();
        lifecycle
            .tasks
            .spawn(http::serve(listener, router, lifecycle.stopping.clone(), settings));
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let stopping = lifecycle.stopping.clone();
    let closing = app.clone();
    lifecycle.tasks.spawn(async move {
        stopping.cancelled().await;
        closing.close_queue().await;
    });
    drop(app);
    lifecycle.run_to_end(group_commits.finish()).await;
    Ok(())
}

/// As many connections as wanted, as far as the files that the process may have open suffice: clients must not use up
/// those that the calls to Meta and the store need.
fn connections_max(wanted: usize, calls_max: usize) -> usize {
    let reserved = FILES_RESERVED + calls_max;
    // Where it cannot be asked for, there is no such limit to be afraid of.
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

/// A worker answers health checks only; where its port is taken (by the API on the same machine), it takes a free one.
async fn listen(addr: SocketAddr, parts: Parts) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(addr).await {
        Ok(listener) => Ok(listener),
        Err(_) if !parts.api => Ok(TcpListener::bind(SocketAddr::new(addr.ip(), 0)).await?),
        Err(error) => Err(error).with_context(|| format!("cannot listen on {addr} (BIND_ADDR, PORT)")),
    }
}
