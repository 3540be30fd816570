//! What a simulated Meta is told when it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::limits::Limits;
use crate::number::Number;
use crate::webhook::StatusPlan;

/// Settings of one simulated Meta. Most can be changed while it runs.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Key of the webhook signature. Without it webhooks go out unsigned.
    pub app_secret: Option<String>,
    /// Where webhooks go. Without it nothing is planned.
    pub webhook_url: Option<String>,
    /// Which bearer tokens may call.
    pub accepted_tokens: AcceptedTokens,
    /// Wait before each answer of the messages endpoint. The message counts as accepted on arrival.
    pub latency_ms: u64,
    /// Which limits on messages are played; none unless set.
    pub limits: Limits,
    /// Which statuses follow an accepted message, and when.
    pub statuses: StatusPlan,
    /// How webhooks are posted and repeated.
    pub delivery: WebhookDelivery,
    /// What the journal keeps in memory.
    pub journal: JournalMode,
    /// Most entries kept by [`JournalMode::Full`]; older ones are dropped and counted.
    pub journal_entries_max: usize,
    /// A file to which every call is appended as one JSON line, before it is answered.
    pub journal_file: Option<PathBuf>,
    /// Numbers with a WABA and a display number of their own; all others are derived from the id.
    pub numbers: Vec<Number>,
    /// Seed of every random decision. Message ids are not random: they hold the start time and a counter.
    pub seed: u64,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            app_secret: None,
            webhook_url: None,
            accepted_tokens: AcceptedTokens::Any,
            latency_ms: 0,
            limits: Limits::default(),
            statuses: StatusPlan::default(),
            delivery: WebhookDelivery::default(),
            journal: JournalMode::Full,
            journal_entries_max: 200_000,
            journal_file: None,
            numbers: Vec::new(),
            seed: 0,
        }
    }
}

/// Which bearer tokens may call the Graph endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptedTokens {
    /// Any non-empty token.
    Any,
    /// Only these; every other token is answered with code 190.
    Only(Vec<String>),
}

/// What the journal keeps in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalMode {
    /// Every call with its body, and the counts.
    Full,
    /// Only how often each `biz_opaque_callback_data` was called and accepted.
    Counts,
    /// Nothing: for load.
    Off,
}

/// How webhooks are posted and repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// Most posts under way at once, at least 1.
    pub concurrency: usize,
    /// How long the receiver may take for one answer.
    pub timeout_ms: u64,
    /// Wait before the first repetition; each next one doubles it.
    pub retry_initial_ms: u64,
    /// Longest wait between two repetitions.
    pub retry_max_ms: u64,
    /// A post is given up when it has been repeated for this long.
    pub retry_for_ms: u64,
    /// Most webhook events waiting. Beyond it sends are refused with code 131016, so that no status is lost.
    pub pending_max: usize,
}

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

impl WebhookDelivery {
    /// Repeats as Meta does, but with every wait scaled so that the first one takes `first_ms`. In a test it must be
    /// longer than the grace of a doubt, as it is in life.
    #[must_use]
    pub fn scaled_to(self, first_ms: u64) -> Self {
        let life = Self::default();
        let scaled = |wait_ms: u64| wait_ms.saturating_mul(first_ms) / life.retry_initial_ms;
        Self {
            retry_initial_ms: first_ms,
            retry_max_ms: scaled(life.retry_max_ms),
            retry_for_ms: scaled(life.retry_for_ms),
            ..self
        }
    }
}

impl Default for WebhookDelivery {
    fn default() -> Self {
        Self {
            concurrency: 16,
            timeout_ms: 10_000,
            retry_initial_ms: MINUTE_MS,
            retry_max_ms: 6 * HOUR_MS,
            retry_for_ms: 7 * 24 * HOUR_MS,
            pending_max: 500_000,
        }
    }
}
