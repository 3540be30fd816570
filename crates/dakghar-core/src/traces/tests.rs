//! Which spans are exported, and which are not.

use std::time::Duration;

use parking_lot::Mutex;
use uuid::Uuid;

use super::*;
use crate::domain::trace::{Attribute, EndedSpan, LINKS_MAX};
use crate::domain::{AttemptLogId, EndpointId, EventId, MessageId, Present, RedriveId, ReplayId, TenantId, Timestamp};

#[derive(Default)]
struct Exported(Mutex<Vec<EndedSpan>>);

impl SpanExporter for Exported {
    fn export(&self, span: &EndedSpan) {
        self.0.lock().push(span.clone());
    }
}

struct Still;

impl Clock for Still {
    fn present(&self) -> Present {
        Timestamp::from_millis(1_000).into()
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// Each id differs from the one before.
#[derive(Default)]
struct Counting(Mutex<u8>);

macro_rules! no_ids {
    ($($method:ident: $id:ident,)*) => { $(fn $method(&self) -> $id { $id::from_uuid(Uuid::nil()) })* };
}

impl IdGenerator for Counting {
    no_ids! {
        tenant_id: TenantId, message_id: MessageId, event_id: EventId, endpoint_id: EndpointId, redrive_id: RedriveId,
        replay_id: ReplayId, attempt_log_id: AttemptLogId,
    }

    fn jitter(&self) -> f64 {
        0.0
    }

    fn secret_bytes(&self) -> [u8; 32] {
        let mut last = self.0.lock();
        *last += 1;
        [*last; 32]
    }
}

fn traces(follows_parent: bool, ratio: f64) -> (Traces, Arc<Exported>) {
    let exported = Arc::new(Exported::default());
    let sampler = Sampler { follows_parent, ratio };
    let traces = Traces::to(
        exported.clone(),
        sampler,
        Arc::new(Still),
        Arc::new(Counting::default()),
    );
    (traces, exported)
}

fn client(is_sampled: bool) -> Option<TraceContext> {
    TraceContext::new([0xaa; 16], [0xbb; 8], is_sampled)
}

#[test]
fn a_part_is_in_the_trace_of_the_whole_and_what_follows_links_to_it() {
    let (traces, exported) = traces(true, 0.0);
    let accept = traces.within(SpanName::Accept, || client(true));
    let accepted = accept.context().expect("on");
    drop(accept);
    let mut send = traces.after(SpanName::Send, [accepted]);
    send.say(Attribute::Attempt(1));
    let sent = send.context().expect("on");
    drop(send.child(SpanName::GraphCall));
    drop(send);
    let spans = exported.0.lock();
    let [accept, call, send] = &spans[..] else {
        panic!("{spans:?}")
    };
    assert_eq!((accept.context.trace_id, accept.parent), ([0xaa; 16], Some([0xbb; 8])));
    assert_eq!(
        (call.context.trace_id, call.parent),
        (sent.trace_id, Some(sent.span_id))
    );
    assert_ne!(send.context.trace_id, [0xaa; 16], "time passed between");
    assert_eq!((&send.links[..], send.parent), (&[accepted][..], None));
    assert_eq!(send.attributes, [Attribute::Attempt(1)]);
}

#[test]
fn what_is_not_sampled_is_exported_if_it_ends_in_an_error() {
    let (traces, exported) = traces(true, 0.0);
    let accept = traces.within(SpanName::Accept, || client(false));
    let accepted = accept.context().expect("it has a place all the same");
    assert!(!accepted.is_sampled);
    drop(accept);
    drop(traces.within(SpanName::Accept, || None));
    let mut send = traces.after(SpanName::Send, [accepted]);
    let mut call = send.child(SpanName::GraphCall);
    call.fail("refused");
    drop(call);
    send.discard();
    let spans = exported.0.lock();
    let [only] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(
        (only.name, only.error, only.context.is_sampled),
        (SpanName::GraphCall, Some("refused"), false)
    );
}

#[test]
fn what_goes_on_from_others_follows_their_decision_within_bounds() {
    let (traces, exported) = traces(false, 1.0);
    drop(traces.after(SpanName::Send, client(false)));
    assert_eq!(exported.0.lock().len(), 0, "the accept was not sampled");
    let of = |n: u8, is_sampled| TraceContext::new([n; 16], [n; 8], is_sampled).expect("not zero");
    let many = (1..=100).map(|n| of(n, n == 100)).chain([of(1, false)]);
    drop(traces.after(SpanName::Webhook, many));
    drop(traces.after(SpanName::Webhook, None));
    let spans = exported.0.lock();
    assert_eq!(
        spans.iter().map(|span| span.links.len()).collect::<Vec<_>>(),
        [LINKS_MAX, 0]
    );
}

#[test]
fn nothing_is_asked_where_traces_are_off() {
    let traces = Traces::default();
    let mut span = traces.within(SpanName::Accept, || unreachable!("not asked"));
    span.fail("x");
    assert_eq!(
        (span.context(), span.child(SpanName::GraphCall).context()),
        (None, None)
    );
    assert_eq!(size_of::<Span>(), size_of::<usize>());
}
