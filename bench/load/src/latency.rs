//! Open loop: messages are due at times that were fixed before the run, whether or not earlier ones were answered.
//! Latency counts from the time a message was due, so a contender that stalls is charged for everybody who waited.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::client::Connection;
use crate::graph_peer;
use crate::histogram::Histogram;
use crate::pacing::{UNDER_WAY_MAX, schedule, when_due};
use crate::sends::{Failures, SendArgs, Sends, now_us};

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
    let started = Instant::now() + Duration::from_millis(50);
    let started_us = now_us() + 50_000;
    let base = &args.sends.target.base;
    let sending = when_due(
        base,
        (started, due),
        Some(UNDER_WAY_MAX),
        |index, due, mut connection| {
            let (sends, tally) = (sends.clone(), tally.clone());
            async move {
                let send = sends.at(index);
                let result = sends.post(&mut connection, &send).await;
                let waited = started.elapsed().saturating_sub(due);
                if due >= measured_from {
                    let mut tally = tally.lock();
                    match result {
                        Ok(()) => {
                            tally.answer.record(waited);
                            let due_us = u64::try_from(due.as_micros()).expect("a run is short");
                            tally.due_us.insert(send.recipient, started_us + due_us);
                        }
                        Err(failure) => tally.failures.add(failure),
                    }
                }
                connection
            }
        },
    );
    sending.await?;
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
