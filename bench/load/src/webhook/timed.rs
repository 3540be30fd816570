//! Open loop: webhooks of one message each, due at times that were fixed before the run. Each message tells when it was
//! due, so that whoever gets it in the end knows how long it took. Beside them Meta may post again what was refused before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::bodies::{Plan, SignedBody, timed_body};
use super::{PATH, Tally, count_of, post_all};
use crate::client::Proof;
use crate::histogram::Histogram;
use crate::pacing::when_due;
use crate::probe::{Store, StoreArgs};
use crate::sends::{Failure, Failures, now_us};
use crate::tenants::{self, TargetArgs, Tenant};

/// The distance of a second copy behind its first one, in webhooks.
const REPEATED_DISTANCE: usize = 40;

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
    /// Every second webhook is one that was posted a moment before.
    #[arg(long)]
    repeated: bool,
    /// Meanwhile so many webhooks of one message each come back that were refused before, as fast as they are taken.
    #[arg(long, default_value_t = 0)]
    returning: usize,
    /// Over so many connections.
    #[arg(long, default_value_t = 64)]
    returning_connections: usize,
    /// Where to look afterwards whether everything is stored, once.
    #[command(flatten)]
    store: StoreArgs,
}

/// The times from when webhooks were due to their answers.
#[derive(Default)]
struct Answers {
    times: Histogram,
    failures: Failures,
}

/// Makes the webhooks, each when it is due.
struct Timed<'a> {
    tenants: &'a [Tenant],
    key: hmac::Key,
    started_us: u64,
    /// Those that may be posted again.
    earlier: Option<Vec<SignedBody>>,
    /// Different ones so far.
    messages: u64,
}

impl Timed<'_> {
    fn next(&mut self, index: u64, due: Duration) -> SignedBody {
        if let Some(earlier) = &self.earlier
            && index % 2 == 1
            && let Some(place) = earlier.len().checked_sub(REPEATED_DISTANCE)
        {
            return earlier[place].clone();
        }
        let due_us = self.started_us + u64::try_from(due.as_micros()).unwrap_or(u64::MAX);
        let count = u64::try_from(self.tenants.len()).unwrap_or(1).max(1);
        let tenant = &self.tenants[usize::try_from(self.messages % count).unwrap_or(0)];
        let body = timed_body(&tenant.phone_number_id, due_us, index, &self.key);
        self.messages += 1;
        if let Some(earlier) = &mut self.earlier {
            earlier.push(body.clone());
        }
        body
    }
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Value> {
    let mut tenants = tenants::load(&args.target.tenants)?;
    tenants.truncate(args.tenants_used.unwrap_or(usize::MAX));
    let plan = Plan {
        tenants: &tenants,
        secret: args.app_secret.as_bytes(),
        per_post: 1,
    };
    let returning = plan.bodies(args.returning, "returning", &[], false);
    let mut timed = Timed {
        tenants: &tenants,
        key: hmac::Key::new(hmac::HMAC_SHA256, args.app_secret.as_bytes()),
        started_us: now_us(),
        earlier: args.repeated.then(Vec::new),
        messages: 0,
    };
    let every = Duration::from_secs_f64(1.0 / args.rate);
    let due: Vec<Duration> = std::iter::successors(Some(Duration::ZERO), |at| Some(*at + every))
        .take_while(|at| at.as_secs_f64() < args.seconds)
        .collect();
    let posted = due.len();
    let base = &args.target.base;
    let (returned, answers) = tokio::join!(
        post_returning(base, args.returning_connections, returning),
        post_when_due(base, due, &mut timed)
    );
    let ((returned, returned_seconds), answers) = (returned?, answers?);
    let messages = timed.messages + args.returning as u64;
    let store = Store::open(&args.store).await?;
    let stored = count_of(&store.by_status(2 * messages).await?, "inbound.received");
    Ok(json!({
        "posted": posted,
        "answerMs": answers.times.to_json(),
        "failures": answers.failures.to_json(),
        "returned": returned.events,
        "returnedSeconds": returned_seconds,
        "refusedAgain": returned.failures.to_json(),
        "messagesMissing": messages.saturating_sub(stored),
    }))
}

/// Posts what was refused before, each until it is taken. Returns for how many seconds.
async fn post_returning(base: &str, connections: usize, bodies: Vec<SignedBody>) -> anyhow::Result<(Tally, f64)> {
    let started = Instant::now();
    let tally = post_all(base, connections, bodies).await?;
    Ok((tally, started.elapsed().as_secs_f64()))
}

async fn post_when_due(base: &str, due: Vec<Duration>, timed: &mut Timed<'_>) -> anyhow::Result<Answers> {
    let started = Instant::now();
    let answers: Arc<Mutex<Answers>> = Arc::default();
    let posting = when_due(base, (started, due), None, |index, due, mut connection| {
        let (body, answers) = (timed.next(index, due), answers.clone());
        async move {
            let answer = connection
                .post(PATH, Proof::Signature(&body.signature), body.bytes)
                .await;
            let mut answers = answers.lock();
            match answer {
                Ok(answer) if answer.status == 200 => answers.times.record(started.elapsed().saturating_sub(due)),
                Ok(answer) => answers.failures.add(Failure::Status(answer.status)),
                Err(_) => answers.failures.add(Failure::Connection),
            }
            connection
        }
    });
    posting.await?;
    let answers = std::mem::take(&mut *answers.lock());
    Ok(answers)
}
