//! `dakghar graph-sim`.

use std::net::SocketAddr;
use std::path::PathBuf;

use dakghar_graph_sim::{GraphSim, JournalMode, Limits, SimConfig, StatusPlan, WebhookDelivery};

use super::output;
use crate::lifecycle::Lifecycle;

/// A simulated Meta for development, tests and load.
///
/// Point Dakghar at it with GRAPH_BASE_URL. It checks messages as Meta does, answers with Meta's envelopes, and posts
/// signed status webhooks until they are answered with 200. Its own page at / lists the control endpoints: journal,
/// faults by rule, inbound messages, every kind of webhook by name, and a random mixture of all of them with Meta's
/// habits (POST /_sim/mixture).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:4010")]
    bind: SocketAddr,
    /// Where webhooks are posted.
    #[arg(long, default_value = "http://127.0.0.1:3000/whatsapp/webhook")]
    webhook_url: String,
    /// The key of the webhook signature; the same as Dakghar's APP_SECRET.
    #[arg(long, env = "APP_SECRET", hide_env_values = true)]
    app_secret: Option<String>,
    /// Wait before each answer, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Refuse what is beyond so many messages of a number in a second, in and out together, with 130429; 0 refuses none.
    #[arg(long, default_value_t = 0)]
    messages_per_second: u32,
    /// Refuse what is beyond one message in six seconds to the same person, after a burst of 45, with 131056.
    #[arg(long)]
    limit_pairs: bool,
    /// Post no status webhooks.
    #[arg(long)]
    no_statuses: bool,
    /// Also report `read`, this many milliseconds after acceptance.
    #[arg(long)]
    read_after_ms: Option<u64>,
    /// The share of statuses that are posted twice, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    duplicates: f64,
    /// Post statuses out of order.
    #[arg(long)]
    shuffle: bool,
    /// Statuses in one POST at most.
    #[arg(long, default_value_t = 20)]
    batch_max: usize,
    /// The wait before a refused webhook is posted again, in milliseconds. Further waits grow from it, in Meta's
    /// proportions.
    #[arg(long, default_value_t = 60_000)]
    retry_after_ms: u64,
    /// What the journal keeps in memory.
    #[arg(long, value_parser = ["full", "counts", "off"], default_value = "full")]
    journal: String,
    /// Append every call to this file as one JSON line.
    #[arg(long)]
    journal_file: Option<PathBuf>,
    /// The seed of every random decision.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Args {
    fn statuses(&self) -> StatusPlan {
        let mut statuses = if self.no_statuses {
            StatusPlan::none()
        } else {
            StatusPlan::default()
        };
        statuses.read_ms = self.read_after_ms.or(statuses.read_ms);
        statuses.duplicate_probability = self.duplicates;
        statuses.shuffle = self.shuffle;
        statuses.batch_max = self.batch_max;
        statuses
    }

    fn journal(&self) -> JournalMode {
        match self.journal.as_str() {
            "counts" => JournalMode::Counts,
            "off" => JournalMode::Off,
            _ => JournalMode::Full,
        }
    }

    fn config(&self) -> SimConfig {
        SimConfig {
            bind: self.bind,
            app_secret: self.app_secret.clone(),
            webhook_url: Some(self.webhook_url.clone()),
            latency_ms: self.latency_ms,
            limits: Limits {
                messages_per_second: self.messages_per_second,
                pairs: self.limit_pairs,
            },
            statuses: self.statuses(),
            delivery: WebhookDelivery::default().scaled_to(self.retry_after_ms),
            journal: self.journal(),
            journal_file: self.journal_file.clone(),
            seed: self.seed,
            ..SimConfig::default()
        }
    }
}

/// Runs until a signal.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let sim = GraphSim::start(args.config()).await?;
    let lifecycle = Lifecycle::start()?;
    output::line(&format!(
        "simulated Meta listens on {0}   (control endpoints: {0}/)",
        sim.base_url()
    ));
    output::line(&format!("start Dakghar with GRAPH_BASE_URL={}", sim.base_url()));
    lifecycle.stopping.cancelled().await;
    sim.stop().await;
    Ok(())
}
