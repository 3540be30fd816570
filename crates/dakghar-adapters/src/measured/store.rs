//! A store, measured: how long each method takes, for its whole batch. The ports are in files beside this one.

use std::sync::Arc;

use dakghar_core::metrics::{Metrics, StoreCall};

use super::timer::Timer;

/// Measures the calls of another store, by their method. A call that nobody waits for any more is measured up to then.
pub struct MeasuredStore<S> {
    pub(super) inner: Arc<S>,
    metrics: Arc<Metrics>,
}

impl<S> MeasuredStore<S> {
    /// Measures this one.
    pub const fn new(inner: Arc<S>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }

    pub(super) async fn measure<T>(&self, call: StoreCall, calling: impl Future<Output = T>) -> T {
        let _measuring = Measuring {
            metrics: &self.metrics,
            call,
            timer: Timer::start(),
        };
        calling.await
    }
}

/// A call under way.
struct Measuring<'a> {
    metrics: &'a Metrics,
    call: StoreCall,
    timer: Timer,
}

impl Drop for Measuring<'_> {
    fn drop(&mut self) {
        let latency = self.metrics.store_latency.of(self.call);
        latency.observe(self.timer.elapsed());
    }
}
