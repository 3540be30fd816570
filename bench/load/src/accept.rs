//! Closed loop: N connections, each sending its next message when the last one is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Connection;
use crate::histogram::Histogram;
use crate::sends::{Failures, SendArgs, Sends};

#[derive(Debug, clap::Args)]
pub(crate) struct AcceptArgs {
    #[command(flatten)]
    sends: SendArgs,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Measured time.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Time before it, which is not measured.
    #[arg(long, default_value_t = 1.0)]
    warmup_seconds: f64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PreloadArgs {
    #[command(flatten)]
    sends: SendArgs,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How many messages.
    #[arg(long)]
    count: u64,
}

#[derive(Default)]
struct Tally {
    /// Of what was sent inside the window, however late the answer came: a contender that stalls is charged for it.
    latency: Histogram,
    /// Answered inside the window, whenever it was sent.
    accepted: u64,
    /// Answered at any time.
    accepted_in_all: u64,
    failures: Failures,
}

/// When a task measures and when it stops.
#[derive(Clone, Copy)]
struct Window {
    from: Instant,
    until: Instant,
    count_max: u64,
}

/// Sends for a time.
pub(crate) async fn run(args: AcceptArgs) -> anyhow::Result<Value> {
    let from = Instant::now() + Duration::from_secs_f64(args.warmup_seconds);
    let until = from + Duration::from_secs_f64(args.seconds);
    let sends = Sends::of(&args.sends)?;
    let window = Window {
        from,
        until,
        count_max: u64::MAX,
    };
    let tally = drive(&args.sends.target.base, args.connections, &sends, window).await?;
    #[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
    let per_second = tally.accepted as f64 / args.seconds;
    Ok(json!({
        "accepted": tally.accepted,
        "acceptedInAll": tally.accepted_in_all,
        "seconds": args.seconds,
        "perSecond": per_second,
        "latencyMs": tally.latency.to_json(),
        "failures": tally.failures.to_json(),
    }))
}

/// Sends a number of messages.
pub(crate) async fn preload(args: PreloadArgs) -> anyhow::Result<Value> {
    let started = Instant::now();
    let sends = Sends::of(&args.sends)?;
    let forever = started + Duration::from_secs(24 * 60 * 60);
    let window = Window {
        from: started,
        until: forever,
        count_max: args.count,
    };
    let tally = drive(&args.sends.target.base, args.connections, &sends, window).await?;
    Ok(json!({
        "accepted": tally.accepted_in_all,
        "seconds": started.elapsed().as_secs_f64(),
        "failures": tally.failures.to_json(),
    }))
}

async fn drive(base: &str, connections: usize, sends: &Arc<Sends>, window: Window) -> anyhow::Result<Tally> {
    let mut tasks = Vec::with_capacity(connections);
    for _ in 0..connections {
        let connection = Connection::to(base)?;
        tasks.push(tokio::spawn(send_until(connection, sends.clone(), window)));
    }
    let mut all = Tally::default();
    for task in tasks {
        let tally = task.await?;
        all.latency.merge(&tally.latency);
        all.accepted += tally.accepted;
        all.accepted_in_all += tally.accepted_in_all;
        all.failures.merge(&tally.failures);
    }
    Ok(all)
}

async fn send_until(mut connection: Connection, sends: Arc<Sends>, window: Window) -> Tally {
    let mut tally = Tally::default();
    loop {
        let send = sends.next();
        let started = Instant::now();
        if started >= window.until || send.index >= window.count_max {
            return tally;
        }
        let result = sends.post(&mut connection, &send).await;
        let ended = Instant::now();
        match result {
            Ok(()) => {
                tally.accepted_in_all += 1;
                tally.accepted += u64::from(ended >= window.from && ended < window.until);
                if started >= window.from {
                    tally.latency.record(ended - started);
                }
            }
            Err(failure) => {
                tally.failures.add(failure);
                // A contender that is down must not be measured as a busy loop.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}
