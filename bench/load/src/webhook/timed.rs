//! Open loop: webhooks of one message each, due at times that were fixed before the run. Each message tells when it was
//! due, so that whoever gets it in the end knows how long it took.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::PATH;
use super::bodies::timed_body;
use crate::client::{Connection, Proof};
use crate::histogram::Histogram;
use crate::latency::ticker;
use crate::sends::{Failure, Failures, now_us};
use crate::tenants::{self, TargetArgs};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[arg(long)]
    app_secret: String,
    /// Webhooks a second, at equal distances.
    #[arg(long)]
    rate: f64,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Only the first so many tenants get messages.
    #[arg(long)]
    tenants_used: Option<usize>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Value> {
    let mut tenants = tenants::load(&args.target.tenants)?;
    tenants.truncate(args.tenants_used.unwrap_or(usize::MAX));
    let key = hmac::Key::new(hmac::HMAC_SHA256, args.app_secret.as_bytes());
    let every = Duration::from_secs_f64(1.0 / args.rate);
    let due: Vec<Duration> = std::iter::successors(Some(Duration::ZERO), |at| Some(*at + every))
        .take_while(|at| at.as_secs_f64() < args.seconds)
        .collect();
    let posted = due.len();
    let started_us = now_us();
    let started = Instant::now();
    let tally: Arc<Mutex<(Histogram, Failures)>> = Arc::default();
    let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
    let mut ticks = ticker(started, due);
    let mut tasks = tokio::task::JoinSet::new();
    while let Some((index, due)) = ticks.recv().await {
        let tenant = &tenants[usize::try_from(index)? % tenants.len()];
        let due_us = started_us + u64::try_from(due.as_micros())?;
        let body = timed_body(&tenant.phone_number_id, due_us, index, &key);
        let connection = idle.lock().pop();
        let mut connection = match connection {
            Some(connection) => connection,
            None => Connection::to(&args.target.base)?,
        };
        let (tally, idle) = (tally.clone(), idle.clone());
        tasks.spawn(async move {
            let answer = connection
                .post(PATH, Proof::Signature(&body.signature), body.bytes)
                .await;
            idle.lock().push(connection);
            let mut tally = tally.lock();
            match answer {
                Ok(answer) if answer.status == 200 => tally.0.record(started.elapsed().saturating_sub(due)),
                Ok(answer) => tally.1.add(Failure::Status(answer.status)),
                Err(_) => tally.1.add(Failure::Connection),
            }
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    let tally = tally.lock();
    Ok(json!({
        "posted": posted,
        "answerMs": tally.0.to_json(),
        "failures": tally.1.to_json(),
    }))
}
