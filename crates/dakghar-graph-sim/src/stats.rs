//! Counters since the start, for load tests and for a look from outside.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// A counter that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Adds one and gives the new value.
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of the Graph endpoints.
#[derive(Debug, Default)]
pub(crate) struct CallStats {
    pub(crate) connections: Counter,
    pub(crate) calls: Counter,
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    pub(crate) faults: Counter,
    pub(crate) resets: Counter,
}

/// Counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsSnapshot {
    /// TCP connections opened.
    pub connections: u64,
    /// Calls of the messages endpoint.
    pub calls: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Calls refused with an answer.
    pub refused: u64,
    /// Calls hit by a rule.
    pub faults: u64,
    /// Connections reset on purpose.
    pub resets: u64,
    /// Webhook posts answered with 200.
    pub webhook_posts_ok: u64,
    /// Webhook posts answered otherwise or not at all.
    pub webhook_posts_failed: u64,
    /// Statuses and inbound messages in the posts answered with 200.
    pub webhook_events_delivered: u64,
    /// Statuses and inbound messages given up because no webhook URL was set when they were due.
    pub webhook_events_dropped: u64,
    /// Statuses and inbound messages not yet answered with 200.
    pub webhook_events_pending: u64,
    /// Journal entries that fell out because the journal was full.
    pub journal_dropped: u64,
}
