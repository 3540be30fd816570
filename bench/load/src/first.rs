//! How long a contender takes from its start until it accepts the first message.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::{Value, json};

use crate::client::Connection;
use crate::sends::{SendArgs, Sends, now_us};

const POLL: Duration = Duration::from_millis(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sends: SendArgs,
    /// When the process was started, in microseconds since the epoch.
    #[arg(long)]
    started_us: u64,
    #[arg(long, default_value_t = 60.0)]
    timeout_seconds: f64,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<Value> {
    let give_up = Instant::now() + Duration::from_secs_f64(args.timeout_seconds);
    let sends = Sends::of(&args.sends)?;
    let mut connection = Connection::to(&args.sends.target.base)?;
    loop {
        let Err(failure) = sends.post(&mut connection, &sends.next()).await else {
            break;
        };
        if Instant::now() >= give_up {
            bail!("nothing was accepted in time: {failure:?}");
        }
        tokio::time::sleep(POLL).await;
    }
    #[expect(clippy::cast_precision_loss, reason = "a start is short")]
    let ms = (now_us() - args.started_us) as f64 / 1000.0;
    Ok(json!({ "ms": ms }))
}
