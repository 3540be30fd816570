//! How long a backlog takes from the first call of Graph until every message is settled in the store.

use std::time::{Duration, Instant};

use anyhow::bail;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::client::{Connection, Proof};
use crate::graph_peer;
use crate::probe::{Store, StoreArgs};
use crate::sends::now_us;

/// How often the peer is asked. It answers from a counter.
const PEER_POLL: Duration = Duration::from_millis(10);
/// How often the store is asked, after the last call.
const STORE_POLL: Duration = Duration::from_millis(10);
/// While the backlog shrinks and no call tells about it: the pause after asking the store, in times of what the answer
/// took. It counts all of the backlog each time, which must not slow down what is measured.
const STORE_PAUSE: u32 = 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// The Graph peer.
    #[arg(long)]
    graph: String,
    /// Messages in the backlog; nothing newer is stored.
    #[arg(long)]
    count: u64,
    /// The contender simulates the calls: the first settled message starts the clock.
    #[arg(long)]
    simulated: bool,
    /// Open the peer's gate first; opening it starts the clock.
    #[arg(long, conflicts_with = "simulated")]
    open_gate: bool,
    #[arg(long, default_value_t = 120.0)]
    timeout_seconds: f64,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<Value> {
    let store = Store::open(&args.store).await?;
    let mut peer = Connection::to(&args.graph)?;
    let give_up = Instant::now() + Duration::from_secs_f64(args.timeout_seconds);
    let first_us = if args.simulated {
        wait_for_progress(&store, args.count, give_up).await?
    } else {
        wait_for_calls(&mut peer, args, give_up).await?
    };
    loop {
        let asked = Instant::now();
        let left = store.unsettled(args.count).await?;
        let pause = if args.simulated {
            asked.elapsed() * STORE_PAUSE
        } else {
            STORE_POLL
        };
        if left == 0 {
            break;
        }
        check_time(give_up, || format!("{left} of {} messages are not settled", args.count))?;
        tokio::time::sleep(pause).await;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts and times of one run are far below 2^52"
    )]
    let seconds = (now_us() - first_us) as f64 / 1e6;
    #[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
    let per_second = args.count as f64 / seconds;
    // Asked now and not when the last message was called for: what is repeated is often repeated last.
    let expected = if args.simulated { 0 } else { args.count };
    let repeated = graph_peer::read_stats(&mut peer).await?.calls.saturating_sub(expected);
    Ok(json!({
        "messages": args.count,
        "seconds": seconds,
        "perSecond": per_second,
        "repeatedCalls": repeated,
        "byStatus": store.by_status(args.count).await?,
    }))
}

/// Waits until every message was called for; when the first call came, or could have come.
async fn wait_for_calls(peer: &mut Connection, args: &Args, give_up: Instant) -> anyhow::Result<u64> {
    let opened_us = now_us();
    if args.open_gate {
        peer.post("/_peer/gate?open=true", Proof::None, Bytes::new()).await?;
    }
    loop {
        let stats = graph_peer::read_stats(peer).await?;
        if stats.recipients >= args.count {
            return Ok(if args.open_gate { opened_us } else { stats.first_us });
        }
        check_time(give_up, || {
            format!("{} of {} messages were called for", stats.recipients, args.count)
        })?;
        tokio::time::sleep(PEER_POLL).await;
    }
}

/// Waits until fewer messages are unsettled than at the start; the middle between the last time at which all were and
/// the first at which they were not.
async fn wait_for_progress(store: &Store, count: u64, give_up: Instant) -> anyhow::Result<u64> {
    let at_start = store.unsettled(count).await?;
    let mut unsettled_us = now_us();
    loop {
        let (asked, asked_us) = (Instant::now(), now_us());
        if store.unsettled(count).await? < at_start {
            return Ok(u64::midpoint(unsettled_us, asked_us));
        }
        unsettled_us = asked_us;
        check_time(give_up, || "nothing was settled".to_owned())?;
        tokio::time::sleep(asked.elapsed() * STORE_PAUSE).await;
    }
}

fn check_time(give_up: Instant, problem: impl FnOnce() -> String) -> anyhow::Result<()> {
    if Instant::now() >= give_up {
        bail!("gave up: {}", problem());
    }
    Ok(())
}
