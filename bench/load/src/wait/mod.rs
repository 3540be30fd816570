//! Meta's own face, closed loop: N connections, each sending its next message when the last one is answered with the id
//! that Meta gave it.

mod asks;
pub(crate) mod paced;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Connection;
use asks::{AskArgs, Asks, Outcome, Tally};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    asks: AskArgs,
    #[arg(long, default_value_t = 128)]
    connections: usize,
    /// Measured time.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Time before it, which is not measured.
    #[arg(long, default_value_t = 1.0)]
    warmup_seconds: f64,
}

/// When a connection measures and when it stops.
#[derive(Clone, Copy)]
struct Window {
    from: Instant,
    until: Instant,
}

impl Window {
    fn has(&self, at: Instant) -> bool {
        at >= self.from && at < self.until
    }
}

/// The part of a run that one connection had.
#[derive(Default)]
struct Share {
    /// Of what was sent inside the window, however late the answer came: a contender that stalls is charged for it.
    tally: Tally,
    /// Answered with Meta's id inside the window, whenever it was sent.
    taken: u64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Value> {
    let from = Instant::now() + Duration::from_secs_f64(args.warmup_seconds);
    let until = from + Duration::from_secs_f64(args.seconds);
    let asks = Asks::of(&args.asks)?;
    let mut tasks = Vec::with_capacity(args.connections);
    for _ in 0..args.connections {
        let connection = Connection::to(&args.asks.target.base)?;
        tasks.push(tokio::spawn(ask_until(
            connection,
            asks.clone(),
            Window { from, until },
        )));
    }
    let mut all = Share::default();
    for task in tasks {
        let share = task.await?;
        all.tally.merge(&share.tally);
        all.taken += share.taken;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
    let per_second = all.taken as f64 / args.seconds;
    let mut report = all.tally.to_json();
    report["taken"] = all.taken.into();
    report["seconds"] = args.seconds.into();
    report["perSecond"] = per_second.into();
    Ok(report)
}

async fn ask_until(mut connection: Connection, asks: Arc<Asks>, window: Window) -> Share {
    let mut share = Share::default();
    loop {
        let started = Instant::now();
        if started >= window.until {
            return share;
        }
        let outcome = asks.post(&mut connection, asks.next()).await;
        let ended = Instant::now();
        share.taken += u64::from(outcome == Outcome::Taken && window.has(ended));
        let is_measured = window.has(started);
        share.tally.add(outcome, is_measured.then_some(ended - started));
        if matches!(outcome, Outcome::Failed(_)) {
            // A contender that is down must not be measured as a busy loop.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
