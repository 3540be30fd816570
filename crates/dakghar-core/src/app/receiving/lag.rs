//! How long webhooks took from Meta to here, and whose they are.

use std::collections::HashMap;
use std::time::Duration;

use super::sort::Sorted;
use crate::domain::message::Origin;
use crate::domain::webhook::WebhookPart;
use crate::domain::{TenantId, Timestamp};
use crate::metrics::{Metrics, WebhookKind};

/// The most that is measured. Meta posts what was not taken for a week.
const LAG_MAX: Duration = Duration::from_hours(7 * 24);

/// The parts of a webhook, to be counted once they are stored.
pub(super) struct Arrived {
    lags: Vec<(WebhookKind, Duration)>,
    by_tenant: HashMap<TenantId, u64>,
}

impl Arrived {
    /// Measures parts that arrived at this date. A time that is ahead of it counts as now.
    pub(super) fn of(parts: &[WebhookPart], at: Timestamp) -> Self {
        let lag = |part: &WebhookPart| {
            let (kind, told_at) = match part {
                // What was written long before the number came here says nothing about the way.
                WebhookPart::Message(inbound) if inbound.origin == Origin::History => return None,
                WebhookPart::Message(inbound) => (WebhookKind::Message, inbound.sent_at),
                WebhookPart::Status(report) => (WebhookKind::Status, report.reported_at),
                WebhookPart::Other(other) => (WebhookKind::Other, other.told_at),
            };
            Some((kind, at.since(told_at?).min(LAG_MAX)))
        };
        Self {
            lags: parts.iter().filter_map(lag).collect(),
            by_tenant: HashMap::new(),
        }
    }

    /// Counts whose they are, if that is shown.
    pub(super) fn sorted(&mut self, sorted: &Sorted, metrics: &Metrics) {
        if !metrics.tenants.is_on() {
            return;
        }
        let messages = sorted
            .messages
            .iter()
            .map(|received| received.message.accepted.tenant_id);
        let statuses = sorted.statuses.iter().map(|(record, _)| record.key.tenant_id);
        let events = sorted.events.iter().filter_map(|event| event.tenant_id);
        for tenant_id in messages.chain(statuses).chain(events) {
            *self.by_tenant.entry(tenant_id).or_default() += 1;
        }
    }

    /// Tells what is stored now.
    pub(super) fn tell(&self, metrics: &Metrics) {
        for (kind, lag) in &self.lags {
            metrics.webhook_lag.of(*kind).observe(*lag);
        }
        for (tenant_id, count) in &self.by_tenant {
            metrics
                .tenants
                .count(tenant_id, *count, |of| _ = of.webhook_parts.inc_by(*count));
        }
    }
}
