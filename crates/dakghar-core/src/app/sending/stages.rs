//! Measures the stages of a message around its call: how long each took, and in which trace.
//!
//! Inside of this process a stage is measured by the machine's uptime, else by times that never run back in one process;
//! those of two machines may be apart, and what would be less than nothing is nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::app::holding::Holding;
use crate::domain::message::{Message, SendOutcome};
use crate::domain::{Timestamp, TraceContext};
use crate::metrics::{Attempt, Metrics, Stage, Traced};
use crate::ports::{Clock, Ports};

/// Measures stages.
pub(super) struct Stages {
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    holding: Arc<Holding>,
}

/// A call under way.
pub(super) struct Begun {
    at: Duration,
    span: Option<TraceContext>,
}

impl Stages {
    pub(super) fn new(ports: &Ports, holding: Arc<Holding>) -> Self {
        Self {
            metrics: ports.metrics.clone(),
            clock: ports.clock.clone(),
            holding,
        }
    }

    /// Counts how long a message has waited for the call that begins now, `elapsed` after its claim began.
    pub(super) fn call_begins(&self, message: &Message, span: Option<TraceContext>, elapsed: Duration) -> Begun {
        let Message { accepted, delivery } = message;
        let now = self.clock.now();
        if let Some(slot_at) = delivery.slot_at {
            self.metrics.slot_wait.observe(now.since(slot_at));
            if let Some(ready_at) = message.ready_at() {
                self.observe(Stage::Due, span, slot_at.since(ready_at));
            }
            if let Some(called_at) = delivery.called_at {
                // While all sending was held nobody could claim it.
                let since = self.holding.released_at().map_or(slot_at, |at| at.max(slot_at));
                self.observe(Stage::Claimed, span, called_at.since(since));
            }
        }
        if delivery.attempt == 1 {
            self.metrics.first_call_wait.observe(now.since(accepted.created_at));
        }
        self.observe(Stage::Called, span, elapsed);
        Begun {
            at: self.clock.uptime(),
            span,
        }
    }

    /// Counts how long a call took. Returns when it ended, by the machine's uptime.
    pub(super) fn call_ends(&self, begun: &Begun, outcome: &SendOutcome) -> Duration {
        let ended_at = self.clock.uptime();
        let took = ended_at.saturating_sub(begun.at);
        let traced = self.traced(begun.span);
        self.metrics
            .graph_latency
            .of(Attempt::from(outcome))
            .observe_in(traced, took);
        self.metrics.stages.of(Stage::Answered).observe_in(traced, took);
        ended_at
    }

    /// Counts how long it took to store the outcome of a call that ended then.
    pub(super) fn recorded(&self, span: Option<TraceContext>, ended_at: Duration) {
        self.observe(Stage::Recorded, span, self.clock.uptime().saturating_sub(ended_at));
    }

    fn observe(&self, stage: Stage, span: Option<TraceContext>, took: Duration) {
        self.metrics.stages.of(stage).observe_in(self.traced(span), took);
    }

    /// Reads the date only for a span that is sampled.
    fn traced(&self, span: Option<TraceContext>) -> Traced {
        let span = span.filter(|span| span.is_sampled);
        let at = span.map_or(Timestamp::from_millis(0), |_| self.clock.wall());
        Traced { span, at }
    }
}
