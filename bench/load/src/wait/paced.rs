//! The same, open loop: messages are due at times that were fixed before the run. Posted to Graph itself, they tell what
//! the way through a contender adds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::asks::{AskArgs, Asks, Tally};
use crate::client::Connection;
use crate::latency::{UNDER_WAY_MAX, schedule, ticker};

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
    let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
    let permits = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let started = Instant::now() + AHEAD;
    let mut ticks = ticker(started, schedule(args.rate, args.warmup_seconds + args.seconds, false));
    let mut tasks = tokio::task::JoinSet::new();
    while let Some((index, due)) = ticks.recv().await {
        let permit = permits.clone().acquire_owned().await?;
        let connection = idle.lock().pop();
        let mut connection = match connection {
            Some(connection) => connection,
            None => Connection::to(&args.asks.target.base)?,
        };
        let (asks, tally, idle) = (asks.clone(), tally.clone(), idle.clone());
        tasks.spawn(async move {
            let outcome = asks.post(&mut connection, index).await;
            let waited = started.elapsed().saturating_sub(due);
            idle.lock().push(connection);
            drop(permit);
            let is_measured = due >= measured_from;
            tally.lock().add(outcome, is_measured.then_some(waited));
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    let mut report = tally.lock().to_json();
    report["rate"] = args.rate.into();
    report["seconds"] = args.seconds.into();
    Ok(report)
}
