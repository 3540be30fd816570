//! Spans that wait to be posted: so many bytes and no more.

use std::sync::Arc;

use dakghar_core::domain::trace::EndedSpan;
use dakghar_core::metrics::{Metrics, SpanDropped};
use dakghar_core::ports::SpanExporter;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::Notify;

use super::wire::Span;

/// The bytes that may wait.
pub(super) const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The bytes up to which errors of traces that are not sampled are taken. In an outage everything fails, and must not crowd
/// out what was chosen.
const UNSAMPLED_BYTES_MAX: usize = WAITING_BYTES_MAX / 4;
/// Bytes of a span in memory beside those on the wire, about.
const OVERHEAD_BYTES: usize = 512;
/// The bytes at which a post does not wait for more.
pub(super) const POST_BYTES: usize = 256 * 1024;

/// Shared by exporter and poster.
#[derive(Debug)]
pub(super) struct SpanQueue {
    waiting: Mutex<Waiting>,
    pub(super) changed: Notify,
    pub(super) metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Waiting {
    spans: Vec<Span>,
    bytes: usize,
    is_closed: bool,
}

impl SpanQueue {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            waiting: Mutex::default(),
            changed: Notify::new(),
            metrics,
        }
    }

    /// Takes everything that waits.
    pub(super) fn take(&self) -> Vec<Span> {
        let mut waiting = self.waiting.lock();
        waiting.bytes = 0;
        std::mem::take(&mut waiting.spans)
    }

    /// True if nobody puts anything in any more.
    pub(super) fn is_closed(&self) -> bool {
        self.waiting.lock().is_closed
    }

    /// True if there is enough for a post.
    pub(super) fn is_worth_a_post(&self) -> bool {
        self.waiting.lock().bytes >= POST_BYTES
    }

    /// Puts a span in. Returns true if the poster is to be woken.
    fn put(&self, span: Span, is_sampled: bool) -> bool {
        let bytes = span.encoded_len() + OVERHEAD_BYTES;
        let bytes_max = if is_sampled {
            WAITING_BYTES_MAX
        } else {
            UNSAMPLED_BYTES_MAX
        };
        let mut waiting = self.waiting.lock();
        if waiting.bytes + bytes > bytes_max {
            drop(waiting);
            self.metrics.spans_dropped.of(SpanDropped::NoRoom).inc();
            return false;
        }
        let was_small = waiting.bytes < POST_BYTES;
        waiting.bytes += bytes;
        waiting.spans.push(span);
        was_small && waiting.bytes >= POST_BYTES
    }
}

/// Takes the spans of this process. When it is dropped, what waits is posted and the poster ends.
#[derive(Debug)]
pub struct OtlpExporter(pub(super) Arc<SpanQueue>);

impl SpanExporter for OtlpExporter {
    fn export(&self, span: &EndedSpan) {
        if self.0.put(Span::from(span), span.context.is_sampled) {
            self.0.changed.notify_one();
        }
    }
}

impl Drop for OtlpExporter {
    fn drop(&mut self) {
        self.0.waiting.lock().is_closed = true;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dakghar_core::domain::Timestamp;
    use dakghar_core::domain::trace::{LINKS_MAX, SpanName, TraceContext};

    use super::*;

    fn span(is_sampled: bool) -> EndedSpan {
        let context = TraceContext::new([1; 16], [2; 8], is_sampled).expect("not zero");
        EndedSpan {
            context,
            parent: None,
            links: vec![context; LINKS_MAX],
            name: SpanName::Webhook,
            began_at: Timestamp::from_millis(1),
            took: Duration::ZERO,
            attributes: Vec::new(),
            error: (!is_sampled).then_some("internal"),
        }
    }

    #[test]
    fn what_waits_is_bounded_and_errors_leave_room_for_what_is_sampled() {
        let metrics = Arc::new(Metrics::default());
        let queue = Arc::new(SpanQueue::new(metrics.clone()));
        let exporter = OtlpExporter(queue.clone());
        let dropped = || metrics.spans_dropped.of(SpanDropped::NoRoom).get();
        let fill = |span: &EndedSpan| {
            let before = dropped();
            while dropped() == before {
                exporter.export(span);
            }
            queue.waiting.lock().bytes
        };
        let unsampled = fill(&span(false));
        assert!(unsampled <= UNSAMPLED_BYTES_MAX && unsampled > UNSAMPLED_BYTES_MAX / 2);
        let all = fill(&span(true));
        assert!(all <= WAITING_BYTES_MAX && all > WAITING_BYTES_MAX / 2);
        let on_the_wire: usize = queue.take().iter().map(prost::Message::encoded_len).sum();
        assert!(on_the_wire < WAITING_BYTES_MAX);
        exporter.export(&span(true));
        assert_eq!(queue.take().len(), 1, "there is room again");
        drop(exporter);
        assert!(queue.is_closed());
    }
}
