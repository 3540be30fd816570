//! What all parts of one simulated Meta share.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::SimConfig;
use crate::fault::RuleEngine;
use crate::graph::auth::TokenCheck;
use crate::journal::Journal;
use crate::number::Numbers;
use crate::stats::{CallStats, StatsSnapshot};
use crate::wamid::WamidFactory;
use crate::webhook::Webhooks;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) tokens: TokenCheck,
    pub(crate) latency: Duration,
    pub(crate) rules: RuleEngine,
    pub(crate) journal: Journal,
    pub(crate) numbers: Numbers,
    pub(crate) wamids: WamidFactory,
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) stats: CallStats,
    pub(crate) shutdown: CancellationToken,
}

impl State {
    pub(crate) fn build(config: SimConfig) -> std::io::Result<Self> {
        Ok(Self {
            journal: Journal::open(&config)?,
            webhooks: Arc::new(Webhooks::build(&config)?),
            rules: RuleEngine::seeded(config.seed),
            latency: Duration::from_millis(config.latency_ms),
            wamids: WamidFactory::started_now(),
            stats: CallStats::default(),
            shutdown: CancellationToken::new(),
            tokens: TokenCheck::from(config.accepted_tokens),
            numbers: Numbers::with(config.numbers),
        })
    }

    pub(crate) fn snapshot(&self) -> StatsSnapshot {
        StatsSnapshot {
            connections: self.stats.connections.get(),
            calls: self.stats.calls.get(),
            accepted: self.stats.accepted.get(),
            refused: self.stats.refused.get(),
            faults: self.stats.faults.get(),
            resets: self.stats.resets.get(),
            webhook_posts_ok: self.webhooks.posts_ok.get(),
            webhook_posts_failed: self.webhooks.posts_failed.get(),
            webhook_events_delivered: self.webhooks.events_delivered.get(),
            webhook_events_dropped: self.webhooks.events_dropped.get(),
            webhook_events_pending: self.webhooks.pending() as u64,
            journal_dropped: self.journal.dropped(),
        }
    }
}
