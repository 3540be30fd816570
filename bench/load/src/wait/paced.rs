//! The same, open loop: messages are due at times that were fixed before the run. Posted to Graph itself, they tell what
//! the way through a contender adds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;

use super::asks::{AskArgs, Asks, Tally};
use crate::pacing::{UNDER_WAY_MAX, schedule, when_due};

/// Time to get everything ready before the first message is due.
const AHEAD: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    asks: AskArgs,
    /// Messages a second, at random distances.
    #[arg(long)]
    rate: f64,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Time before it, at the same rate, which is not measured.
    #[arg(long, default_value_t = 1.0)]
    warmup_seconds: f64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Value> {
    let asks = Asks::of(&args.asks)?;
    let measured_from = Duration::from_secs_f64(args.warmup_seconds);
    let tally: Arc<Mutex<Tally>> = Arc::default();
    let started = Instant::now() + AHEAD;
    let due = schedule(args.rate, args.warmup_seconds + args.seconds, false);
    let base = &args.asks.target.base;
    let asking = when_due(
        base,
        (started, due),
        Some(UNDER_WAY_MAX),
        |index, due, mut connection| {
            let (asks, tally) = (asks.clone(), tally.clone());
            async move {
                let outcome = asks.post(&mut connection, index).await;
                let waited = started.elapsed().saturating_sub(due);
                let is_measured = due >= measured_from;
                tally.lock().add(outcome, is_measured.then_some(waited));
                connection
            }
        },
    );
    asking.await?;
    let mut report = tally.lock().to_json();
    report["rate"] = args.rate.into();
    report["seconds"] = args.seconds.into();
    Ok(report)
}
