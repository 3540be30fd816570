//! Webhooks as Meta posts them: signed bodies that were made before the clock started, posted as fast as N connections
//! can.

mod bodies;
pub(crate) mod timed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::bodies::{Plan, SignedBody};
use crate::client::{Connection, Proof};
use crate::graph_peer;
use crate::histogram::Histogram;
use crate::probe::{Store, StoreArgs};
use crate::sends::{Failure, Failures};
use crate::tenants::{self, TargetArgs};

const PATH: &str = "/whatsapp/webhook";
/// Tries of a webhook that is refused, 20 ms apart.
const TRIES_MAX: usize = 500;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[arg(long)]
    app_secret: String,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Inbound messages in all.
    #[arg(long)]
    messages: usize,
    /// Inbound messages that are posted first and not measured.
    #[arg(long, default_value_t = 1_000)]
    warmup_messages: usize,
    /// Events in one POST; with more than one, of many tenants.
    #[arg(long, default_value_t = 1)]
    per_post: usize,
    /// Also report `delivered` and `read` of every message this Graph peer was called for.
    #[arg(long)]
    statuses_of: Option<String>,
    /// Post every body twice.
    #[arg(long)]
    duplicates: bool,
    /// Where to look afterwards whether everything is stored, once.
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Value> {
    let tenants = tenants::load(&args.target.tenants)?;
    let calls = match &args.statuses_of {
        Some(peer) => graph_peer::read_calls(&mut Connection::to(peer)?).await?,
        None => Vec::new(),
    };
    let plan = Plan {
        tenants: &tenants,
        secret: args.app_secret.as_bytes(),
        per_post: args.per_post,
    };
    let warmup = plan.bodies(args.warmup_messages, "warmup", &[], false);
    let measured = plan.bodies(args.messages, "measured", &calls, args.duplicates);

    let mut failures = post_all(&args.target.base, args.connections, warmup).await?.failures;
    let started = Instant::now();
    let taken = post_all(&args.target.base, args.connections, measured).await?;
    let seconds = started.elapsed().as_secs_f64();
    failures.merge(&taken.failures);
    let (posts, events) = (taken.latency.count(), taken.events);

    // Inbound messages are the newest; behind them come those that statuses are about.
    let store = Store::open(&args.store).await?;
    let (messages, called) = ((args.messages + args.warmup_messages) as u64, calls.len() as u64);
    let received = count_of(&store.by_status(2 * messages).await?, "inbound.received");
    let read = store.read(messages + called).await?;
    #[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
    let (per_second, posts_per_second) = (events as f64 / seconds, posts as f64 / seconds);
    Ok(json!({
        "events": events,
        "posts": posts,
        "seconds": seconds,
        "perSecond": per_second,
        "postsPerSecond": posts_per_second,
        "latencyMs": taken.latency.to_json(),
        "failures": failures.to_json(),
        "messagesMissing": messages.saturating_sub(received),
        "messagesTwice": received.saturating_sub(messages),
        "readMissing": called.saturating_sub(read),
    }))
}

fn count_of(counts: &BTreeMap<String, u64>, status: &str) -> u64 {
    counts.get(status).copied().unwrap_or(0)
}

/// What became of bodies. Only those that were taken count.
#[derive(Default)]
struct Tally {
    latency: Histogram,
    events: usize,
    failures: Failures,
}

async fn post_all(base: &str, connections: usize, bodies: Vec<SignedBody>) -> anyhow::Result<Tally> {
    let bodies = Arc::new(bodies);
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut connection = Connection::to(base)?;
        let (bodies, next) = (bodies.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut tally = Tally::default();
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let started = Instant::now();
                if post(&mut connection, body, &mut tally.failures).await {
                    tally.latency.record(started.elapsed());
                    tally.events += body.events;
                }
            }
            tally
        }));
    }
    let mut all = Tally::default();
    for task in tasks {
        let tally = task.await?;
        all.latency.merge(&tally.latency);
        all.events += tally.events;
        all.failures.merge(&tally.failures);
    }
    Ok(all)
}

/// Posts it, and again after a failure as Meta would; whether it was taken.
async fn post(connection: &mut Connection, body: &SignedBody, failures: &mut Failures) -> bool {
    for _ in 0..TRIES_MAX {
        let failure = match connection
            .post(PATH, Proof::Signature(&body.signature), body.bytes.clone())
            .await
        {
            Ok(answer) if answer.status == 200 => return true,
            Ok(answer) => Failure::Status(answer.status),
            Err(_) => Failure::Connection,
        };
        failures.add(failure);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}
