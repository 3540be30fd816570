//! The messages endpoint, measured.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::message::SendOutcome;
use dakghar_core::metrics::{Attempt, Metrics};
use dakghar_core::ports::{MessagesApi, SendCall};

use super::timer::Timer;

/// Measures the calls of another messages API, by their outcome.
pub struct MeasuredMessagesApi<M> {
    inner: M,
    metrics: Arc<Metrics>,
}

impl<M> MeasuredMessagesApi<M> {
    /// Measures this one.
    pub const fn new(inner: M, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }
}

#[async_trait]
impl<M: MessagesApi> MessagesApi for MeasuredMessagesApi<M> {
    async fn send(&self, call: SendCall<'_>) -> SendOutcome {
        let timer = Timer::start();
        let outcome = self.inner.send(call).await;
        let latency = self.metrics.graph_latency.of(Attempt::from(&outcome));
        latency.observe(timer.elapsed());
        outcome
    }
}
