//! Traces: where the time of one message went, over all processes and years of waiting.
//!
//! A span is a part of another one where somebody waits for it: the client's request and the accept, the send and the
//! call to Meta. Where time passes between, it begins a trace of its own and links to what it goes on from: the accept is
//! kept with the message, and the send, the webhook of a status and the callback link to it.
//!
//! A trace is sampled where it begins, and what links to it follows. A span that ends in an error is exported in any case,
//! by itself: nothing is held back until its trace is complete, so nothing is kept for that and nobody waits.

mod sampler;
mod span;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::domain::trace::{SpanName, TraceContext};
use crate::ports::{Clock, IdGenerator, SpanExporter};
use span::{World, never_zero};

pub use sampler::Sampler;
pub use span::Span;

/// The tracing of this process.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<(Arc<World>, Sampler)>);

impl Traces {
    /// Traces that go to this exporter. Those of [`Traces::default`] go nowhere and cost nothing.
    pub fn to(
        exporter: Arc<dyn SpanExporter>,
        sampler: Sampler,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Self {
        Self(Some((Arc::new(World { exporter, clock, ids }), sampler)))
    }

    /// Begins a span within somebody else's, or without any. `parent` is not asked where traces are off.
    pub fn within(&self, name: SpanName, parent: impl FnOnce() -> Option<TraceContext>) -> Span {
        let Some((world, sampler)) = &self.0 else {
            return Span::default();
        };
        match parent() {
            Some(parent) => {
                let is_sampled = sampler.samples(&parent.trace_id, Some(&parent));
                Span::within(world, name, &TraceContext { is_sampled, ..parent })
            }
            None => root(world, name, |trace_id| sampler.samples(trace_id, None)),
        }
    }

    /// Begins a span that goes on from others, each of them some time ago. They decide about it; where there are none,
    /// the sampling does.
    pub fn after(&self, name: SpanName, links: impl IntoIterator<Item = TraceContext>) -> Span {
        let Some((world, sampler)) = &self.0 else {
            return Span::default();
        };
        let mut links = links.into_iter().peekable();
        let is_first = links.peek().is_none();
        let mut span = root(world, name, |trace_id| is_first && sampler.samples(trace_id, None));
        span.link(links);
        span
    }
}

/// Begins a trace.
fn root(world: &Arc<World>, name: SpanName, is_sampled: impl FnOnce(&[u8; 16]) -> bool) -> Span {
    let random = world.ids.secret_bytes();
    let trace_id = never_zero(&random[8..]);
    let context = TraceContext {
        trace_id,
        span_id: never_zero(&random),
        is_sampled: is_sampled(&trace_id),
    };
    Span::begin(world, name, context, None)
}
