//! `dakghar serve`, `dakghar api` and `dakghar worker`: open, serve, drain.

mod aside;
mod left_undone;
mod listening;
mod parts;

pub use parts::{Half, Parts};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use dakghar_core::app::App;
use dakghar_core::metrics::Metrics;
use dakghar_server::http::{self, Asides, CallbackViews, HttpConfig, Tls, keep_listening, watch_failures};
use dakghar_server::worker::{self, Work};
use tokio::time::sleep;

use super::{hold, output};
use crate::banner;
use crate::config::Config;
use crate::https::Https;
use crate::lifecycle::{DRAIN_MAX, Lifecycle};
use crate::wiring::{GroupCommits, Purpose, Wired, process_metrics, vital, wire};
use left_undone::{finish_removals, mend_endpoints, replay_spooled, take_over_orphans};
use listening::{StartingServer, limit_connections, listen, serve_metrics};

/// The time between two looks at whether the store has stopped for good.
const STORE_LOOK: Duration = Duration::from_secs(1);

/// A process that has its port and its store, and serves nobody yet.
struct Opened {
    server: StartingServer,
    asides: Asides,
    metrics_addr: Option<SocketAddr>,
    wired: Wired,
}

/// A process that takes work. Both values are needed to end it well.
struct Serving {
    app: App,
    group_commits: GroupCommits,
}

/// How to start.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Hold all sending of the installation, and tell what would be sent
    ///
    /// For a backup that was restored: nothing is sent until `dakghar release`, also not by another process or after a
    /// restart without this option. Messages are accepted and webhooks received as ever.
    #[arg(long)]
    hold: bool,
}

/// How to start a worker.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct WorkerArgs {
    /// Do only one half of the work
    ///
    /// Sending and callbacks then scale and fail apart from each other. Some process must do the other half: without
    /// `send` messages wait, and without `callbacks` entries of feeds get no places, so that neither readers of feeds nor
    /// endpoints get them (`dakghar_feed_unplaced_age_seconds` grows).
    #[arg(long, value_enum, value_name = "HALF")]
    pub only: Option<Half>,
    #[command(flatten)]
    pub args: Args,
}

/// Runs until a signal.
pub async fn run(config: Config, parts: Parts, args: Args) -> anyhow::Result<()> {
    if !parts.is_whole() && !config.is_distributed() {
        bail!("separate processes need a shared store: set MONGO_URI, or use `dakghar serve`");
    }
    let lifecycle = Lifecycle::start()?;
    let metrics = process_metrics(config.server.metrics_tenants);
    let opening = Box::pin(open(&config, parts, &lifecycle, &metrics));
    let Some(opened) = opening.await? else {
        tracing::info!("stopped before the store was open");
        return Ok(());
    };
    hold::at_start(&opened.wired.app, args.hold).await?;
    let serving = serve(&config, parts, &lifecycle, opened);
    drain(&lifecycle, serving).await;
    match lifecycle.failure() {
        Some(why) => bail!("this process cannot go on: {why}"),
        None => Ok(()),
    }
}

/// Takes the port and opens the store. Returns `None` when a signal came first.
async fn open(
    config: &Config,
    parts: Parts,
    lifecycle: &Lifecycle,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Option<Opened>> {
    // These come first: a start that fails for them must not have touched the store.
    let https = read_certificate(config, parts, metrics).await?;
    let http_config = http_config(config, parts, https.as_ref().map(Https::tls))?;
    let listener = listen(config, parts).await?;
    let asides = aside::start(config, parts, listener.local_addr()?.port(), lifecycle, metrics).await?;
    let metrics_addr = serve_metrics(config, lifecycle, metrics).await?;
    let server = StartingServer::start(listener, http_config, lifecycle, metrics)?;
    if let Some(https) = https {
        let watching = lifecycle.stopping.clone().run_until_cancelled_owned(https.watch());
        lifecycle.tasks.spawn(vital("the look at the certificate", watching));
    }
    tokio::select! {
        wired = wire(config, Purpose::Server { sends: parts.sends() }, metrics.clone()) => {
            Ok(Some(Opened { server, asides, metrics_addr, wired: wired? }))
        }
        // Nothing was accepted yet, and the next start repeats the work that was begun.
        () = lifecycle.stopping.cancelled() => Ok(None),
    }
}

/// Reads the certificate if the main listener speaks HTTPS. That of a worker does not where health checks have an address,
/// because it then answers nothing else.
async fn read_certificate(config: &Config, parts: Parts, metrics: &Arc<Metrics>) -> anyhow::Result<Option<Https>> {
    let is_plain = !parts.api && config.server.health_addr.is_some();
    match config.https.files.clone().filter(|_| !is_plain) {
        Some(files) => Ok(Some(Https::load(files, metrics.clone()).await?)),
        None => Ok(None),
    }
}

fn http_config(config: &Config, parts: Parts, tls: Option<Tls>) -> anyhow::Result<HttpConfig> {
    let hsts_seconds = config.https.hsts_seconds;
    let wanted = HttpConfig {
        admin_api_key: config.server.admin_api_key.clone(),
        production: config.server.is_production,
        drain_timeout: DRAIN_MAX,
        trusted_proxies: config.server.trusted_proxies.clone(),
        wrong_keys_per_minute_max: config.server.wrong_keys_per_minute_max,
        live_readers_max: config.server.feed_readers_max,
        live_readers_per_tenant_max: config.server.feed_readers_per_tenant_max,
        connections_per_address_max: config.server.connections_per_address_max,
        graph_answer: config.server.graph_answer,
        graph_wait: config.server.graph_wait,
        tls,
        hsts: (hsts_seconds > 0).then(|| http::max_age(hsts_seconds)),
        health_apart: aside::health_addr(config, parts).is_some(),
        ..HttpConfig::default()
    };
    let others = config.sending.worker_concurrency as usize + aside::files_max(config);
    limit_connections(wanted, others)
}

/// Starts the halves, and says that they are ready.
fn serve(config: &Config, parts: Parts, lifecycle: &Lifecycle, opened: Opened) -> Serving {
    let Opened {
        server,
        asides,
        metrics_addr,
        wired,
    } = opened;
    let Wired {
        app,
        backend,
        group_commits,
        ..
    } = wired;
    start_tasks(config, parts, lifecycle, &app);
    let addr = server.addr();
    if parts.api {
        output::line(&banner::text(config, &backend, addr, metrics_addr));
    }
    let metrics = metrics_addr.map(tracing::field::display);
    tracing::info!(%addr, metrics, backend, api = parts.api, sends = parts.sends(), delivers = parts.delivers(), "ready");
    server.open(app.clone(), parts, lifecycle);
    asides.open(app.clone());
    if parts.api {
        let (listening, stopping) = (app.listening.clone(), lifecycle.stopping.clone());
        let keeping = keep_listening(listening, stopping);
        lifecycle.tasks.spawn(vital("the sign of listening", keeping));
    }
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    Serving { app, group_commits }
}

/// Starts what runs as long as the process does.
fn start_tasks(config: &Config, parts: Parts, lifecycle: &Lifecycle, app: &App) {
    if let Some(what) = parts.worker {
        let is_alone = !config.is_distributed();
        let work = work(what, app.clone(), is_alone, lifecycle.clone());
        lifecycle.tasks.spawn(vital("the worker", work));
    }
    let start = Starting(lifecycle);
    if parts.sends() {
        start.task("the replay of Meta's answers", replay_spooled(app.sending.clone()));
    }
    start.task("the removal of tenants", finish_removals(app.tenants.clone()));
    start.task("the look at endpoints", mend_endpoints(app.endpoints.clone()));
    start.task("the watch over feeds", worker::watch_feeds(app.sequencing.clone()));
    start.task("the measure of the queue", worker::measure_queue(app.health.clone()));
    start.task("the look at key services", worker::watch_keys(app.health.clone()));
    start.task("the news of feeds", worker::watch_news(app.watching.clone()));
    start.task("the look for outcomes", worker::watch_outcomes(app.outcomes.clone()));
    let withdrawing = app.accepting.withdrawing().clone();
    start.task("the taking back of messages", worker::watch_withdrawals(withdrawing));
    let failures = watch_failures(app.health.failed_requests().clone());
    start.task("the watch over requests that failed", failures);
    let watch = watch_store(app.clone(), lifecycle.clone());
    lifecycle.tasks.spawn(vital("the watch over the store", watch));
}

/// Starts tasks that end when the process is to stop.
struct Starting<'a>(&'a Lifecycle);

impl Starting<'_> {
    fn task(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let Lifecycle { tasks, stopping, .. } = self.0;
        tasks.spawn(vital(name, stopping.clone().run_until_cancelled_owned(work)));
    }
}

/// Sends, once everything is taken over that an earlier process was sending.
async fn work(what: Work, app: App, is_alone: bool, lifecycle: Lifecycle) {
    let Lifecycle { tasks, stopping, .. } = lifecycle;
    if is_alone {
        let taken_over = stopping
            .run_until_cancelled(take_over_orphans(app.reconciling.clone()))
            .await;
        if taken_over.is_none() {
            return;
        }
    }
    Box::pin(worker::run(what, app, Arc::new(CallbackViews), tasks, stopping)).await;
}

/// Ends the process when its store has stopped for good.
async fn watch_store(app: App, lifecycle: Lifecycle) {
    let look = async {
        loop {
            if let Some(why) = app.health.stopped() {
                return why;
            }
            sleep(STORE_LOOK).await;
        }
    };
    if let Some(why) = lifecycle.stopping.run_until_cancelled(look).await {
        lifecycle.fail(why);
    }
}

/// Waits for a signal, and then for everything that is under way.
async fn drain(lifecycle: &Lifecycle, serving: Serving) {
    let Serving { app, group_commits } = serving;
    let stopping = lifecycle.stopping.clone();
    lifecycle.tasks.spawn(async move {
        stopping.cancelled().await;
        app.close_queue().await;
    });
    lifecycle.run_to_end(group_commits.finish()).await;
}
