//! Open loop: messages are due at times that were fixed before the run, whether or not earlier ones were answered.
//! Latency counts from the time a message was due, so a contender that stalls is charged for everybody who waited.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::client::Connection;
use crate::graph_peer;
use crate::histogram::Histogram;
use crate::sends::{Failures, SendArgs, Sends, now_us};

/// Requests under way at most; what is due beyond them waits, and its latency counts on.
pub(crate) const UNDER_WAY_MAX: usize = 512;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sends: SendArgs,
    /// Messages a second.
    #[arg(long)]
    rate: f64,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Time before it, at the same rate, which is not measured.
    #[arg(long, default_value_t = 1.0)]
    warmup_seconds: f64,
    /// Equal distances instead of random ones with the same mean.
    #[arg(long)]
    even: bool,
    /// The Graph peer, to learn when calls arrived.
    #[arg(long)]
    graph: String,
    /// How long calls may still arrive after the last message was due.
    #[arg(long, default_value_t = 5.0)]
    patience_seconds: f64,
}

/// When each message is due within so many seconds, from the start of the run: at equal distances, or at random ones with
/// the same mean.
pub(crate) fn schedule(rate: f64, seconds: f64, is_even: bool) -> Vec<Duration> {
    // The same for every contender.
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let mut at = 0.0;
    let mut due = Vec::new();
    while at < seconds {
        due.push(Duration::from_secs_f64(at));
        let share: f64 = if is_even {
            1.0
        } else {
            -(1.0 - random.random::<f64>()).ln()
        };
        at += share / rate;
    }
    due
}

#[derive(Default)]
struct Tally {
    answer: Histogram,
    failures: Failures,
    /// When the accepted ones were due, by recipient.
    due_us: HashMap<u64, u64>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Value> {
    let due = schedule(args.rate, args.warmup_seconds + args.seconds, args.even);
    let last = due.last().copied().unwrap_or_default();
    let measured_from = Duration::from_secs_f64(args.warmup_seconds);
    let sends = Sends::of(&args.sends)?;
    let tally = Arc::new(Mutex::new(Tally::default()));
    let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
    let permits = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let started = Instant::now() + Duration::from_millis(50);
    let started_us = now_us() + 50_000;

    let mut ticks = ticker(started, due);
    let mut tasks = tokio::task::JoinSet::new();
    while let Some((index, due)) = ticks.recv().await {
        let permit = permits.clone().acquire_owned().await?;
        let connection = idle.lock().pop();
        let mut connection = match connection {
            Some(connection) => connection,
            None => Connection::to(&args.sends.target.base)?,
        };
        let (sends, tally, idle) = (sends.clone(), tally.clone(), idle.clone());
        tasks.spawn(async move {
            let send = sends.at(index);
            let result = sends.post(&mut connection, &send).await;
            let waited = started.elapsed().saturating_sub(due);
            idle.lock().push(connection);
            drop(permit);
            if due < measured_from {
                return;
            }
            let mut tally = tally.lock();
            match result {
                Ok(()) => {
                    tally.answer.record(waited);
                    let due_us = u64::try_from(due.as_micros()).expect("a run is short");
                    tally.due_us.insert(send.recipient, started_us + due_us);
                }
                Err(failure) => tally.failures.add(failure),
            }
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    let Tally {
        answer,
        failures,
        due_us,
    } = std::mem::take(&mut *tally.lock());
    let give_up = started + last + Duration::from_secs_f64(args.patience_seconds);
    let (arrival, repeated) = wait_for_arrivals(&args.graph, &due_us, give_up).await?;
    Ok(json!({
        "rate": args.rate,
        "seconds": args.seconds,
        "answerMs": answer.to_json(),
        "graphMs": arrival.to_json(),
        "notArrived": due_us.len() as u64 - arrival.count(),
        "repeatedCalls": repeated,
        "patienceSeconds": args.patience_seconds,
        "failures": failures.to_json(),
    }))
}

/// Tells when each message is due. A thread of its own, because its sleep is exact to some ten microseconds and that of
/// the runtime to a millisecond.
pub(crate) fn ticker(started: Instant, due: Vec<Duration>) -> mpsc::UnboundedReceiver<(u64, Duration)> {
    let (tick, ticks) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for (index, due) in due.into_iter().enumerate() {
            std::thread::sleep((started + due).saturating_duration_since(Instant::now()));
            if tick.send((index as u64, due)).is_err() {
                return;
            }
        }
    });
    ticks
}

/// How long after they were due messages arrived, and how many calls there were for messages that had arrived before.
async fn wait_for_arrivals(
    graph: &str,
    due_us: &HashMap<u64, u64>,
    give_up: Instant,
) -> anyhow::Result<(Histogram, u64)> {
    let mut connection = Connection::to(graph)?;
    loop {
        let calls = graph_peer::read_calls(&mut connection)
            .await
            .context("the Graph peer")?;
        let mut arrival = Histogram::default();
        let (mut seen, mut repeated) = (HashSet::new(), 0);
        for call in calls {
            let Some(due) = due_us.get(&call.recipient) else {
                continue;
            };
            if seen.insert(call.recipient) {
                arrival.record(Duration::from_micros(call.at_us.saturating_sub(*due)));
            } else {
                repeated += 1;
            }
        }
        if arrival.count() == due_us.len() as u64 || Instant::now() >= give_up {
            return Ok((arrival, repeated));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
